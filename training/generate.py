# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
A given range of examples, made on all cores, for training and evaluation in one go.

What people build is a data set of so many good examples, with splits and a card: ``ipt dataset
build``. Here the examples are those of the numbers asked for, whatever becomes of each, so that
evaluations of all checkpoints ask the same.

The work is cut into shards. Each is made in one go by one process and appears on disk complete, so
a run that was stopped goes on where it was, and the data do not depend on the number of workers.
"""

from collections import Counter
from dataclasses import asdict
import json
from pathlib import Path
import time

from ipt_ros.spatial import Question
from ipt_sim import make_simulator
from ipt_training.examples import (
    EVALUATION_SEED,
    ExampleOptions,
    ExampleSource,
    scene_seeds,
)
from ipt_training.store import save_shard, StoreError, SUFFIX, write_json
from ipt_training.workers import finished, start_worker
from tqdm import tqdm

SHARD_SIZE = 200
REPORT = 'dataset.json'

_source: ExampleSource | None = None  # one simulator a worker process


def generate(
    tasks: list[str],
    number: int,
    seed: int,
    out: Path,
    workers: int = 1,
    shard_size: int = SHARD_SIZE,
    backend: str = 'mujoco',
    options: ExampleOptions | None = None,
) -> dict:
    """
    Make examples 0 to ``number`` - 1 of each task and write them below ``out``.

    Shards that exist already are kept. Return the report, which is also written to
    ``dataset.json``. Raise StoreError when ``out`` holds examples made in another way.
    """
    if seed < EVALUATION_SEED <= scene_seeds(seed, number - 1)[-1]:
        raise StoreError(
            f'{number} examples from seed {seed} on would reach into the evaluation scenes (from '
            f'{EVALUATION_SEED} on); use a smaller seed or fewer examples')
    options = options or ExampleOptions()
    recipe = {'seed': seed, 'shard_size': shard_size, 'backend': backend, **_changes(options)}
    report = opened(out, recipe)
    jobs = [
        (task, start, min(start + shard_size, number), _shard(out, task, start // shard_size))
        for task in tasks for start in range(0, number, shard_size)
    ]
    open_jobs = [
        job for job in jobs
        if report['shards'].get(str(job[3].relative_to(out)), {}).get('stop') != job[2]
        or not job[3].exists()
    ]
    with tqdm(total=len(tasks) * number, unit='example', smoothing=0.05) as bar:
        bar.update(bar.total - sum(stop - start for _, start, stop, _ in open_jobs))
        for path, summary in finished(
                _make_shard, open_jobs, workers, _start_worker, (backend, seed, options)):
            report['shards'][str(path.relative_to(out))] = summary
            write_json(out / REPORT, report)
            bar.update(summary['stop'] - summary['start'])
    report['summary'] = summarise(report['shards'])
    write_json(out / REPORT, report)
    return report


def summarise(shards: dict[str, dict]) -> dict:
    """Add up what the shards report: examples, questions a kind, rejections, seconds."""
    total: dict = {'tasks': {}, 'rejections': Counter(), 'seconds': 0.0}
    for shard in shards.values():
        task = total['tasks'].setdefault(
            shard['task'], {'asked_for': 0, 'examples': 0, 'questions': 0, 'kinds': Counter()})
        task['asked_for'] += shard['stop'] - shard['start']
        task['examples'] += shard['examples']
        task['questions'] += shard['questions']
        task['kinds'].update(shard['kinds'])
        total['rejections'].update(shard['rejections'])
        total['seconds'] += shard['seconds']
    return total


def _start_worker(backend: str, seed: int, options: ExampleOptions) -> None:
    """Give a worker process its own simulator."""
    global _source
    start_worker()
    _source = ExampleSource(make_simulator(backend), seed, options)


def _make_shard(task: str, start: int, stop: int, path: Path) -> tuple[Path, dict]:
    began = time.perf_counter()
    _source.rejections.clear()
    examples = [example for index in range(start, stop)
                for example in _source.make_variants(task, index)]
    save_shard(path, examples)
    questions = [question for example in examples for question in example.questions]
    return path, {
        'task': task,
        'start': start,
        'stop': stop,
        'examples': len(examples),
        'questions': len(questions),
        'kinds': Counter(kind for question in questions for kind in _kinds(question)),
        'rejections': dict(_source.rejections),
        'seconds': time.perf_counter() - began,
    }


def _kinds(question: Question) -> list[str]:
    """Return all that should come out about equally often."""
    return [question.subtask, f'answer {question.answer}'] + [
        f'{name} {question.metadata[name]}'
        for name in ('count', 'turn', 'category', 'side', 'direction', 'bin', 'seen')
        if name in question.metadata]


def _changes(options: ExampleOptions) -> dict:
    """Return the options that are not the usual ones, as JSON values, for the recipe."""
    usual, asked = asdict(ExampleOptions()), asdict(options)
    changed = {name: value for name, value in asked.items() if value != usual[name]}
    return {'options': json.loads(json.dumps(changed))} if changed else {}


def _shard(out: Path, task: str, number: int) -> Path:
    return out / task / f'{number:05}{SUFFIX}'


def opened(out: Path, recipe: dict) -> dict:
    """Return the report of a folder that is new or was made by the same recipe."""
    path = out / REPORT
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        return {'recipe': recipe, 'shards': {}}
    report = json.loads(path.read_text())
    if report['recipe'] != recipe:
        raise StoreError(
            f"'{out}' was made with {report['recipe']}, now asked for {recipe}; choose another "
            'folder or delete this one')
    return report
