# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Make a bag readable whose recorder was killed, and tell what is in a bag."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
import re
from typing import Any

from ipt_ros.bags.errors import BagError, storage_error
from ipt_ros.bags.files import EmptyFileError, Facts, read_facts, read_summary, Unfinished
from ipt_ros.bags.metadata import (
    BagSummary,
    combine,
    METADATA,
    usual_distro,
    write_metadata,
)
from mcap.summary import Summary
from rosbags.rosbag2 import Reader
import yaml

_ENCODING = 'cdr'  # of messages of ROS 2, and its forms of definitions
_SCHEMAS = ('', 'ros2msg', 'ros2idl', 'omgidl')


@dataclass(frozen=True)
class Repair:
    """
    What a repair came to.

    bag: what is in it. finished: names of files that had no index. cut: bytes of torn records.
    damaged: chunks that fail their checksum. empty: names of files without a whole message.
    changed: whether anything was written at all.
    """

    bag: BagSummary
    finished: tuple[str, ...] = ()
    cut: int = 0
    damaged: int = 0
    empty: tuple[str, ...] = ()
    changed: bool = False


def repair(folder: Path, force: bool = False) -> Repair:
    """
    Finish the files of a bag that need it and write its metadata.yaml; a whole bag stays as it is.

    What an older metadata.yaml or the recorder said of the bag is kept. Nothing is written before
    all files were looked through. force: see `ipt_ros.bags.files.Unfinished`. Raises BagError
    where nothing can be saved, where the bag is none of ROS 2, is still being recorded or cannot
    be written to.
    """
    with ExitStack() as stack:
        files: list[tuple[Path, Summary, Facts]] = []
        torn: list[tuple[Path, Unfinished]] = []
        empty = []
        for path in _files(folder):
            if (summary := read_summary(path)) is not None:
                files.append((path, summary, read_facts(path, summary)))
                continue
            try:
                file = stack.enter_context(Unfinished(path, force))
            except EmptyFileError:
                empty.append(path.name)
                continue
            torn.append((path, file))
            files.append((path, file.summary, file.facts))
        for path, summary, facts in files:
            _check(path, summary, facts)
        said = _said(folder, [facts for _, _, facts in files])
        bag = _completed(combine([(path, summary) for path, summary, _ in files]), said,
                         _is_packed(folder, [facts for _, _, facts in files]))
        changed = bool(torn) or not _is_described(folder, bag)
        if changed:
            _check_complete(folder, bag, empty)
        for _, file in torn:
            file.finish()
    if changed:
        try:
            write_metadata(folder, bag)
        except OSError as error:
            raise storage_error(error, folder) from error
        _check_readable(folder, bag)
    return Repair(bag, tuple(path.name for path, _ in torn), sum(file.cut for _, file in torn),
                  sum(file.damaged for _, file in torn), tuple(empty), changed)


def inspect(folder: Path) -> BagSummary:
    """Return what is in a bag. Raises BagError where it is none or has to be repaired first."""
    summaries = []
    for path in _files(folder):
        if (summary := read_summary(path)) is None:
            raise BagError(f"'{path}' was not finished; run: ipt bag repair '{folder}'")
        summaries.append((path, summary))
    return combine(summaries)


def _files(folder: Path) -> list[Path]:
    """Return the MCAP files of a bag in the order in which they were written."""
    if not folder.is_dir():
        raise BagError(f"'{folder}' is not a folder; a bag is the folder around its .mcap files")
    packed = sorted(path.name for path in folder.glob('*.mcap.zstd')
                    if not path.with_suffix('').exists())
    if packed:
        raise BagError(
            f"'{folder}' holds files that are compressed as a whole ({', '.join(packed)}); unpack "
            'them first: zstd -d FILE.mcap.zstd -o FILE.mcap')
    paths = list(folder.glob('*.mcap'))
    if not paths and list(folder.glob('*.db3')):
        raise BagError(
            f"'{folder}' is a bag of SQLite files (.db3), and only MCAP is read here. Where its "
            f"metadata.yaml is missing, run: ros2 bag reindex -s sqlite3 '{folder}'")
    if not paths:
        other = ', '.join(sorted(item.name for item in folder.iterdir())[:5]) or 'nothing'
        raise BagError(f"no .mcap file in '{folder}'; it holds {other}")
    return sorted(paths, key=_number)


def _number(path: Path) -> tuple[int, str]:
    found = re.search(r'_(\d+)$', path.stem)
    return (int(found[1]) if found else 0, path.name)


