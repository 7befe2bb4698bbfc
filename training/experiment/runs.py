# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The pieces that experiments are made of: fine-tune a checkpoint, ask a checkpoint questions."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass, MISSING, replace
from functools import partial
import json
import os
from pathlib import Path
from typing import Any

from ipt_ros.bagel import BagelError
from ipt_ros.spatial.errors import SpatialError
from ipt_training.evaluation.modes import MODES, Options
from ipt_training.evaluation.records import fingerprint, RUN
from ipt_training.evaluation.run import evaluate, Plan
from ipt_training.examples import EVALUATION_SEED
from ipt_training.experiment.pieces import Piece
from ipt_training.finetune.recipe import (
    finetune_recipe,
    FinetuneRecipe,
    load_finetune_recipe,
    WITHOUT_IMAGES,
)
from ipt_training.finetune.train import finetune
from ipt_training.store import write_json
import yaml

RECIPE, CHECKPOINT, WORK, RESULTS = 'recipe.yaml', 'checkpoint', 'work', 'results'
LATENTS = 'latents'  # beside the folders of runs
INDEX, LOG = 'index.json', 'finetune.jsonl'  # what fine-tuning writes into its work folder
NOT_APPLICABLE = 'not_applicable.json'
# Settings that change how long a run takes, and not what comes out.
_INDIFFERENT = ('loading', 'save_seconds')
# How much longer than an answer a question takes about; guesses for the time that is left.
_EFFORT = {'answer': 1.0, 'answer-vae': 1.2, 'imagine': 8.0, 'text-cot': 5.0, 'oracle': 1.4}
_ANSWER_SECONDS, _SAMPLE_SECONDS = 0.05, 0.04


@dataclass(frozen=True)
class Asking:
    """
    Which questions are asked, in which ways.

    ``n``: of each task, in scenes from ``seed`` on. ``reference``: training examples a task that
    the blind guess and the mean image are made from. ``cot_tokens``: room for a thought in words.
    ``samples``: imaginations a question. ``steps``: of the flow, None for the checkpoint's own.
    ``dtype``: what the model computes in, None for what it does by itself.
    """

    n: int = 500
    seed: int = EVALUATION_SEED
    modes: tuple[str, ...] = MODES
    reference: int = 300
    cot_tokens: int = 512
    samples: int = 1
    steps: int | None = None
    dtype: str | None = None

    def plan(self, checkpoint: Path, tasks: Sequence[str], data: Path, reference: Path) -> Plan:
        """Return the evaluation of a checkpoint on the questions in ``data``."""
        return Plan(
            checkpoint=str(checkpoint), tasks=tuple(tasks), modes=self.modes, n=self.n,
            seed=self.seed, data=data, reference=reference, reference_size=self.reference,
            samples=self.samples, workers=1, dtype=self.dtype,
            options=Options(cot_tokens=self.cot_tokens, steps=self.steps))


def run_recipe(folder: Path, settings: Mapping, mode: str, seed: int, start: Path,
               data: Sequence[Path]) -> FinetuneRecipe:
    """
    Return the fine-tuning of a run in its folder.

    Runs side by side share one cache of latents, if there is to be any. Raises RecipeError for odd
    settings.
    """
    loading = settings.get('loading', {})
    if loading.get('latent_cache_gib') and not loading.get('latent_cache'):
        settings = {**settings, 'loading': {**loading, 'latent_cache': str(
            folder.parent / LATENTS)}}
    return finetune_recipe({
        **settings, 'name': folder.name, 'mode': mode, 'seed': seed, 'start': str(start),
        'checkpoint': str(folder / CHECKPOINT), 'work_dir': str(folder / WORK),
        'data': {**settings.get('data', {}), 'paths': [str(path) for path in data]},
    }, f'training of {folder.name}')


