# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Ask a checkpoint every question in every mode, keep a record of each, and sum up."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
import platform

from ipt_ros.bagel import Bagel
from ipt_ros.bagel.trial import try_out
from ipt_ros.spatial import Example
from ipt_ros.spatial.imagined import agreement
from ipt_training.store import write_json
import numpy as np
import torch
from tqdm import tqdm

from .baselines import can_judge, Reference, resized
from .images import measure
from .modes import ask_together, can_ask, Options, Reply, shapes
from .objects import targets
from .pictures import write_grid
from .records import (
    fingerprint,
    question_id,
    read_json,
    Record,
    RecordFolder,
    RESULTS,
    RUN,
)
from .sources import DataSource, SceneSource
from .summary import summarise

REFERENCE_SIZE = 300  # examples that the mean image and the blind guess are made from
DTYPES = {'float32': torch.float32, 'bfloat16': torch.bfloat16}
SHOWN = 12
BATCH = 16  # questions at once
PICTURE = 256  # pixels a side, at most, of inputs and true images that are kept to look at
# Far enough apart that no two samples of any two questions share a seed.
_SEED_STEP = 1_000_003


@dataclass(frozen=True)
class Plan:
    """
    What to measure.

    ``data`` is a folder of parquet files (of which ``split`` is used) or a bag, None for scenes
    from ``seed`` on. ``reference`` is data of the training kind. ``samples`` is how often each
    question is imagined anew, for confidence by agreement; accuracy is that of the first. Up to
    ``batch`` questions (or samples) go through the model at once. ``dtype`` is a name of `DTYPES`,
    in which the model computes; None for what it does by itself (float32 on a CPU).
    """

    checkpoint: str
    tasks: Sequence[str]
    modes: Sequence[str]
    n: int
    seed: int
    data: Path | None = None
    split: str = 'test'
    reference: Path | None = None
    reference_size: int = REFERENCE_SIZE
    samples: int = 1
    workers: int = 2
    options: Options = field(default_factory=Options)
    batch: int = BATCH
    dtype: str | None = None

    def settings(self, device: str) -> dict:
        """
        Return all that could change an answer or a score; not how many, nor in which order.

        Nor the batch: what is asked together is answered as if asked alone, to rounding.
        """
        return {
            'checkpoint': str(self.checkpoint),
            'fingerprint': fingerprint(self.checkpoint),
            'data': None if self.data is None else str(self.data),
            'split': None if self.data is None else self.split,
            'seed': self.seed,
            # Without a reference, the examples are each other's.
            'n': self.n if self.data is not None and self.reference is None else None,
            'reference': None if self.reference is None else str(self.reference),
            'reference_size': self.reference_size,
            'samples': self.samples,
            'options': asdict(self.options),
            'device': device,
            'torch': torch.__version__,
            'python': platform.python_version(),
            **({} if self.dtype is None else {'dtype': self.dtype}),
        }


def evaluate(plan: Plan, out: Path, scenes: Path | None = None) -> dict:
    """
    Carry out a plan below ``out``; return what results.json holds.

    Records that are there already, made by the same checkpoint and settings, are used again.
    Simulated scenes are kept below ``scenes``, or ``out``.
    Raises BagelError, StoreError, SpatialError or EvaluationError with what is wrong.
    """
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = Bagel.from_checkpoint(
        plan.checkpoint, device=device, dtype=plan.dtype and DTYPES[plan.dtype])
    try_out(model)
    folder = RecordFolder.opened(out, plan.settings(device))
    run = read_json(out / RUN)
    left_out = run.setdefault('left_out', {})
    results = read_json(out / RESULTS) if (out / RESULTS).exists() else {}
    source = _source(plan, scenes or out)
    for task in plan.tasks:
        examples = source.examples(task, plan.n)
        left_out[task] = dict(source.skipped.most_common())
        write_json(out / RUN, run)
        _say_left_out(task, left_out[task])
        judges = [Judge(model, reference) for reference in source.references(task, examples)]
        for mode in plan.modes:
            records = _records(plan, model, folder, task, mode, examples, judges)
            if not records:
                tqdm.write(f'{task}: no example has what the mode {mode} needs')
                continue
            results.setdefault(task, {})[mode] = summarise(records)
            write_json(out / RESULTS, results)
            _show(out, folder, task, records)
    return results


def _source(plan: Plan, scenes: Path) -> SceneSource | DataSource:
    if plan.data is None:
        return SceneSource(plan.seed, scenes, plan.workers, plan.reference, plan.reference_size)
    return DataSource(plan.data, plan.seed, plan.reference, plan.reference_size, plan.split)


def _say_left_out(task: str, reasons: dict[str, int]) -> None:
    """Print how many examples were left out, by reason; notes, which cost none, as they are."""
    for reason, number in reasons.items():
        if reason.startswith('note:'):
            tqdm.write(f'{task}: {reason} ({number} x)')
        else:
            tqdm.write(f'{task}: left out: {number} x {reason}')


