# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a run would do: plan, parameters, memory, and its first batch as a picture."""

from collections.abc import Callable
from pathlib import Path
import shutil

from ipt_ros.bagel import Bagel, BagelConfig, Batch, pack, Tokenizer
from ipt_ros.bagel.flops import FlopCount
from ipt_ros.bagel.loss import LOGITS_AT_ONCE
from ipt_ros.bagel.source import find
from ipt_training.finetune.batches import samples_of
from ipt_training.finetune.index import make_index, Reading
from ipt_training.finetune.recipe import FinetuneRecipe
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.samples import checkpoint_config, training_config
from ipt_training.finetune.sharding import spread_memory
from ipt_training.finetune.train import describe_plan, make_plan, training_dtype
from ipt_training.finetune.trainee import check_start, prepare
from ipt_training.memory import adamw_memory, GIB, Memory, trained_share
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
    say(trained_share(model.parameters()))
    samples = samples_of(plan.batch(0), rows, recipe, config)
    batch = pack(samples, config, tokenizer, vae=_EmptyLatents(config))
    memory = estimate_memory(model, recipe, device, batch)
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
    state = 2 * (memory.optimizer + memory.average + memory.gradients)  # as large as weights
    say(f'disk: up to {state / GIB:.2f} GiB for saved states in {work}, where '
        f'{free / GIB:.1f} GiB are free')
    picture = work / 'first_batch.png'
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


def estimate_memory(model: Bagel, recipe: FinetuneRecipe, device: str, batch: Batch) -> Memory:
    """
    Estimate what training takes; ``batch`` says of what kinds the tokens of a full one are.

    Activations are what the backward pass needs of the layers of decoder and ViT: inputs of the
    two norms, the attention and the MLP; with layers computed twice, the input of each layer and
    one layer's all. Beside them, the logits that are there at once.
    """
    config, vit = model.config.llm, model.config.vit
    number = 4 if torch.device(device).type == 'cpu' else 2
    shared = config.num_key_value_heads * config.head_dim
    own = config.num_attention_heads * config.head_dim
    # Per token: x, its float32 copy in the norm and the normed x, twice; q, k, v before and after
    # their norms and turns; mixed values; gate, its activation, up and their product.
    layer = (2 * config.hidden_size * (2 * number + 4) + 2 * number * (own + 2 * shared)
             + number * own + 4 * number * config.intermediate_size)
    # The same of a patch, whose MLP has no gate, its q, k and v neither norms nor turns.
    vit_layer = (2 * vit.hidden_size * (2 * number + 4) + 4 * number * vit.hidden_size
                 + 2 * number * vit.intermediate_size)
    if torch.device(device).type == 'cpu':
        # Only there attention keeps a mask, as numbers; see `packed_attention`.
        layer += number * batch.lines.numel() * batch.lines.shape[1] // batch.tokens
    twice = recipe.checkpoint_activations
    full = recipe.packing.batch_tokens / batch.tokens
    activations = recipe.packing.batch_tokens * _of_layers(
        layer, number * config.hidden_size, config.num_hidden_layers, twice)
    if any(value.requires_grad for value in model.vit_model.parameters()):
        patches = sum(group.pixels.shape[0] * len(group.cells) for group in batch.vit)
        activations += full * patches * _of_layers(
            vit_layer, number * vit.hidden_size, vit.layers, twice)
    # Logits, their float32 copy, logarithms of chances and gradient.
    logits = min(full * len(batch.labels) * config.vocab_size, LOGITS_AT_ONCE)
    return adamw_memory(
        model.parameters(), average=bool(recipe.optimizer.ema),
        frozen_bytes=training_dtype(recipe, device).itemsize,
        activations=round(activations + logits * (number + 12)))


def _of_layers(layer: int, layer_input: int, layers: int, twice: bool) -> int:
    """Return bytes a token: of all layers, or of their inputs and one layer."""
    return layer_input * layers + layer if twice else layer * layers
