# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
One record a question and mode, on disk as lines of JSON, with the pictures beside them.

A results folder holds ``run.json`` (how the records were made and where they are),
``results.json`` (what follows from them) and one folder ``records-<key>`` for each way it was ever
used; the key stands for everything that could change an answer. So a run that was stopped goes on,
and records of another checkpoint, other scenes or other settings are never mixed in, nor lost.
"""

from collections.abc import Iterable
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ipt_ros.bagel.adapter import is_adapter
from ipt_ros.bagel.source import find, RECOMMENDED
from ipt_ros.pictures import png
from ipt_ros.spatial import Example, Question
from ipt_training.decoding import decode_picture, PictureError
from ipt_training.files_below import file_below, ForeignFileError
from ipt_training.store import write_json
import numpy as np

from .errors import EvaluationError

RUN, RESULTS = 'run.json', 'results.json'
Record = dict[str, Any]
_EDGE = 1 << 20  # bytes at both ends of a weight file that tell it from another one


def question_id(example: Example, question: Question) -> str:
    """Return an id that is the same wherever and whenever the same question is asked."""
    digest = hashlib.sha256()
    for image in example.images:
        digest.update(str(image.shape).encode() + np.ascontiguousarray(image).tobytes())
    digest.update(json.dumps([example.task, question.text, question.choices]).encode())
    return digest.hexdigest()[:16]


def fingerprint(checkpoint: str | os.PathLike) -> str:
    """
    Return what tells this checkpoint from another one without reading all of it.

    The first and last megabyte of each weight file, and all of the small files; of an adapter, its
    base's as well. A hub id, which is no folder here, stands for itself. Raises BagelError for an
    adapter without its base.
    """
    folder = Path(checkpoint)
    if not folder.is_dir():
        return str(checkpoint)
    digest = hashlib.sha256()
    if is_adapter(folder):
        digest.update(fingerprint(find(folder).folder).encode())
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        if path.name == RECOMMENDED:  # follows from an evaluation, and changes no answer
            continue
        size = path.stat().st_size
        digest.update(f'{path.name} {size}\n'.encode())
        with path.open('rb') as stream:
            digest.update(stream.read(_EDGE))
            stream.seek(max(0, size - _EDGE))
            digest.update(stream.read(_EDGE))
    return digest.hexdigest()[:16]


class RecordFolder:
    """The records of one run."""

    def __init__(self, folder: Path):
        """Use a folder ``records-<key>``; it is made when the first record is added."""
        self.path = folder

    @classmethod
    def opened(cls, out: Path, settings: dict) -> 'RecordFolder':
        """
        Return the records in ``out`` made with these settings; write run.json.

        Results of other settings are removed first: a stop in between must not leave them under
        the new name. They are made again of their records. Of the same settings, what else
        run.json says stays. Raises EvaluationError where the
        folder is that of something else.
        """
        key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:8]
        name = f'records-{key}'
        out.mkdir(parents=True, exist_ok=True)
        before = read_json(out / RUN) if (out / RUN).exists() else {}
        if before and 'records' not in before:
            raise EvaluationError(f"'{out}' is the folder of something else, such as the work_dir "
                                  'of ipt train: its run.json names no records; give another '
                                  'folder')
        if before.get('records') != name:
            (out / RESULTS).unlink(missing_ok=True)
            before = {}
        write_json(out / RUN, before | {'records': name, 'settings': settings})
        return cls(out / name)

    @classmethod
    def of(cls, out: Path) -> 'RecordFolder':
        """Return the records of the last run into ``out``. Raises EvaluationError."""
        run = read_json(out / RUN)
        if 'records' not in run:
            raise EvaluationError(
                f"'{out / RUN}' has no 'records'; expected the file of this name that ipt "
                'evaluate writes (ipt train writes one, too): give a folder that ipt evaluate '
                'wrote')
        name = str(run['records'])
        if name in ('', '.', '..') or '/' in name or '\0' in name:
            raise EvaluationError(f"'{out / RUN}' names {name!r} as its records, which is no "
                                  'folder beside it; run ipt evaluate again')
        return cls(out / name)

    def pairs(self) -> list[tuple[str, str]]:
        """Return the (task, mode) pairs that there are records of."""
        return sorted(tuple(path.stem.split('.', 1)) for path in self.path.glob('*.jsonl'))

    def read(self, task: str, mode: str) -> dict[str, Record]:
        """
        Return the records of a task and mode by question id.

        A last line that was cut off, as by a kill, is left out and will be made again. Raises
        EvaluationError for any other damage.
        """
        path = self._file(task, mode)
        if not path.exists():
            return {}
        *lines, rest = path.read_text(encoding='utf-8').split('\n')
        found = {}
        for number, line in enumerate(lines, start=1):
            try:
                record = json.loads(line)
                found[record['id']] = record
            except (ValueError, KeyError, TypeError) as error:
                raise EvaluationError(f"line {number} of '{path}' is no record ({error}); delete "
                                      'the line, and it will be made again') from error
        if rest:
            path.write_text(''.join(line + '\n' for line in lines), encoding='utf-8')
        return found

    def add(self, task: str, mode: str, record: Record) -> None:
        """Append a record; it is on disk when this returns."""
        self.path.mkdir(parents=True, exist_ok=True)
        with self._file(task, mode).open('a', encoding='utf-8') as stream:
            stream.write(json.dumps(record, allow_nan=False) + '\n')

    def save_pictures(self, where: str, images: dict[str, np.ndarray]) -> dict[str, str]:
        """Write pictures below pictures/``where``; return their paths in this folder by name."""
        folder = self.path / 'pictures' / where
        folder.mkdir(parents=True, exist_ok=True)
        for name, image in images.items():
            (folder / f'{name}.png').write_bytes(png(image))
        return {name: f'pictures/{where}/{name}.png' for name in images}

    def load_pictures(self, record: Record) -> dict[str, np.ndarray]:
        """Return a record's pictures, uint8 RGB: inputs, then imagined, then truth."""
        found = {}
        for name in sorted(record['pictures'], key=_order):
            where = record['pictures'][name]
            try:
                found[name] = decode_picture(file_below(self.path, where).read_bytes())
            except (ForeignFileError, PictureError, OSError) as error:
                raise EvaluationError(
                    f"cannot read the picture {where!r} of '{self.path}': {error}; delete the "
                    'folder and run ipt evaluate again') from error
        return found

    def _file(self, task: str, mode: str) -> Path:
        return self.path / f'{task}.{mode}.jsonl'


def _order(name: str) -> tuple[int, str]:
    return ('input', 'imagined', 'truth').index(name.rstrip('0123456789')), name


def judged(records: Iterable[Record]) -> list[Record]:
    """Return the records of questions whose answer is known."""
    return [record for record in records if record['truth']]


def right(records: Iterable[Record]) -> list[bool]:
    """Return for each record whether its answer is the truth."""
    return [record['letter'] == record['truth'] for record in records]


def read_json(path: Path) -> dict:
    """Read a JSON object. Raises EvaluationError."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise EvaluationError(f"no '{path}'; give a folder that ipt evaluate wrote") from None
    except (OSError, ValueError) as error:
        raise EvaluationError(f"cannot read '{path}': {error}; run ipt evaluate again") from error
    if not isinstance(content, dict):
        raise EvaluationError(f"'{path}' holds no JSON object; run ipt evaluate again")
    return content
