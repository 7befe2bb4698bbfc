# SPDX-License-Identifier: Apache-2.0
"""
How well a checkpoint answers and imagines, on scenes that it never saw.

``ipt evaluate --checkpoint DIR --tasks pet,mvc --modes answer,imagine --n N --seed S --out DIR``
generates N examples a task from the seed's scenes, asks the first question of each in every mode
through the same loop that a robot uses, and writes ``results.json``:
``{task: {mode: {accuracy, n, ci95: [lo, hi], chance, ...}}}``. Beside chance stands ``blind``: the
best guess from the question alone, which for counting is far above chance.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
import json
from pathlib import Path

import cv2
from ipt_ros.bagel import Bagel, BagelError, reason
from ipt_ros.bagel.images import normalise
from ipt_ros.spatial import Example, extract_answer
from ipt_ros.spatial.errors import SpatialError
from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, THINK_PROMPT
import numpy as np
import torch
from tqdm import tqdm

from .examples import EVALUATION_SEED
from .generate import generate
from .metrics import BlindBaseline, chance, squared_error, wilson_interval
from .pictures import write_grid
from .store import load_examples, StoreError
from .train_encoder import encode_pixels

MODES = ('answer', 'imagine')
TASKS = ('pet', 'mvc')
REFERENCE_EXAMPLES = 300  # training scenes that the mean image and the blind guess are made from
SPARE = 1.1  # some examples cannot be made; ask for a tenth more
SHOWN = 12


def evaluate(checkpoint: str, tasks: Sequence[str], modes: Sequence[str], n: int, seed: int,
             out: Path, workers: int = 2) -> dict:
    """Evaluate a checkpoint and write everything below ``out``; return what results.json holds."""
    out.mkdir(parents=True, exist_ok=True)
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = Bagel.from_checkpoint(checkpoint, device=device)
    results: dict[str, dict] = {}
    for task in tasks:
        examples = make_examples(task, n, seed, out / f'scenes-{seed}', workers)
        reference = make_examples(task, REFERENCE_EXAMPLES, 0, out / 'scenes-reference', workers)
        blind = BlindBaseline([q for example in reference for q in example.questions])
        mean_image = np.mean([e.target for e in reference], axis=0).round().astype(np.uint8)
        results[task] = {}
        for mode in modes:
            runs = [run_example(model, example, mode, seed + index) for index, example in
                    enumerate(tqdm(examples, desc=f'{task} {mode}', mininterval=2.0))]
            results[task][mode] = summarise(model, examples, runs, blind, mean_image)
            if mode == 'imagine':
                show(out, task, examples, runs)
        write_json(out / 'results.json', results)
    return results


def make_examples(task: str, n: int, seed: int, folder: Path, workers: int) -> list[Example]:
    """Generate or read again the first ``n`` examples of a seed. Raises StoreError if too few."""
    generate([task], int(n * SPARE) + 10, seed, folder, workers, shard_size=50)
    examples = list(load_examples(folder, task))[:n]
    if len(examples) < n:
        raise StoreError(f'only {len(examples)} of {n} examples of {task} could be made from seed '
                         f'{seed}; see the reasons in {folder}/dataset.json')
    return examples


def run_example(model: Bagel, example: Example, mode: str, seed: int) -> dict:
    """Ask the first question of an example; return letter, text, and imagined image or None."""
    question = example.questions[0]
    outcome = reason(
        model, system=THINK_PROMPT if mode == 'imagine' else ANSWER_ONLY_PROMPT,
        images=example.images, question=question.text, mode=mode, seed=seed)
    return {
        'letter': extract_answer(outcome.answer_text, question.choices).letter,
        'text': ''.join(outcome.texts),
        'image': outcome.images[-1] if outcome.images else None,
    }


def summarise(model: Bagel, examples: Sequence[Example], runs: Sequence[dict],
              blind: BlindBaseline, mean_image: np.ndarray) -> dict:
    """Return accuracy with its interval, chance and blind guess, and the quality of the images."""
    questions = [example.questions[0] for example in examples]
    right = [run['letter'] == question.answer for run, question in zip(runs, questions)]
    groups = defaultdict(list)
    for question, hit in zip(questions, right):
        groups[question.subtask].append(hit)
    summary = {
        'accuracy': float(np.mean(right)),
        'n': len(right),
        'ci95': list(wilson_interval(sum(right), len(right))),
        'chance': chance(questions),
        'blind': blind.accuracy(questions),
        'unanswered': sum(not run['letter'] for run in runs),
        'subtasks': {name: {'accuracy': float(np.mean(hits)), 'n': len(hits)}
                     for name, hits in sorted(groups.items())},
    }
    pairs = [(run['image'], example) for run, example in zip(runs, examples)
             if run['image'] is not None]
    if pairs:
        summary['imagination'] = imagination_quality(model, pairs, mean_image)
    return summary


def imagination_quality(model: Bagel, pairs: Sequence[tuple[np.ndarray, Example]],
                        mean_image: np.ndarray) -> dict:
    """
    Compare imagined images with the truth, beside two predictors that know nothing.

    Distances are mean squared errors: of pixels (0..1), and of the model's own image features,
    for the imagined image, for the mean target of training, and for a copy of the first input.
    ``nearer_than_mean`` is the share of images that are nearer in features than the mean image.
    """
    rows = defaultdict(list)
    for image, example in pairs:
        truth = example.target
        size = truth.shape[1], truth.shape[0]
        rivals = {
            'imagined': cv2.resize(image, size, interpolation=cv2.INTER_AREA),
            'mean_image': mean_image,
            'first_input': cv2.resize(example.images[0], size, interpolation=cv2.INTER_AREA),
        }
        wanted = image_features(model, truth)
        for name, rival in rivals.items():
            rows[f'pixel_error/{name}'].append(squared_error(rival, truth))
            rows[f'feature_error/{name}'].append(
                float((image_features(model, rival) - wanted).square().mean()))
    report: dict = {'n': len(pairs)}
    for name, values in rows.items():
        kind, rival = name.split('/')
        report.setdefault(kind, {})[rival] = float(np.mean(values))
    nearer = np.array(rows['feature_error/imagined']) < np.array(rows['feature_error/mean_image'])
    report['nearer_than_mean'] = float(nearer.mean())
    return report


@torch.no_grad()
def image_features(model: Bagel, image: np.ndarray) -> torch.Tensor:
    """Return the image encoder's features (patches, width) of a uint8 image."""
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None]
    return encode_pixels(model, normalise(pixels).to(model.device, model.dtype))[0].float()


