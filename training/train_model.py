# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The stages of the whole model, on packed samples: letters, answers, then imagination as well.

Every step trains all kinds of samples of its stage ('answer-pet', 'imagine-mvc' ...), each kind in
a batch of its own: samples of one kind are of like length, so little is spent on padding.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from ipt_ros.bagel import Bagel, Batch, Dropout, fast_dtype, ImageSegment, Loss, pack
from ipt_ros.bagel.flops import FlopCount
from ipt_ros.spatial import Question, Task, TASKS
from ipt_ros.spatial.prompts import answer_text
from ipt_ros.spatial.tasks.counting import MAX_COUNT
import numpy as np
import torch
from torch import Tensor

from .data import TaskData
from .listings import listing, map_listing
from .looking import look, read_questions, shown
from .loop import run_stage
from .peak import device_peak
from .places import locate_answer, showing_answer, what_question, where_question
from .recipe import ModelRecipe
from .relations import path_questions, perspective_questions
from .samples import (
    answer_sample,
    drill_sample,
    imagine_sample,
    listing_sample,
    look_sample,
    Material,
    open_form,
    read_sample,
    Segment,
    told_sample,
    with_truth,
)
from .speed import Speed
from .train_maps import turned

# Examples at the end of every task's data that are never trained on, only watched.
HELD_OUT = 64
# Of samples that read a target, how many have another example's images before it.
OTHER_INPUTS = 0.75


def draw_samples(kind: str, data: TaskData, count: int, recipe: ModelRecipe,
                 patch: int, rng: np.random.Generator) -> list[list[Segment]]:
    """Draw ``count`` training samples of a kind, each with up to the recipe's questions."""
    mode, task = kind.split('-')
    samples = []
    trained = max(1, len(data) - HELD_OUT)
    if mode == 'own':
        trained = min(trained, len(data.drawn))
    if mode == 'tell':
        return tell_samples(data, trained, count, rng)
    for index in rng.integers(trained, size=count):
        material = data.material(index)
        if mode == 'locate':
            told = places_told(data, int(index), patch, rng)
            samples.append(told_sample(material, told[:recipe.questions[mode]]))
            continue
        if mode == 'list':
            views = [ImageSegment(image, vae=False) for image in material.images]
            samples.append(listing_sample(views, *listing(task, data, int(index), patch, rng)))
            continue
        if mode == 'look':
            found = shown(task, data, int(index), patch)
            samples.append(look_sample(
                material, *look(task, found, recipe.questions[mode], rng)))
            continue
        asked = material.questions
        if mode == 'answer':
            asked = asked + further_questions(task, material, rng)
        elif mode in ('imagine', 'read') and task != 'pet':
            found = shown(task, data, int(index), patch)
            asked = asked + read_questions(task, found, asked[0], rng)
        if mode in ('imagine', 'read') and task == 'pt':
            asked = asked + from_other_end(asked, rng)
        order = rng.permutation(len(asked))[:recipe.questions[mode]]
        # What else is on that side of a path would be as true: only choices make it one answer.
        open_share = 0.0 if mode == 'drill' or task == 'pt' else recipe.open_share
        questions = [draw_question(asked[i], TASKS[task], open_share, rng) for i in order]
        if mode == 'drill':
            samples += [drill_sample(question) for question in questions]
        elif mode == 'answer':
            samples.append(answer_sample(material, questions))
        elif mode == 'read':
            other = None
            if rng.random() < OTHER_INPUTS:
                other = data.material(int(rng.integers(trained)))
            samples.append(read_sample(material, questions, other))
        elif mode == 'own':
            samples.append(imagine_sample(data.own_material(index), questions, noised_copies=0))
        else:
            samples.append(imagine_sample(material, questions, recipe.noised_copies))
    return samples


def tell_samples(data: TaskData, trained: int, count: int,
                 rng: np.random.Generator) -> list[list[Segment]]:
    """Draw samples that list what is on a map, of the first ``trained`` examples or of none."""
    samples = []
    lone = 0 if data.maps is None else len(data.maps)
    for index in rng.integers(trained + lone, size=count):
        if index < trained:
            pixels, counts = data.targets[index], data.target_counts[index]
        else:
            pixels = data.maps.truth.pixels[index - trained]
            counts = data.maps.counts[index - trained]
        seen = ImageSegment(turned([pixels[None]], rng)[0][0], vae=False)
        samples.append(listing_sample([seen], *map_listing(counts, rng)))
    return samples


def further_questions(task: str, material: Material,
                      rng: np.random.Generator) -> list[Question]:
    """Return questions that the example's truth answers, beyond those that it came with."""
    if task == 'pet':
        return [question for relation in material.relations
                for question in perspective_questions(relation, rng)]
    if task == 'pt':
        return from_other_end(material.questions, rng) + path_questions(material.relations, rng)
    return []


def from_other_end(questions: list[Question], rng: np.random.Generator) -> list[Question]:
    """Return path questions about the same views, for one who comes the other way."""
    task = TASKS['pt']
    turned = [task.from_other_end(question, rng) for question in questions]
    return [replace(question, metadata=question.metadata
                    | {'think': task.think(rng, question.metadata['side'])})
            for question in turned]


