# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The recipe of a fine-tuning run: one YAML file, read strictly."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
import math
from pathlib import Path

from ipt_ros.bagel import ConfigError, Dropout
from ipt_ros.bagel.config import from_dict
from ipt_ros.paths import checkpoint_name
from ipt_training.optimizers import OptimizerSettings
from ipt_training.recipe import check_folders, read_recipe, RecipeError

WITHOUT_IMAGES = ('label-only', 'text-cot')
MODES = (*WITHOUT_IMAGES, 'ipt', 'mixed')


@dataclass(frozen=True)
class DataSettings:
    """
    Which parquet files to train on, and how.

    ``paths``: files, or folders of them, in our layout or a published one. ``layout``: a published
    one's name, '' to tell it from the columns. ``split``: of our own data sets. ``questions``:
    most questions a sample, each a branch behind the same images. ``detail``: 'full' or 'brief'
    chains of thought, where they are written from metadata. ``bad_rows``: 'stop' or 'skip'.
    """

    paths: tuple[str, ...] = ()
    layout: str = ''
    split: str = 'train'
    questions: int = 1
    detail: str = 'full'
    bad_rows: str = 'stop'


@dataclass(frozen=True)
class PackingSettings:
    """
    Token budgets; longer samples are left out and counted.

    ``window``: examples that are shuffled and packed together. It bounds memory, for the encoded
    images of one window are held. ``batch_samples``: so many samples a batch, neither more nor
    fewer, in place of as many as fit: runs whose samples are not equally long then see equally
    many. 0 fills batches by tokens.
    """

    batch_tokens: int = 32_768
    sample_tokens: int = 24_576
    window: int = 1024
    batch_samples: int = 0


@dataclass(frozen=True)
class FormatSettings:
    """
    How questions are put, and images sized.

    ``label_prompt``: 'think' (published) or 'answer-only', the system prompt of label-only mode.
    ``order``: 'prompt-first' as in inference, or 'images-first' as published, which also makes one
    condition of prompt and question. ``vit_max_side`` (pixels): in place of the checkpoint's own,
    0 to keep it. ``noised_copies``: of the target a sample. ``imagined_side`` (pixels): the
    longest side of imagined images, apart from the size of inputs, which the finished checkpoint
    then imagines at, too; 0 to keep it.
    """

    label_prompt: str = 'think'
    order: str = 'prompt-first'
    vit_max_side: int = 0
    noised_copies: int = 1
    imagined_side: int = 0


@dataclass(frozen=True)
class LoadingSettings:
    """
    How batches come about; which ones does not depend on it.

    ``prefetch``: batches that a thread makes ahead, 0 for none. ``latent_cache_gib``: room on disk
    for the latents of images, 0 to keep none; ``latent_cache``: folder, which runs with the same
    images may share, '' for one in the work folder.
    """

    prefetch: int = 0
    latent_cache_gib: float = 0.0
    latent_cache: str = ''


@dataclass(frozen=True)
class LoraSettings:
    """
    Low-rank adapters in the decoder; rank 0 trains all weights that are not frozen.

    ``targets``: names of linear layers in which to put adapters, in both experts. ``also``: what
    names of further parameters begin with that are trained in full. ``base_dtype``: of the frozen
    weights.
    """

    rank: int = 0
    alpha: float = 32.0
    dropout: float = 0.0
    targets: tuple[str, ...] = ('q_proj', 'k_proj', 'v_proj', 'o_proj')
    also: tuple[str, ...] = ()
    base_dtype: str = 'bfloat16'


@dataclass(frozen=True)
class ParallelSettings:
    """
    How processes that torchrun started share a run; one process needs none of it.

    ``replicas``: of the whole model, each spread over its share of the processes: with one a
    machine, parameters are gathered within machines alone. ``exchange``: gradients, once a 'step',
    or after every 'batch', which takes more time and, where a process has several batches a step,
    less memory. ``timeout_minutes``: for what one process does while the others wait, such as
    writing the checkpoint.
    """

    replicas: int = 1
    exchange: str = 'step'
    timeout_minutes: float = 60.0


