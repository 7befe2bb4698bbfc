# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A piece of work: done once, gone on with where it was stopped.

In its folder ``STEP.json`` says with which settings it was begun and whether it is finished, and
``STEP.log`` what it said. How it goes on is the work's own business: training and evaluation both
keep what they have.
"""

from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
import json
from pathlib import Path
import time
import traceback

from ipt_ros.machine import processor
from ipt_training.experiment.errors import ExperimentError
from ipt_training.store import write_json


@dataclass(frozen=True)
class Piece:
    """
    What is done, in which folder, after which others (by name).

    ``step``: what kind of work it is, once a folder. ``work(*arguments)`` does it; both travel to
    another process. ``count()`` returns how many of its ``units`` are done. ``pace``: pieces with
    the same one need about the same time a unit; ``effort`` guesses it (s) until one was measured.
    ``settings``, as JSON values, decide what comes out; with other ones it is done again if it
    ``may_change``, which is for work that never mixes old and new, and refused otherwise.
    """

    step: str
    folder: Path
    work: Callable[..., None]
    arguments: tuple
    units: float
    count: Callable[[], float]
    settings: Mapping = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    pace: str = ''
    effort: float = 1.0
    may_change: bool = False

    @property
    def name(self) -> str:
        """Return what to call it."""
        return f'{self.step} {self.folder.name}'

    @property
    def log(self) -> Path:
        """Return the file with all that it says."""
        return self.folder / f'{self.step}.log'

    @property
    def mark(self) -> Path:
        """Return the file that says how far it is."""
        return self.folder / f'{self.step}.json'

    def finished(self) -> bool:
        """
        Tell whether it is done.

        Raises ExperimentError where the folder was begun with other settings and must not change.
        """
        changed = self.changed()
        if changed and not self.may_change:
            raise ExperimentError(
                f"'{self.folder}' was begun with other settings ({'; '.join(changed):.600}); give "
                'another work_dir, or delete that folder to begin it anew')
        return bool((self.state() or {}).get('finished')) and not changed

    def changed(self) -> list[str]:
        """Return how the settings with which it was begun differ from what is asked now."""
        there = self.state()
        if there is None:
            return []
        asked, was = json.loads(json.dumps(dict(self.settings))), there['settings']
        return [f'{name}: {was.get(name)!r} there, {asked.get(name)!r} now'
                for name in sorted({*asked, *was}) if asked.get(name) != was.get(name)]

    def state(self) -> dict | None:
        """Return what the mark says, None before the piece was begun."""
        try:
            return json.loads(self.mark.read_text(encoding='utf-8'))
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise ExperimentError(f"'{self.mark}' is damaged ({error}); delete it, and the piece "
                                  'goes on where it was') from error


def do(piece: Piece) -> str:
    """Do a piece, or the rest of it; return '' or why it failed."""
    piece.folder.mkdir(parents=True, exist_ok=True)
    mark = {'settings': dict(piece.settings), 'finished': False, 'machine': processor()}
    with piece.log.open('a', encoding='utf-8') as log, redirect_stdout(log), redirect_stderr(log):
        print(f'--- {time.strftime("%Y-%m-%d %H:%M:%S")} {piece.name}', flush=True)
        try:
            before = (piece.state() or {}).get('seconds', 0.0)
            write_json(piece.mark, mark)
            began = time.monotonic()
            piece.work(*piece.arguments)
        except Exception as error:  # whatever it is, the other pieces go on
            traceback.print_exc()
            return f'{type(error).__name__}: {error}'
        # What an interrupted go took is not known.
        seconds = round(before + time.monotonic() - began, 1)
        write_json(piece.mark, mark | {'finished': True, 'seconds': seconds})
    return ''