def _check(path: Path, summary: Summary, facts: Facts) -> None:
    """Raise BagError for a file that is no recording of ROS 2."""
    why = ''
    for channel in summary.channels.values():
        schema = summary.schemas.get(channel.schema_id)
        if channel.message_encoding != _ENCODING:
            why = (f"messages of '{channel.topic}' are encoded as '{channel.message_encoding}', "
                   f"expected '{_ENCODING}'")
        elif schema is None:
            why = f"'{channel.topic}' has no message type"
        elif schema.encoding not in _SCHEMAS:
            why = (f"the type of '{channel.topic}' is defined as '{schema.encoding}', expected "
                   "'ros2msg' or 'ros2idl'")
        if why:
            break
    if not why and facts.profile != 'ros2':
        why = f"its profile is '{facts.profile}', expected 'ros2'"
    if not why and 'other' in facts.forms:
        why = 'its messages are neither CDR nor compressed with zstd'
    if why:
        raise BagError(f"'{path}' is no recording of ROS 2 that can be repaired: {why}. Nothing "
                       'was changed')


def _is_packed(folder: Path, facts: Sequence[Facts]) -> bool:
    """Tell whether messages are compressed one by one, which all are or none."""
    forms = set().union(*(item.forms for item in facts))
    if len(forms) > 1:
        raise BagError(f"some messages in '{folder}' are compressed with zstd and some are not, "
                       'which no bag can say. Nothing was changed')
    return forms == {'zstd'}


def _said(folder: Path, facts: Sequence[Facts]) -> dict[str, Any]:
    """Return what is known of a bag: by metadata.yaml, else by its recorder; {} for nothing."""
    texts = [item.recorder for item in reversed(facts)]
    try:
        texts.insert(0, (folder / METADATA).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        pass  # it is missing or torn
    for text in texts:
        try:
            found = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        if isinstance(found, dict):
            found = found.get('rosbag2_bagfile_information', found)
        if isinstance(found, dict) and 'version' in found:
            return found
    return {}


def _completed(bag: BagSummary, said: dict[str, Any], packed: bool) -> BagSummary:
    """Add to what files hold what was said of them."""
    hashes = {}
    for topic in _items(said.get('topics_with_message_count')):
        known = topic.get('topic_metadata')
        if isinstance(known, dict):
            hashes[known.get('name'), known.get('type')] = known.get('type_description_hash')
    custom = said.get('custom_data')
    return replace(
        bag, packed=packed, distro=str(said.get('ros_distro') or usual_distro()),
        custom=custom if isinstance(custom, dict) and custom else None,
        topics=tuple(replace(topic, type_hash=topic.type_hash or str(
            hashes.get((topic.name, topic.type)) or '')) for topic in bag.topics))


def _items(values: Any) -> list[dict]:
    return [item for item in values if isinstance(item, dict)] if isinstance(values, list) else []


def _is_described(folder: Path, bag: BagSummary) -> bool:
    """Tell whether metadata.yaml is there and says what the files say."""
    try:
        text = (folder / METADATA).read_text(encoding='utf-8')
        said = yaml.safe_load(text)['rosbag2_bagfile_information']
        mode = str(said.get('compression_mode') or 'none').lower()
        # A recorder also names files into which it wrote nothing.
        names = [PurePath(name).name for name in said['relative_file_paths']]
        filled = [name for name, *_ in bag.files]
        return (said['message_count'] == bag.count
                and mode == ('message' if bag.packed else 'none')
                and [name for name in names if name in filled] == filled
                and all((folder / name).exists() for name in names))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError):
        return False


def _check_complete(folder: Path, bag: BagSummary, empty: Sequence[str]) -> None:
    """Raise BagError where what would be written is not the bag."""
    if not bag.count:
        raise BagError(
            f"nothing can be saved from '{folder}': no file has a whole message in it "
            f"({', '.join(empty) or 'nothing was recorded'})")
    other = sorted(path.name for path in folder.glob('*.db3'))
    if other:
        raise BagError(
            f"'{folder}' holds MCAP and SQLite files ({', '.join(other)}), which are not one bag; "
            'put them into folders of their own. Nothing was changed')


def _check_readable(folder: Path, bag: BagSummary) -> None:
    """Raise BagError where a bag that was written cannot be read all the same."""
    try:
        with Reader(folder) as reader:
            found = any(True for _ in reader.messages(reader.connections))
            count = reader.message_count if found else 0
    except Exception as error:  # its errors have no common base
        raise BagError(f"'{folder}' has an index and metadata.yaml now, but cannot be read: "
                       f'{error}') from error
    if count != bag.count:
        raise BagError(f"'{folder}' has an index and metadata.yaml now, but only {count} of "
                       f'{bag.count} messages can be read')