def _records(plan: Plan, model: Bagel, folder: RecordFolder, task: str, mode: str,
             examples: Sequence[Example], judges: Sequence['Judge']) -> list[Record]:
    """Return the records of all examples, in order; make those that are not there yet."""
    known = folder.read(task, mode)
    ids = {index: question_id(example, example.questions[0])
           for index, example in enumerate(examples)
           if can_ask(example, example.questions[0], mode)}
    missing = {identity: index for index, identity in reversed(ids.items())
               if identity not in known}
    times = plan.samples if mode == 'imagine' else 1
    with tqdm(desc=f'{task} {mode}', total=len(ids), initial=len(ids) - len(missing),
              mininterval=2.0) as progress:
        for indices in _batches(sorted(missing.values()), examples, mode,
                                max(1, plan.batch // times)):
            replies = ask_together(
                model, [(examples[index], examples[index].questions[0]) for index in indices],
                mode, [[plan.seed + index + number * _SEED_STEP for number in range(times)]
                       for index in indices], plan.options)
            for index, own in zip(indices, replies):
                record = _record(folder, mode, index, ids[index], examples[index], judges[index],
                                 own)
                folder.add(task, mode, record)
                known[record['id']] = record
                progress.update()
    return [known[identity] for identity in ids.values()]


def _batches(indices: Sequence[int], examples: Sequence[Example], mode: str,
             size: int) -> Iterator[list[int]]:
    """Put together what can be asked together, near to the order given."""
    waiting: dict[Hashable, list[int]] = defaultdict(list)
    for index in indices:
        alike = waiting[shapes(examples[index], mode)]
        alike.append(index)
        if len(alike) == size:
            yield alike.copy()
            alike.clear()
    yield from filter(None, waiting.values())


def _record(folder: RecordFolder, mode: str, index: int, identity: str, example: Example,
            judge: 'Judge', replies: Sequence[Reply]) -> Record:
    question = example.questions[0]
    first = replies[0]
    record = {
        'id': identity,
        'task': example.task,
        'variant': example.variant,
        'subtask': question.subtask,
        'mode': mode,
        'index': index,
        'question': question.text,
        'choices': question.choices,
        'truth': question.answer,
        'letter': first.letter,
        'rule': first.rule,
        'text': first.text,
        'blind': can_judge(question) and judge.reference.blind.right(question),
        'samples': [{'letter': reply.letter, 'probabilities': reply.probabilities}
                    for reply in replies],
        'agreement': _agreement(replies),
        'seconds': {phase: round(taken, 4) for phase, taken in first.seconds.items()},
        'scores': {},
        'objects': {},
        'pictures': {},
    }
    if first.image is not None:
        record['pictures'] = _pictures(folder, example, identity, mode, first.image)
        if example.target is not None:
            record['scores'], record['objects'] = judge.judge(example, index, first.image)
    return record


class Judge:
    """Holds imagined images against the truth, beside images that take no imagination."""

    def __init__(self, model: Bagel, reference: Reference):
        self._model = model
        self.reference = reference

    def judge(self, example: Example, index: int,
              image: np.ndarray) -> tuple[dict[str, dict], dict[str, dict]]:
        """Return the measures and the counts of objects found, each by predictor."""
        images = {'imagined': resized(image, example.target.shape[:2]),
                  **self.reference.predictions(example, index)}
        wanted = targets(example)
        counts = {} if wanted is None else {
            name: wanted.count(candidate)
            for name, candidate in [*images.items(), ('truth', example.target)]}
        return measure(self._model, images, example.target), counts


def _agreement(replies: Sequence[Reply]) -> float | None:
    """Return how far the imagined images of one question agree; None where there is one only."""
    images = [reply.image for reply in replies if reply.image is not None]
    return agreement(images[0], images[1:]) if len(images) > 1 else None


def _pictures(folder: RecordFolder, example: Example, identity: str, mode: str,
              image: np.ndarray) -> dict[str, str]:
    images = {f'input{number}': _small(view) for number, view in enumerate(example.images)}
    if example.target is not None:
        images['truth'] = _small(example.target)
    return folder.save_pictures(f'{example.task}.{mode}/{identity}', images | {'imagined': image})


def _small(image: np.ndarray) -> np.ndarray:
    scale = PICTURE / max(image.shape[:2])
    if scale >= 1:
        return image
    return resized(image, tuple(max(1, round(side * scale)) for side in image.shape[:2]))


def _show(out: Path, folder: RecordFolder, task: str, records: Sequence[Record]) -> None:
    """Write the first questions as pictures: inputs, imagined, true; one file each and a sheet."""
    rows = []
    for number, record in enumerate(records[:SHOWN]):
        if 'truth' in record['pictures']:
            rows.append(list(folder.load_pictures(record).values()))
            write_grid(out / f'{task}_{number:02}.png', [rows[-1]])
    if rows:
        write_grid(out / f'{task}_first{SHOWN}.png', rows)
