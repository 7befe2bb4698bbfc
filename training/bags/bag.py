# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A rosbag2 recording as decoded messages, by the definitions that it carries itself."""

from collections import Counter
from collections.abc import Collection, Iterator
import os
from pathlib import Path
from typing import Any

from ipt_training.bags.errors import BagReadError
from rosbags.interfaces import Connection, MessageDefinition, MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.typesys import get_types_from_idl, get_types_from_msg, get_typestore, Stores

# What rosbags raises on files and messages that are not what they should be: its own errors
# derive from Exception directly, and torn bytes end in whatever the code stumbles over.
_BROKEN = Exception
_ZSTD_MAGIC = bytes((0x28, 0xB5, 0x2F, 0xFD))
_IDL_RULE = '=' * 80 + '\n'


class Bag:
    """
    An open recording: a rosbag2 folder, or one of its files. Use it as a context manager.

    problems: what could not be decoded, and how often.
    """

    def __init__(self, path: str | os.PathLike):
        """Open. Raises BagReadError for what is missing, truncated, or no bag."""
        self.path = Path(path)
        self.problems: Counter[str] = Counter()
        self._reader = _opened(self.path)
        self._connections: dict[str, list[Connection]] = {}
        for connection in self._reader.connections:
            self._connections.setdefault(connection.topic, []).append(connection)
        self._store = self._typestore()

    def __enter__(self) -> 'Bag':
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        """Close the files; closing twice is fine."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    @property
    def topics(self) -> dict[str, str]:
        """Return the type of each topic that has messages: 'package/msg/Name'."""
        return {name: connections[0].msgtype for name, connections in self._connections.items()
                if any(connection.msgcount for connection in connections)}

    @property
    def silent(self) -> dict[str, str]:
        """Return the type of each topic that has no messages."""
        return {name: connections[0].msgtype for name, connections in self._connections.items()
                if not any(connection.msgcount for connection in connections)}

    def first(self, topic: str) -> Any | None:
        """Return the first message of a topic that decodes; None for none. Counts no problems."""
        counted = self.problems
        self.problems = Counter()
        try:
            return next((message for _, _, message in self.messages((topic,))), None)
        finally:
            self.problems = counted

    @property
    def start(self) -> int:
        """Log time (ns) of the first message."""
        return self._reader.start_time

    @property
    def duration(self) -> float:
        """Seconds between the first and the last message."""
        return self._reader.duration * 1e-9

    def messages(
        self, topics: Collection[str], start: int | None = None, stop: int | None = None,
    ) -> Iterator[tuple[str, int, Any]]:
        """
        Read (topic, log time in ns, message) in the order in which messages were logged.

        start, stop: log times, half open. Messages that do not decode are counted in `problems`
        and left out; where the file itself breaks off, reading ends and that is counted too.
        """
        connections = [c for name in topics for c in self._connections.get(name, ())
                       if c.msgtype in self._store.fielddefs]
        if not connections:
            return
        rows = self._reader.messages(connections, start, stop)
        while True:
            try:
                connection, logged, data = next(rows)
            except StopIteration:
                return
            except _BROKEN as error:
                self.problems[f'the file is damaged ({_words(error)}); what follows is lost'] += 1
                return
            try:
                message = self._store.deserialize_cdr(data, connection.msgtype)
            except _BROKEN:
                reason = f"no valid '{connection.msgtype}'"
                if bytes(data[:4]) == _ZSTD_MAGIC:
                    reason = ('messages are compressed, as only metadata.yaml can say; give the '
                              'folder of the bag')
                self.problems[f'{connection.topic}: {reason}'] += 1
                continue
            yield connection.topic, logged, message

    def _typestore(self):
        """
        Return the types of this bag: its own definitions, those of ROS 2 Jazzy for the rest.

        A definition that cannot be read costs its own topics only.
        """
        store = get_typestore(Stores.EMPTY)
        lacking = []
        for connections in self._connections.values():
            for connection in connections:
                kind = connection.msgtype
                if kind in store.fielddefs:
                    continue
                try:
                    store.register(_definitions(kind, connection.msgdef))
                    store.get_msgdef(kind)  # complete: the types in it are known as well
                except _BROKEN:
                    store.fielddefs.pop(kind, None)
                    lacking.append((connection.topic, kind))
        known = get_typestore(Stores.ROS2_JAZZY) if lacking else None
        for topic, kind in lacking:
            if kind in store.fielddefs:
                continue
            try:
                store.register(_closure(kind, known.fielddefs))
            except _BROKEN:
                self.problems[f"{topic}: unknown message type '{kind}'"] += 1
        return store


def _opened(path: Path) -> Reader:
    if not path.exists():
        raise BagReadError(f"there is no bag at '{path}'")
    folder = path if path.is_dir() else path.parent
    if path.is_dir() and not (path / 'metadata.yaml').exists():
        files = [p for p in path.iterdir() if p.suffix in ('.mcap', '.db3', '.zstd')]
        raise BagReadError(
            f"'{path}' has no metadata.yaml: its recorder did not end properly; run: "
            f'{_remedy(folder)}' if files else
            f"'{path}' is no bag: it has neither metadata.yaml nor .mcap or .db3 files")
    reader = None
    try:
        reader = Reader(path)
        reader.open()
    except PermissionError as error:
        raise BagReadError(f"may not read '{path}': {error.strerror}") from error
    except _BROKEN as error:
        raise BagReadError(
            f"cannot read the bag '{path}': {_words(error)}. If it is truncated, run: "
            f'{_remedy(folder)}') from error
    if not reader.message_count:
        reader.close()
        raise BagReadError(f"the bag '{path}' is empty: it has no messages")
    return reader


def _remedy(folder: Path) -> str:
    """Return the command that makes the bag in a folder readable."""
    if list(folder.glob('*.db3')) and not list(folder.glob('*.mcap')):
        return f"ros2 bag reindex -s sqlite3 '{folder}'"
    return f"ipt bag repair '{folder}'"


def _definitions(kind: str, definition: MessageDefinition) -> dict:
    """Return the types that a topic's definition spells out; it may be concatenated."""
    if definition.format == MessageDefinitionFormat.MSG:
        return get_types_from_msg(definition.data, kind)
    if definition.format != MessageDefinitionFormat.IDL:
        raise ValueError('the bag has no definition of this type')
    if not definition.data.startswith(f'{_IDL_RULE}IDL: '):
        return get_types_from_idl(definition.data)
    types = {}
    for part in definition.data.split(_IDL_RULE)[1:]:
        types |= get_types_from_idl(part.split('\n', 1)[1])
    return types


def _closure(kind: str, known: dict) -> dict:
    """Return a type and all types in it."""
    found = {}
    waiting = [kind]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = known[name]
            waiting += _names(known[name], known)
    return found


def _names(node: Any, known: dict) -> list[str]:
    """Return the message types named anywhere in a field description."""
    if isinstance(node, str):
        return [node] if node in known else []
    if isinstance(node, list | tuple):
        return [name for item in node for name in _names(item, known)]
    return []


def _words(error: Exception) -> str:
    return str(error).rstrip('.') or type(error).__name__