def show(out: Path, task: str, examples: Sequence[Example], runs: Sequence[dict]) -> None:
    """Write the first examples as pictures: inputs, imagined, true; one file each and a sheet."""
    rows = []
    for index, (example, run) in enumerate(zip(examples[:SHOWN], runs)):
        if run['image'] is None:
            continue
        row = [*example.images, run['image'], example.target]
        rows.append(row)
        write_grid(out / f'{task}_{index:02}.png', [row])
    if rows:
        write_grid(out / f'{task}_first{SHOWN}.png', rows)


def write_json(path: Path, content: dict) -> None:
    """Write JSON that people read too."""
    path.write_text(json.dumps(content, indent=1) + '\n')


def table(results: dict) -> str:
    """Return the results as lines of text."""
    lines = [f'{"task":6}{"mode":10}{"accuracy":>10}{"95 % interval":>18}{"chance":>8}'
             f'{"blind":>8}{"n":>6}']
    for task, modes in results.items():
        for mode, row in modes.items():
            low, high = row['ci95']
            lines.append(f'{task:6}{mode:10}{row["accuracy"]:10.1%}{low:9.1%} -{high:7.1%}'
                         f'{row["chance"]:8.0%}{row["blind"]:8.1%}{row["n"]:6}')
    return '\n'.join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(
        prog='ipt evaluate', description='Measure a checkpoint on unseen simulated scenes.')
    parser.add_argument('--checkpoint', default='checkpoints/ipt-bagel-nano')
    parser.add_argument('--tasks', default=','.join(TASKS), help='names, comma between')
    parser.add_argument('--modes', default=','.join(MODES), help='names, comma between')
    parser.add_argument('--n', type=int, default=300, help='questions a task')
    parser.add_argument('--seed', type=int, default=EVALUATION_SEED,
                        help=f'of the scenes; at least {EVALUATION_SEED}')
    parser.add_argument('--out', type=Path, default=Path('eval_out'))
    parser.add_argument('--workers', type=int, default=2, help='processes that make scenes')
    options = parser.parse_args(arguments)
    tasks, modes = options.tasks.split(','), options.modes.split(',')
    for what, given, known in (('tasks', tasks, TASKS), ('modes', modes, MODES)):
        unknown = sorted(set(given) - set(known))
        if unknown:
            parser.error(f'unknown {what} {unknown}; known: {", ".join(known)}')
    if options.seed < EVALUATION_SEED:
        parser.error(f'seed {options.seed} is below {EVALUATION_SEED}: training may have used its '
                     'scenes')
    if options.n < 1:
        parser.error(f'n is {options.n}; at least one question is needed')
    try:
        results = evaluate(options.checkpoint, tasks, modes, options.n, options.seed, options.out,
                           options.workers)
    except (BagelError, StoreError, SpatialError) as error:
        parser.exit(1, f'ipt evaluate: {error}\n')
    print(table(results))
    print(f'wrote {options.out / "results.json"}')
    return 0


if __name__ == '__main__':
    raise SystemExit(main())
