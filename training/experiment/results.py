# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""All numbers of the experiment as plain JSON values, of as many runs as are done."""

from itertools import combinations
import json
from pathlib import Path

from ipt_training.evaluation.errors import EvaluationError
from ipt_training.experiment.pieces import Piece
from ipt_training.experiment.plan import BASE, data_folder, pieces_of, Run, runs_of
from ipt_training.experiment.recipe import ExperimentRecipe
from ipt_training.experiment.runs import not_applicable, RESULTS
from ipt_training.experiment.scores import BySeed, compare, images, read_records, score
from ipt_training.experiment.states import shown, state_of
from ipt_training.experiment.words import adjusted
import yaml

PAPER = Path(__file__).with_name('paper.yaml')
# In which ways a model answers with and without thinking first; the paper reports the better one.
SHORT = ('answer', 'answer-vae')
FREE = {BASE: ('imagine',), 'label-only': (), 'text-cot': ('text-cot',), 'ipt': ('imagine',),
        'mixed': ('imagine',)}
# What its own kinds of thought bring: asked both ways, the same model.
WITHIN = (('text-cot', 'answer', 'text-cot'), ('ipt', 'answer-vae', 'imagine'),
          ('mixed', 'answer-vae', 'imagine'), ('ipt', 'imagine', 'oracle'),
          ('mixed', 'imagine', 'oracle'))


def collect(recipe: ExperimentRecipe) -> dict:
    """
    Return what is known by now.

    ``runs``: how far each is. ``scores``: {task: {trained: {asked: `score`}}}, of modes in which
    every finished seed was asked all questions. ``images`` likewise. ``between``, ``within``:
    comparisons with p and p_holm.
    """
    runs = list(runs_of(recipe))
    pieces = {piece.name: piece for piece in pieces_of(recipe)}
    found = {run.folder.name: _state(run, pieces) for run in runs}
    cells = _cells(recipe, runs)
    scores: dict = {}
    pictures: dict = {}
    for (task, trained, asked), by_seed in cells.items():
        try:
            scores.setdefault(task, {}).setdefault(trained, {})[asked] = score(by_seed)
        except EvaluationError:
            continue
        drawn = images(by_seed) if asked == 'imagine' else {}
        if drawn:
            pictures.setdefault(task, {})[trained] = drawn
    return {
        'source': load_paper()['source'],
        'start': shown(recipe.start),
        'steps': recipe.training['steps'],
        'samples_a_step': _samples_a_step(recipe),
        'data': _about_data(recipe),
        'questions': recipe.asking.n,
        'seed': recipe.asking.seed,
        'runs': found,
        'scores': scores,
        'better': {task: {trained: better(trained, asked) for trained, asked in by_mode.items()}
                   for task, by_mode in scores.items()},
        'images': pictures,
        'between': _between(recipe, scores, cells),
        'within': _within(recipe, cells),
    }


def load_paper() -> dict:
    """Return what the paper reports."""
    return yaml.safe_load(PAPER.read_text(encoding='utf-8'))


def better(trained: str, asked: dict) -> str:
    """Return the way of asking whose accuracy the paper would report, '' for none yet."""
    ways = [way for way in (*SHORT, *FREE[trained]) if way in asked]
    return max(ways, key=lambda way: asked[way]['accuracy'], default='')


def _cells(recipe: ExperimentRecipe, runs: list[Run]) -> dict[tuple[str, str, str], BySeed]:
    """Return the records by task, mode of training, way of asking, and seed."""
    cells: dict = {}
    for task in recipe.tasks:
        for run in runs:
            for asked in recipe.asking.modes:
                records = read_records(run.folder / RESULTS, task, asked, recipe.asking.n)
                if records:
                    cells.setdefault((task, run.mode, asked), {})[run.seed] = records
    return cells


def _state(run: Run, pieces: dict[str, Piece]) -> dict:
    """Return how far a run is, and which questions could not be asked."""
    asking = pieces[f'evaluate {run.folder.name}']
    return {'mode': run.mode, 'seed': run.seed,
            **state_of(pieces.get(f'train {run.folder.name}'), [asking]),
            'not_applicable': not_applicable(run.folder / RESULTS)}


def _samples_a_step(recipe: ExperimentRecipe) -> int:
    packing = recipe.training.get('packing', {})
    return packing.get('batch_samples', 0) * recipe.training.get('accumulate', 1)


def _about_data(recipe: ExperimentRecipe) -> dict:
    card = data_folder(recipe) / 'dataset.json'
    if not card.exists():
        return {'folder': data_folder(recipe).name,
                'examples': None if recipe.data.folder else recipe.data.examples}
    content = json.loads(card.read_text(encoding='utf-8'))
    return {'folder': data_folder(recipe).name, 'examples': content.get('recipe', {}).get('n'),
            'seed': content.get('recipe', {}).get('source', {}).get('seed')}


def _between(recipe: ExperimentRecipe, scores: dict, cells: dict) -> list[dict]:
    """Compare every two modes of training, each asked in its better way."""
    rows = []
    for task in recipe.tasks:
        for first, second in combinations(recipe.modes, 2):
            ways = [better(mode, scores.get(task, {}).get(mode, {})) for mode in (first, second)]
            if all(ways):
                rows.append({'task': task, 'first': first, 'second': second, 'asked': ways,
                             **compare(cells[task, first, ways[0]], cells[task, second, ways[1]])})
    return adjusted(rows)


def _within(recipe: ExperimentRecipe, cells: dict) -> list[dict]:
    """Compare ways of asking the same checkpoints."""
    rows = []
    for task in recipe.tasks:
        for trained, first, second in WITHIN:
            keys = (task, trained, first), (task, trained, second)
            if all(key in cells for key in keys):
                rows.append({'task': task, 'trained': trained, 'first': first, 'second': second,
                             **compare(cells[keys[0]], cells[keys[1]])})
    return adjusted(rows)
