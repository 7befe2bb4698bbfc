# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What making a checkpoint from scratch would do: stages, sizes, memory, first batches."""

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
import tempfile

from ipt_ros.bagel import Bagel, BagelConfig, fast_dtype, Tokenizer, Vae
from ipt_ros.bagel.flops import FlopCount
from ipt_training.data import stack_examples, TaskData
from ipt_training.memory import adamw_memory, GIB, saved_bytes, trained_share
from ipt_training.nano import Build, STAGES
from ipt_training.optimizers import OptimizerSettings
from ipt_training.recipe import (
    DecoderRecipe,
    DrawingRecipe,
    EncoderRecipe,
    MapsRecipe,
    Recipe,
)
from ipt_training.sample_sheet import draw_samples_sheet
from ipt_training.store import class_names, load_examples, SUFFIX
from ipt_training.train_encoder import DenseHead, encode_pixels
from ipt_training.train_model import batches_at, HELD_OUT, samples_at
import numpy as np
import torch
from torch import nn

_READ = 512  # examples a task: of a large data set a part says enough
_MADE = HELD_OUT + 16  # examples a task where there are none yet
_MODEL_STAGES = ('letters', 'answers', 'mixed', 'trust')
_SHOWN = 2  # samples of each kind in a picture


@dataclass(frozen=True)
class Material:
    """What batches are made of: data by task, class names and the tokenizer."""

    tasks: dict[str, TaskData]
    classes: list[str]
    tokenizer: Tokenizer


def dry_run(build: Build, stages: list[str], say: Callable[[str], None] = print) -> list[Path]:
    """Say what the stages would do; draw their first batches into ``work_dir``; return these."""
    recipe = build.recipe
    say(f'{recipe.name}: {", ".join(name for name in STAGES if name in stages)}; work in '
        f'{recipe.work_dir}, checkpoint to {recipe.checkpoint}')
    tasks = len(recipe.data.tasks)
    say(f'data: {recipe.data.examples // tasks} examples of each of '
        f'{", ".join(recipe.data.tasks)} in {build.data}, scenes from seed {recipe.data.seed} on')
    with _material(build, say) as material:
        config = build.config(max(recipe.tokenizer['vocabulary'], len(material.tokenizer)))
        _add_empty_latents(material, config)
        held = sum(_bytes(data) / len(data) for data in material.tasks.values())
        say(f'memory of the examples: about {held * recipe.data.examples / tasks / GIB:.2f} GiB')
        pictures = []
        for stage in (name for name in STAGES if name in stages):
            if stage == 'encoder':
                say(_encoder(stage, recipe.encoder, recipe.encoder.batch_size, config, material))
            elif stage == 'maps':
                say(_encoder(stage, recipe.maps, recipe.maps.batch_size + recipe.maps.others,
                             config, material))
            elif stage == 'vae':
                say(_vae(recipe, config))
            elif stage == 'decoder':
                say(_decoder(stage, recipe.decoder.batch_size, recipe.decoder, config, material))
            elif stage in ('drawing', 'redrawing'):
                say(_decoder(stage, 2 * recipe.drawing.batch_size, recipe.drawing, config,
                             material))
            elif stage in _MODEL_STAGES:
                say(_model_stage(stage, recipe, config, material))
                picture = recipe.work_dir / f'first_batch_{stage}.png'
                samples, _ = samples_at(0, material.tasks, getattr(recipe, stage),
                                        config.vit.patch_size, recipe.seed)
                if draw_samples_sheet(
                        picture, [one for kind in samples.values() for one in kind[:_SHOWN]]):
                    pictures.append(picture)
                    say(f'  first batch: {_SHOWN} samples of each kind, drawn in {picture}')
    return pictures


@contextmanager
def _material(build: Build, say: Callable[[str], None]):
    """Read a part of what earlier stages made; make a little of it where they have not run."""
    recipe = build.recipe
    tokenizer = build.work / 'tokenizer'
    made = (tokenizer / 'tokenizer.json').exists() and all(
        any((build.data / task).glob(f'*{SUFFIX}')) for task in recipe.data.tasks)
    if made:
        yield _read(build, say)
        return
    with tempfile.TemporaryDirectory() as folder:
        count = min(recipe.data.examples, _MADE * len(recipe.data.tasks))
        small = Build(replace(recipe, work_dir=Path(folder),
                              data=replace(recipe.data, examples=count, workers=1)))
        say(f'(data or tokenizer have not been made: {count} examples are made to look at, and '
            'thrown away)')
        small.run(['data', 'tokenizer'])
        yield _read(small, say)


def _read(build: Build, say: Callable[[str], None]) -> Material:
    classes = class_names(build.data)
    tasks = {}
    for task in build.recipe.data.tasks:
        data = stack_examples(islice(
            load_examples(build.data, task, dense=True, classes=classes), _READ))
        data.class_names = classes
        tasks[task] = data
    if any(len(data) == _READ for data in tasks.values()):
        say(f'(batches as if the first {_READ} examples of a task were all)')
    return Material(tasks, classes, Tokenizer.from_folder(build.work / 'tokenizer'))