def training(folder: Path, recipe: FinetuneRecipe, device: str = 'cpu') -> Piece:
    """Return the piece that trains a checkpoint into ``folder``/checkpoint."""
    values = json.loads(json.dumps(asdict(recipe)))
    decides = {name: value for name, value in _chosen(recipe).items()
               if name not in _INDIFFERENT}
    samples = recipe.accumulate * max(recipe.packing.batch_samples, 1)
    return Piece(
        'train', folder, _train, (folder, values, device),
        units=recipe.steps, count=partial(steps_done, folder),
        settings=decides | {'start': fingerprint(recipe.start)},
        pace=f'train {recipe.mode}',
        effort=_SAMPLE_SECONDS * samples * (3 if recipe.mode in ('ipt', 'mixed') else 1))


def asking(folder: Path, plan: Plan, needs: Sequence[str] = (), step: str = 'evaluate',
           out: str = RESULTS) -> Piece:
    """Return the piece that asks a checkpoint all questions into ``folder``/``out``."""
    units = plan.n * len(plan.tasks) * sum(_EFFORT[mode] for mode in plan.modes)
    settings = {'tasks': plan.tasks, 'modes': plan.modes, 'n': plan.n, **plan.settings('')}
    if needs:  # the checkpoint is not there yet; the piece that makes it says what it is
        settings.pop('fingerprint')
    return Piece(
        step, folder, _ask, (plan, folder / out), units=units,
        count=partial(_asked, folder / out), settings=settings, needs=tuple(needs),
        pace='evaluate', effort=_ANSWER_SECONDS, may_change=True)


def steps_done(folder: Path) -> int:
    """Return how many steps a run has logged."""
    line = _last_line(folder / WORK / LOG)
    try:
        return int(json.loads(line)['step'])
    except (ValueError, KeyError, TypeError):
        return 0


def not_applicable(out: Path) -> dict[str, str]:
    """Return why a checkpoint could not be asked in some modes, by mode."""
    path = out / NOT_APPLICABLE
    return json.loads(path.read_text(encoding='utf-8')) if path.exists() else {}


def _chosen(settings: Any) -> dict:
    """
    Return the settings that are not the usual ones, nested.

    A program that has learned a new setting, and by itself does as before, still knows its runs.
    """
    chosen = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        usual = item.default if item.default_factory is MISSING else item.default_factory()
        if is_dataclass(value):
            if nested := _chosen(value):
                chosen[item.name] = nested
        elif value != usual:
            chosen[item.name] = value
    return chosen


def _train(folder: Path, values: Mapping, device: str) -> None:
    path = folder / RECIPE
    if values['mode'] in WITHOUT_IMAGES:  # which a recipe of such a mode must not weigh
        values = {name: value for name, value in values.items() if name != 'mse_weight'}
    path.write_text(yaml.safe_dump(values, sort_keys=False), encoding='utf-8')
    finetune(load_finetune_recipe(path), device)


def _ask(plan: Plan, out: Path) -> None:
    reasons = {}
    try:
        evaluate(plan, out)
    except (BagelError, SpatialError):
        # A mode that this checkpoint cannot be asked in is a result, too; records are kept.
        for mode in plan.modes:
            try:
                evaluate(replace(plan, modes=(mode,)), out)
            except (BagelError, SpatialError) as error:
                reasons[mode] = str(error)
        if len(reasons) == len(plan.modes):
            raise
    write_json(out / NOT_APPLICABLE, reasons)


def _asked(out: Path) -> float:
    """Return how much of the asking is done, in answers' worth."""
    try:
        key = json.loads((out / RUN).read_text(encoding='utf-8'))['records']
    except (OSError, ValueError, KeyError):
        return 0.0
    total = 0.0
    for path in (out / key).glob('*.jsonl'):
        mode = path.stem.split('.', 1)[1]
        with path.open('rb') as file:
            total += _EFFORT.get(mode, 1.0) * sum(1 for _ in file)
    return total


def _last_line(path: Path) -> str:
    """Return the last whole line of a file, '' for none, without reading all of it."""
    try:
        with path.open('rb') as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 4096))
            lines = file.read().decode('utf-8', 'replace').split('\n')
    except FileNotFoundError:
        return ''
    return lines[-2] if len(lines) > 1 else ''