def places_told(data: TaskData, index: int, patch: int,
                rng: np.random.Generator) -> list[tuple[str, str]]:
    """Return question and answer about everything that the pictures show, in random order."""
    pictures = data.places(index, patch)
    if len(pictures) == 1:
        told = [(where_question(place.name), locate_answer(place)) for place in pictures[0]]
        cells = list(data.patch_names(index, patch).items())
        told += [(what_question(*cell), name) for cell, name in
                 (cells[i] for i in rng.integers(len(cells), size=len(told) // 2 + 1))]
    else:
        names = sorted({place.name for seen in pictures for place in seen})
        names += [str(name) for name in rng.choice(data.class_names, 2) if name not in names]
        told = [(where_question(name), showing_answer(name, pictures)) for name in names]
    return [told[i] for i in rng.permutation(len(told))]


def draw_question(question: Question, task: Task, open_share: float,
                  rng: np.random.Generator) -> Question:
    """Word a question anew (the truth stays) and, in a share of cases, leave its choices out."""
    question = with_truth(task.reword(question, rng))
    question = replace(
        question, metadata=question.metadata | {'reading': task.reading(question)})
    return open_form(question, task) if rng.random() < open_share else question


def samples_at(step: int, tasks: Mapping[str, TaskData], recipe: ModelRecipe, patch: int,
               seed: int) -> tuple[dict[str, list[list[Segment]]], int]:
    """
    Return the samples of every kind at a step, and the seed of their noise and dropout.

    Nothing but step and seed decides them.
    """
    rng = np.random.default_rng((seed, step))
    noise = int(rng.integers(2**62))
    return {kind: draw_samples(kind, tasks[kind.split('-')[1]], count, recipe, patch, rng)
            for kind, count in recipe.samples.items()}, noise


def batches_at(step: int, model: Bagel, tasks: Mapping[str, TaskData], recipe: ModelRecipe,
               seed: int) -> dict[str, Batch]:
    """Return the batch of every kind at a step, see `samples_at`."""
    samples, noise = samples_at(step, tasks, recipe, model.config.vit.patch_size, seed)
    generator = torch.Generator().manual_seed(noise)
    return {kind: pack(drawn, model.config, model.tokenizer, generator=generator,
                       dropout=Dropout(**recipe.dropout))
            for kind, drawn in samples.items()}


def training_loss(model: Bagel, batch: Batch) -> Loss:
    """Return the losses of a batch, computed in the number format that the device is fast in."""
    dtype = fast_dtype(model.device)
    with torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32):
        return model.loss(batch)


def train_model(name: str, model: Bagel, tasks: Mapping[str, TaskData], recipe: ModelRecipe, *,
                folder: Path, seed: int) -> None:
    """Train ``model`` in place (the VAE stays frozen); resumes from ``folder``."""
    for parameter, value in model.named_parameters():
        if parameter.startswith(tuple(recipe.frozen)):
            value.requires_grad_(False)
    total = sum(recipe.weights.values())
    count_flops, speed = FlopCount(model), Speed(device_peak(model.device).flops)

    def losses_at(step: int) -> dict[str, Tensor]:
        named: dict[str, Tensor] = {'loss': torch.zeros((), device=model.device)}
        batches = batches_at(step, model, tasks, recipe, seed)
        figures = speed.step(*map(sum, zip(*(
            (batch.samples, batch.tokens, count_flops(batch).total)
            for batch in batches.values()))))
        for kind, batch in batches.items():
            loss = training_loss(model, batch.to(model.device))
            part = recipe.ce_weight * loss.ce + recipe.mse_weight * loss.mse
            told = loss.ce
            if not kind.startswith(('list', 'locate', 'tell')):
                letters = letter_places(batch, model)
                told = loss.ce_tokens[letters].mean()  # NaN of none
                found_out = loss.ce_tokens[letters | reading_places(batch, model)]
                part = part + recipe.letter_weight * found_out.mean().nan_to_num()
            part = recipe.weights[kind] / total * part
            part.backward()  # now, so that only one kind's graph is held at a time
            named['loss'] += part.detach()
            named[f'ce_{kind}'] = told.detach()
            if len(batch.noised):
                named[f'mse_{kind}'] = loss.mse.detach()
        return named | {name: torch.tensor(value) for name, value in figures.items()}

    run_stage(name, model, losses_at, steps=recipe.steps, settings=recipe.optimizer,
              folder=folder)


def letter_places(batch: Batch, model: Bagel) -> Tensor:
    """
    Return which labels are answer letters: (C,) bool.

    The same token may begin a thought ("<think>At", "<answer>A"), so the tag must close behind it.
    """
    return _varying_places(batch, model, [answer_text(letter) for letter in 'ABCD'])


def reading_places(batch: Batch, model: Bagel) -> Tensor:
    """Return which labels are numbers that are read off an image before an answer: (C,) bool."""
    return _varying_places(batch, model, [
        f'chair {count}.{answer_text("A")}' for count in range(1, MAX_COUNT + 1)])


def _varying_places(batch: Batch, model: Bagel, texts: list[str]) -> Tensor:
    """Return where the token stands in which texts differ, with the one that follows in all."""
    columns = list(zip(*(model.tokenizer.encode(text) for text in texts)))
    place = next(i for i, tokens in enumerate(columns) if len(set(tokens)) > 1)
    varying = torch.tensor(sorted(set(columns[place])), device=batch.labels.device)
    closes = batch.labels.roll(-1) == columns[place + 1][0]
    return torch.isin(batch.labels, varying) & closes