def _add_empty_latents(material: Material, config: BagelConfig) -> None:
    """Stand in for latents, whose values change no size."""
    def empty(images: np.ndarray) -> torch.Tensor:
        *lead, height, width, _ = images.shape
        side = config.vae.downsample
        return torch.zeros(1, dtype=torch.float16).expand(
            *lead, config.vae.z_channels, height // side, width // side)

    for data in material.tasks.values():
        data.input_latents = empty(data.inputs)
        data.target_latents = empty(data.targets)
        data.drawn, data.drawn_latents = data.targets, data.target_latents


def _bytes(data: TaskData) -> int:
    """Return the bytes of an example's arrays, all examples together."""
    return sum(value.nbytes for value in vars(data).values() if isinstance(value, np.ndarray))


def _model_stage(name: str, recipe: Recipe, config: BagelConfig, material: Material) -> str:
    stage = getattr(recipe, name)
    with torch.device('meta'):
        model = Bagel(config, material.tokenizer)
    batches = batches_at(0, model, material.tasks, stage, recipe.seed)
    for parameter, value in model.named_parameters():
        if parameter.startswith(tuple(stage.frozen)):
            value.requires_grad_(False)
    parameters = list(model.parameters())
    # Autocast is not for the device 'meta', so the model itself takes the type of activations.
    narrow = model.to(fast_dtype())
    # One kind of samples after another runs forwards and backwards.
    activations = max(saved_bytes(partial(narrow.loss, batch.to('meta')), parameters)
                      for batch in batches.values())
    tokens = sum(batch.tokens for batch in batches.values())
    count_flops = FlopCount(model)
    flops = sum(count_flops(batch).total for batch in batches.values())
    return _with_memory(
        f'{name}: {stage.steps} steps of {sum(stage.samples.values())} samples '
        f'({_counted(stage.samples)}), {tokens} tokens, {flops / 1e12:.3g} TFLOP',
        stage.optimizer, parameters, activations)


def _encoder(name: str, stage: EncoderRecipe | MapsRecipe, images: int, config: BagelConfig,
             material: Material) -> str:
    height, width = _largest(material)
    patch = config.vit.patch_size
    with torch.device('meta'):
        model = Bagel(config, material.tokenizer).to(fast_dtype())
        head = DenseHead(config.vit.hidden_size, patch, stage.cell, len(material.classes))
        head = head.to(fast_dtype())
        pixels = torch.zeros(images, 3, height, width, dtype=fast_dtype())
        parameters = [*model.vit_model.parameters(), *head.parameters()]
        activations = saved_bytes(
            lambda: head(encode_pixels(model, pixels), height // patch, width // patch),
            parameters)
    return _with_memory(
        f'{name}: {stage.steps} steps of {images} images, at most {width} x {height} '
        'pixels', stage.optimizer, parameters, activations)


def _vae(recipe: Recipe, config: BagelConfig) -> str:
    stage = recipe.vae

    def reconstruct() -> torch.Tensor:
        return net.decode(net.encode(pixels).latent_dist.mode()).sample

    with torch.device('meta'):
        net = Vae(config.vae).net.requires_grad_(True)
        pixels = torch.zeros(stage.batch_size, 3, stage.crop, stage.crop)
        activations = saved_bytes(reconstruct, net.parameters())
    return _with_memory(
        f'vae: {stage.steps} steps of {stage.batch_size} crops, {stage.crop} pixels a side',
        stage.optimizer, list(net.parameters()), activations)


def _decoder(name: str, latents: int, stage: DecoderRecipe | DrawingRecipe, config: BagelConfig,
             material: Material) -> str:
    height, width = _largest(material)
    side = config.vae.downsample
    with torch.device('meta'):
        net = Vae(config.vae).net
        net.decoder.requires_grad_(True)
        given = torch.zeros(latents, config.vae.z_channels, height // side, width // side)
        activations = saved_bytes(lambda: net.decode(given).sample, net.parameters())
    return _with_memory(
        f'{name}: {stage.steps} steps of {stage.batch_size} images, at most {width} x {height} '
        'pixels', stage.optimizer, list(net.parameters()), activations)


def _largest(material: Material) -> tuple[int, int]:
    """Return height and width of the largest true images."""
    return max(data.targets.shape[1:3] for data in material.tasks.values())


def _with_memory(stage: str, settings: OptimizerSettings, parameters: list[nn.Parameter],
                 activations: int) -> str:
    """Return what is said of a stage, and of its parameters and memory below."""
    memory = adamw_memory(parameters, average=bool(settings.ema), activations=activations)
    return f'{stage}\n  {trained_share(parameters)}\n  memory: {memory}'


def _counted(samples: dict[str, int]) -> str:
    return ', '.join(f'{count} {kind}' for kind, count in samples.items())