@dataclass(frozen=True)
class FinetuneRecipe:
    """
    Everything that decides a run.

    ``start``: checkpoint folder to begin with; ``checkpoint``: folder that is written at the end,
    in ``checkpoint_dtype``; ``work_dir``: state and logs. ``accumulate``: batches a step, of all
    processes together.
    ``frozen``: what names of parameters begin with that are not trained. ``save_seconds``: between
    two saved states.
    """

    name: str
    mode: str
    steps: int
    optimizer: OptimizerSettings
    start: str = ''
    checkpoint: str = ''
    work_dir: str = ''
    seed: int = 0
    data: DataSettings = field(default_factory=DataSettings)
    packing: PackingSettings = field(default_factory=PackingSettings)
    format: FormatSettings = field(default_factory=FormatSettings)
    loading: LoadingSettings = field(default_factory=LoadingSettings)
    dropout: Dropout = field(default_factory=Dropout)
    ce_weight: float = 1.0
    mse_weight: float = 1.0
    accumulate: int = 1
    frozen: tuple[str, ...] = ()
    lora: LoraSettings = field(default_factory=LoraSettings)
    checkpoint_activations: bool = False
    checkpoint_dtype: str = 'bfloat16'
    save_seconds: float = 600.0
    parallel: ParallelSettings = field(default_factory=ParallelSettings)


def load_finetune_recipe(path: str | Path, changes: Mapping = {}) -> FinetuneRecipe:
    """
    Read a recipe; ``changes`` replace its settings, as nested mappings do nested ones.

    Raises RecipeError: no file, bad YAML, unknown, missing or senseless settings.
    """
    path = Path(path)
    values = read_recipe(path)
    if 'mode' not in changes:
        check_weights(values, str(path))
    try:
        for name, value in changes.items():
            values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
    except TypeError as error:
        raise RecipeError(f'{path}: {error}') from error
    return finetune_recipe(values, str(path))


def finetune_recipe(values: Mapping, where: str) -> FinetuneRecipe:
    """
    Return the recipe of these settings, which ``where`` holds.

    Raises RecipeError that names it: unknown, missing or senseless settings.
    """
    try:
        recipe = from_dict(FinetuneRecipe, dict(values))
        recipe = replace(recipe, start=checkpoint_name(recipe.start))
        _check(recipe)
    except (ConfigError, TypeError, ValueError) as error:
        raise RecipeError(f'{where}: {error}') from error
    return recipe


def check_weights(values: Mapping, where: str) -> None:
    """Raise RecipeError where settings of ``where`` weigh the loss of images that none draws."""
    mode = values.get('mode')
    if mode in WITHOUT_IMAGES and values.get('mse_weight'):
        raise RecipeError(f"{where}: mode '{mode}' draws no images, so mse_weight "
                          f"({values['mse_weight']}) weighs nothing; leave it out, or give 0")


def _check(recipe: FinetuneRecipe) -> None:
    """Raise ValueError for values that make no sense, alone or together."""
    for name, value, allowed in (
            ('mode', recipe.mode, MODES),
            ('data.bad_rows', recipe.data.bad_rows, ('stop', 'skip')),
            ('data.detail', recipe.data.detail, ('full', 'brief')),
            ('format.label_prompt', recipe.format.label_prompt, ('think', 'answer-only')),
            ('format.order', recipe.format.order, ('prompt-first', 'images-first')),
            ('lora.base_dtype', recipe.lora.base_dtype, ('float32', 'bfloat16')),
            ('parallel.exchange', recipe.parallel.exchange, ('step', 'batch')),
            ('checkpoint_dtype', recipe.checkpoint_dtype, ('float32', 'bfloat16'))):
        if value not in allowed:
            raise ValueError(f'{name} is {value!r}; give one of {", ".join(allowed)}')
    for name, value in (
            ('steps', recipe.steps), ('accumulate', recipe.accumulate),
            ('data.questions', recipe.data.questions), ('packing.window', recipe.packing.window),
            ('packing.sample_tokens', recipe.packing.sample_tokens),
            ('format.noised_copies', recipe.format.noised_copies),
            ('parallel.replicas', recipe.parallel.replicas)):
        if value < 1:
            raise ValueError(f'{name} is {value!r}; give a whole number from 1 on')
    for name, value in (('format.imagined_side', recipe.format.imagined_side),
                        ('format.vit_max_side', recipe.format.vit_max_side),
                        ('loading.prefetch', recipe.loading.prefetch)):
        if value < 0:
            raise ValueError(f'{name} is {value!r}; give a whole number, 0 for none')
    if not recipe.loading.latent_cache_gib >= 0:
        raise ValueError(f'loading.latent_cache_gib is {recipe.loading.latent_cache_gib!r}; give '
                         'GiB, 0 for no cache')
    if recipe.packing.sample_tokens > recipe.packing.batch_tokens:
        raise ValueError(
            f'packing.sample_tokens ({recipe.packing.sample_tokens}) is more than a whole batch '
            f'has (packing.batch_tokens: {recipe.packing.batch_tokens})')
    packing = recipe.packing
    if not 0 <= packing.batch_samples * packing.sample_tokens <= packing.batch_tokens:
        raise ValueError(
            f'packing.batch_samples is {packing.batch_samples}; so many samples of '
            f'packing.sample_tokens ({packing.sample_tokens}) do not always fit a batch of '
            f'{packing.batch_tokens} tokens; 0 fills batches by tokens')
    for name in ('text', 'vae', 'vit'):
        chance = getattr(recipe.dropout, name)
        if not 0 <= chance < 1:
            raise ValueError(f'dropout.{name} is {chance!r}; give a chance from 0 to below 1')
    for name in ('start', 'checkpoint', 'work_dir'):
        if not getattr(recipe, name):
            option = f'--{name.replace("_", "-")}'
            raise ValueError(f'{name} is not given; write it into the recipe, or give {option}')
    if not recipe.data.paths:
        raise ValueError('data.paths is not given; write it into the recipe, or give --data')
    check_folders(recipe.start, recipe.checkpoint, recipe.work_dir)
    _check_learning(recipe)


def _check_learning(recipe: FinetuneRecipe) -> None:
    """Raise ValueError where nothing is learned or kept, or a setting has nothing to act on."""
    for name in ('ce_weight', 'mse_weight'):
        if not 0 <= getattr(recipe, name) < math.inf:
            raise ValueError(f'{name} is {getattr(recipe, name)!r}; give a number from 0 on')
    drawn = 0 if recipe.mode in WITHOUT_IMAGES else recipe.mse_weight
    if not recipe.ce_weight + drawn:
        raise ValueError(f"mode '{recipe.mode}' learns nothing where ce_weight is 0"
                         + (' and mse_weight is 0' if recipe.mode not in WITHOUT_IMAGES else ''))
    if not 0 <= recipe.save_seconds < math.inf:
        raise ValueError(f'save_seconds is {recipe.save_seconds!r}, so that no state is ever '
                         'saved; give seconds')
    if recipe.loading.latent_cache and not recipe.loading.latent_cache_gib:
        raise ValueError(f"loading.latent_cache '{recipe.loading.latent_cache}' has no room: give "
                         'loading.latent_cache_gib, too')
    lora = recipe.lora
    if lora.rank < 0:
        raise ValueError(f'lora.rank is {lora.rank}; give a whole number, 0 for no adapters')
    if not 0 < lora.alpha < math.inf or not 0 <= lora.dropout < 1:
        raise ValueError(f'lora.alpha is {lora.alpha!r} and lora.dropout {lora.dropout!r}; give a '
                         'number above 0, and a chance from 0 to below 1')
    if lora.rank and not lora.targets:
        raise ValueError('lora.rank asks for adapters, and lora.targets names no layers for them')
    if lora.rank and '' in lora.also:
        raise ValueError("lora.also has '', with which every name begins: all weights would be "
                         'trained beside the adapters; name parts, or give lora.rank 0')
    for name in lora.also if lora.rank else ():
        if name.startswith(recipe.frozen or ('\0',)):
            raise ValueError(f"'{name}' is both to be trained (lora.also) and not to be (frozen)")
    if not lora.rank and lora.also:
        raise ValueError('lora.also is given, but no adapters are (lora.rank 0): then all weights '
                         'are trained that frozen does not name')
