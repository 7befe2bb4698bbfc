# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Message types by name: their Python class, and the text that explains them to other tools."""

from dataclasses import dataclass
import importlib
import json
from pathlib import Path
import re
import sys

from ament_index_python.packages import get_package_share_directory

# Between the messages of one text, as MCAP's `ros2msg` has it.
_SEPARATOR = '=' * 80
_PRIMITIVES = frozenset((
    'bool', 'byte', 'char', 'float32', 'float64', 'int8', 'uint8', 'int16', 'uint16', 'int32',
    'uint32', 'int64', 'uint64', 'string', 'wstring'))
_FIELD_TYPE = re.compile(r'^\s*([A-Za-z][\w/]*)')


class UnknownTypeError(LookupError):
    """A message type that is not installed here; the message says what to install."""


@dataclass(frozen=True)
class Definition:
    """Text of a message and of all messages in it ('ros2msg'), and its RIHS01 hash or ''."""

    text: str
    type_hash: str


def message_class(name: str) -> type:
    """Return the class of 'package/msg/Name'. Raises UnknownTypeError."""
    package, kind, short = _split(name)
    try:
        return getattr(importlib.import_module(f'{package}.{kind}'), short)
    except (ImportError, AttributeError) as error:
        raise UnknownTypeError(
            f"the message type '{name}' is not installed here: build or source the package "
            f"'{package}'") from error


def definition(name: str) -> Definition:
    """Return the definition of 'package/msg/Name'. Raises UnknownTypeError."""
    texts, waiting = {}, [name]
    while waiting:
        current = waiting.pop(0)
        if current in texts:
            continue
        texts[current] = _source(current)
        waiting += _used(texts[current], current.partition('/')[0])
    first, *others = texts.items()
    parts = [first[1]] + [
        f'{_SEPARATOR}\nMSG: {other.replace("/msg/", "/")}\n{text}' for other, text in others]
    return Definition('\n'.join(parts), _hash(name))


def _split(name: str) -> tuple[str, str, str]:
    parts = tuple(name.split('/'))
    if len(parts) != 3 or not all(parts):
        raise UnknownTypeError(f"'{name}' is not a message type; expected package/msg/Name")
    return parts


def _path(name: str, ending: str) -> Path:
    package, kind, short = _split(name)
    places = [Path(sys.prefix, 'share', package)]  # the wheels, with nothing sourced
    try:
        places.insert(0, Path(get_package_share_directory(package)))
    except (LookupError, OSError, ValueError):
        pass
    for share in places:
        if (path := share / kind / f'{short}.{ending}').is_file():
            return path
    raise UnknownTypeError(
        f"there is no {short}.{ending} of the message type '{name}' at "
        f"{' nor at '.join(map(str, places))}: build or source the package '{package}'")


def _source(name: str) -> str:
    return _path(name, 'msg').read_text(encoding='utf-8')


def _used(text: str, package: str) -> list[str]:
    """Return the full names of the messages that are fields of a message."""
    found = []
    for line in text.splitlines():
        match = _FIELD_TYPE.match(line.partition('#')[0])
        if match is None or match[1] in _PRIMITIVES:
            continue
        owner, _, short = match[1].rpartition('/')
        found.append(f'{owner.removesuffix("/msg") or package}/msg/{short}')
    return found


def _hash(name: str) -> str:
    """Return the hash that the type's package was generated with; '' before ROS 2 Iron."""
    try:
        described = json.loads(_path(name, 'json').read_text(encoding='utf-8'))
    except (UnknownTypeError, ValueError):
        return ''
    return next((item['hash_string'] for item in described.get('type_hashes', ())
                 if item['type_name'] == name), '')
