# SPDX-License-Identifier: Apache-2.0
"""Make a bag readable whose recorder was killed, and tell what is in a bag."""

from dataclasses import dataclass
from pathlib import Path
import re

from ipt_ros.bags.errors import BagError, storage_error
from ipt_ros.bags.files import EmptyFileError, finish, read_summary
from ipt_ros.bags.metadata import BagSummary, combine, METADATA, write_metadata
import yaml


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

    force: see `ipt_ros.bags.files.finish`. Raises BagError where nothing can be saved, where the
    bag is still being recorded or cannot be written to.
    """
    summaries, finished, empty, cut, damaged = [], [], [], 0, 0
    for path in _files(folder):
        if (summary := read_summary(path)) is None:
            try:
                done = finish(path, force)
            except EmptyFileError:
                empty.append(path.name)
                continue
            summary, cut, damaged = done.summary, cut + done.cut, damaged + done.damaged
            finished.append(path.name)
        summaries.append((path, summary))
    if not summaries:
        raise BagError(
            f"nothing can be saved from '{folder}': no file has a whole message in it "
            f"({', '.join(empty)})")
    bag = combine(summaries)
    changed = bool(finished) or not _is_described(folder, bag)
    if changed:
        try:
            write_metadata(folder, bag)
        except OSError as error:
            raise storage_error(error, folder) from error
    return Repair(bag, tuple(finished), cut, damaged, tuple(empty), changed)


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
    paths = list(folder.glob('*.mcap'))
    if not paths:
        other = ', '.join(sorted(item.name for item in folder.iterdir())[:5]) or 'nothing'
        raise BagError(f"no .mcap file in '{folder}'; it holds {other}")
    return sorted(paths, key=_number)


def _number(path: Path) -> tuple[int, str]:
    found = re.search(r'_(\d+)$', path.stem)
    return (int(found[1]) if found else 0, path.name)


def _is_described(folder: Path, bag: BagSummary) -> bool:
    """Tell whether metadata.yaml is there and says what the files say."""
    try:
        text = (folder / METADATA).read_text(encoding='utf-8')
        said = yaml.safe_load(text)['rosbag2_bagfile_information']
        return (said['message_count'] == bag.count
                and said['relative_file_paths'] == [name for name, *_ in bag.files])
    except (OSError, ValueError, KeyError, TypeError, yaml.YAMLError):
        return False
