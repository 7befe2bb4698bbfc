# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The model as a run trains it: what is frozen, what has adapters, what is computed twice."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from functools import partial
from pathlib import Path
from typing import Any

from ipt_ros.bagel import Bagel, Batch
from ipt_ros.bagel.adapter import BASE_FINGERPRINT, WEIGHTS
from ipt_ros.bagel.source import Source
from ipt_ros.bagel.tensor_files import write_tensors
from ipt_ros.bagel.weight_files import fingerprint, weight_files
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.recipe import FinetuneRecipe, LoraSettings
from ipt_training.train_model import training_loss
import torch
from torch import nn, Tensor
from torch.utils.checkpoint import checkpoint

_FIXED = ('latent_pos_embed.', 'vit_pos_embed.')  # tables that checkpoints hold, never trained


class Trainee(nn.Module):
    """A model and which of its parameters are trained; called, it computes losses."""

    def __init__(self, model: Bagel):
        super().__init__()
        self.model = model

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return sums over a batch's tokens: cross entropies, and squared errors of velocities."""
        found = training_loss(self.model, batch)
        return found.ce_tokens.sum(), found.mse_tokens.sum()

    def trained(self) -> dict[str, Tensor]:
        """Return the trained parameters by name; they share the memory of the model's own."""
        return {name: value.detach() for name, value in self.named_parameters()
                if value.requires_grad}


def check_start(start: Source, recipe: FinetuneRecipe) -> None:
    """Raise FinetuneError for what a run cannot begin with."""
    if recipe.lora.rank and start.adapter is not None:
        raise FinetuneError(
            f'start: {start.name} is an adapter, and one on top of it could not be used alone; '
            'begin with the checkpoint that it was merged into')
    begun = start.folder if start.adapter is None else start.adapter.folder
    if begun.resolve() == Path(recipe.checkpoint).resolve():
        raise FinetuneError(
            f'checkpoint: {recipe.checkpoint} is what the run begins with; a run that is resumed '
            'still needs that, so give another folder')


def prepare(model: Bagel, recipe: FinetuneRecipe) -> Any:
    """
    Freeze what the recipe freezes and put its adapters in; return these, None without any.

    Raises FinetuneError for names that fit nothing.
    """
    _check_names(model, 'frozen', recipe.frozen)
    adapters = None
    if recipe.lora.rank:
        _check_names(model, 'lora.also', recipe.lora.also)
        model.requires_grad_(False)
        adapters = add_adapters(model, recipe.lora, recipe.seed)
    for name, value in model.named_parameters():
        if name.startswith(_FIXED) or recipe.frozen and name.startswith(recipe.frozen):
            value.requires_grad_(False)
        elif recipe.lora.also and name.startswith(recipe.lora.also):
            value.requires_grad_(True)
            value.data = value.data.float()
    if not any(value.requires_grad for value in model.parameters()):
        raise FinetuneError('the recipe freezes everything; take names out of frozen')
    return adapters


def _check_names(model: nn.Module, setting: str, starts: tuple[str, ...]) -> None:
    names = [name for name, _ in model.named_parameters()]
    for start in starts:
        if not any(name.startswith(start) for name in names):
            parts = sorted({name.split('.')[0] for name in names})
            raise FinetuneError(
                f"{setting}: no parameter's name begins with '{start}'; the parts of the model "
                f'are {", ".join(parts)}')


def add_adapters(model: Bagel, settings: LoraSettings, seed: int) -> Any:
    """
    Put low-rank adapters (Hu et al. 2021, arXiv 2106.09685) into the decoder's linear layers.

    Return the peft model around the decoder, which shares its layers.
    """
    from peft import get_peft_model, LoraConfig
    targets = '|'.join(f'{name}(_moe_gen)?' for name in settings.targets)
    config = LoraConfig(
        r=settings.rank, lora_alpha=settings.alpha, lora_dropout=settings.dropout,
        target_modules=rf'.*\.({targets})')
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        try:
            return get_peft_model(model.language_model, config)
        except ValueError as error:
            raise FinetuneError(f'lora.targets: {error}') from error


def merge_adapters(model: Bagel, adapters: Any, folder: Path) -> None:
    """Write the adapters to a folder, then add them into the weights."""
    save_adapters(model, adapters, folder)
    model.language_model = adapters.merge_and_unload()


def save_adapters(model: Bagel, adapters: Any, folder: Path) -> None:
    """
    Write all that was trained to a folder in peft's layout, which a model can be loaded from.

    It names the checkpoint that the model was loaded from, and what tells that from others. What
    was trained in full is there under its own name, and sizes of images as they were trained.
    """
    from peft import get_peft_model_state_dict
    trained = {name.replace('.base_layer.', '.'): value.detach()
               for name, value in model.named_parameters()
               if value.requires_grad and '.lora_' not in name}
    tensors = {name: value.to('cpu').contiguous() for name, value in {
        **get_peft_model_state_dict(adapters), **trained}.items()}
    base = model.origin.source.folder.resolve()
    settings = copy(adapters.peft_config[adapters.active_adapter])
    settings.base_model_name_or_path = str(base)
    settings.inference_mode = True
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / WEIGHTS, tensors, {
        'format': 'pt', BASE_FINGERPRINT: fingerprint(weight_files(base))})
    settings.save_pretrained(folder)
    model.config.save_extras(folder)


@contextmanager
def computed_twice(model: Bagel) -> Iterator[None]:
    """Keep no activations inside layers; compute them again on the way back."""
    layers = [*model.language_model.model.layers, *model.vit_model.vision_model.encoder.layers]
    for layer in layers:
        # In the layer's own dictionary it hides the method of its class.
        layer.forward = partial(checkpoint, layer.forward, use_reentrant=False)
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward
