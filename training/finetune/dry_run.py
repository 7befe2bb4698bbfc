# SPDX-License-Identifier: Apache-2.0
"""What a run would do: plan, parameters, memory, and its first batch as a picture."""

from collections.abc import Callable
from pathlib import Path
import shutil

from ipt_ros.bagel import Bagel, BagelConfig, pack, Tokenizer
from ipt_ros.bagel.flops import FlopCount
from ipt_ros.bagel.source import find
from ipt_training.finetune.batches import samples_of
from ipt_training.finetune.index import make_index, Reading
from ipt_training.finetune.recipe import FinetuneRecipe
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.samples import checkpoint_config, training_config
from ipt_training.finetune.sharding import spread_memory
from ipt_training.finetune.train import describe_plan, make_plan, training_dtype
from ipt_training.finetune.trainee import check_start, prepare
from ipt_training.memory import adamw_memory, GIB, Memory
from ipt_training.sample_sheet import draw_samples_sheet
import numpy as np
import torch

_ROWS = 512  # read for the plan: of a large data set a part says enough


def dry_run(recipe: FinetuneRecipe, device: str = 'cpu', say: Callable = print) -> Path:
    """Say all of it, write the picture into the work folder and return its path."""
    start = find(recipe.start)
    check_start(start, recipe)
    base = checkpoint_config(BagelConfig.from_folder(
        start.folder, start.adapter and start.adapter.folder), recipe.format)
    tokenizer = Tokenizer.from_folder(start.folder)
    config = training_config(base, recipe.format)
    rows = Rows(recipe.data.paths, recipe.data.layout, recipe.data.split)
    index = make_index(Reading(rows, recipe, config, tokenizer), limit=_ROWS)
    plan = make_plan(index, rows, recipe)
    say(describe_plan(index, plan, recipe))
    if len(rows) > _ROWS:
        say(f'(all of this as if {_ROWS} of {len(rows)} rows, from all over them, were all)')
    # Names and shapes alone: a model of any size fits.
    with torch.device('meta'):
        model = Bagel(base, tokenizer)
    prepare(model, recipe)
    parameters = list(model.parameters())
    trained = sum(value.numel() for value in parameters if value.requires_grad)
    total = sum(value.numel() for value in parameters)
    say(f'{trained:,} of {total:,} parameters are trained ({trained / total:.1%})')
    memory = estimate_memory(model, recipe, device)
    say(f'memory on {device}: {memory}')
    if recipe.accumulate > 1:
        # Each replica is whole, and spread over its own share of them.
        share = recipe.accumulate // recipe.parallel.replicas
        say(f'spread over {recipe.accumulate} GPUs, each: '
            f'{spread_memory(memory, model, share)}')
    work = Path(recipe.work_dir)
    work.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(work).free
    # Written beside the old one before it takes its place.
    state = 2 * (memory.optimizer + memory.average + 4 * trained)
    say(f'disk: up to {state / GIB:.2f} GiB for saved states in {work}, where '
        f'{free / GIB:.1f} GiB are free')
    picture = work / 'first_batch.png'
    samples = samples_of(plan.batch(0), rows, recipe, config)
    batch = pack(samples, config, tokenizer, vae=_EmptyLatents(config))
    flops = FlopCount(model)(batch).total
    say(f'first batch: {batch.samples} samples of {batch.tokens} tokens, {flops / 1e12:.3g} TFLOP '
        f'({recipe.accumulate} batches a step), drawn in {picture}')
    draw_samples_sheet(picture, samples)
    return picture


class _EmptyLatents:
    """Stands in for the VAE where only the sizes of latents count."""

    def __init__(self, config: BagelConfig):
        self._config = config.vae

    def encode_image(self, image: np.ndarray) -> torch.Tensor:
        height, width = (side // self._config.downsample for side in image.shape[:2])
        return torch.zeros(self._config.z_channels, height, width)


def estimate_memory(model: Bagel, recipe: FinetuneRecipe, device: str) -> Memory:
    """
    Estimate what training takes.

    Activations are what the backward pass of the decoder's layers needs of a full batch: inputs
    of the two norms, the attention and the gated MLP; with layers computed twice, the input of
    each layer and one layer's all.
    """
    config = model.config.llm
    base = training_dtype(recipe, device).itemsize
    number = 4 if torch.device(device).type == 'cpu' else 2
    shared = config.num_key_value_heads * config.head_dim
    own = config.num_attention_heads * config.head_dim
    # Per token: x, its float32 copy in the norm and the normed x, twice; q, k, v before and after
    # their norms and turns; mixed values; gate, its activation, up and their product.
    layer = (2 * config.hidden_size * (2 * number + 4) + 2 * number * (own + 2 * shared)
             + number * own + 4 * number * config.intermediate_size)
    layers = config.num_hidden_layers
    if recipe.checkpoint_activations:
        token = number * config.hidden_size * layers + layer
    else:
        token = layer * layers
    return adamw_memory(
        model.parameters(), average=bool(recipe.optimizer.ema), frozen_bytes=base,
        activations=token * recipe.packing.batch_tokens)
