# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The batches of a step, ready for the model; nothing but the recipe and the step decides them."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType

from ipt_ros.bagel import BagelConfig, Batch, pack, Tokenizer, Vae
from ipt_ros.bagel.packing import Segment
from ipt_training.finetune.index import Unit
from ipt_training.finetune.latents import LatentCache
from ipt_training.finetune.plan import Plan
from ipt_training.finetune.recipe import FinetuneRecipe
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.samples import build_sample, fit_questions
from ipt_training.memory import GIB
import torch


class Batches:
    """
    Reads, builds and packs; ``config`` is that of the training, see `training_config`.

    With ``recipe.loading.prefetch``, a thread makes the next batches while one is trained on:
    those ``stride`` apart, as many processes deal them out. A batch is the same whoever makes it
    and when. Use as a context manager, which ends the thread.
    """

    def __init__(self, rows: Rows, plan: Plan, recipe: FinetuneRecipe, config: BagelConfig,
                 tokenizer: Tokenizer, vae: Vae, stride: int = 1):
        self.plan = plan
        self._rows = rows
        self._recipe = recipe
        self._config = config
        self._tokenizer = tokenizer
        self._latents = make_latent_cache(vae, recipe, stride)
        self._stride = stride
        self._ahead: dict[int, Future[Batch]] = {}
        self._worker: ThreadPoolExecutor | None = None
        if recipe.loading.prefetch:
            # What a thread computes with is its own setting, and decides the last bit of sums.
            self._worker = ThreadPoolExecutor(
                1, 'batches', torch.set_num_threads, (torch.get_num_threads(),))
        # A window's groups are needed in any order.
        rows.hold = plan.groups_at_once()

    def __enter__(self) -> 'Batches':
        return self

    def __exit__(self, kind: type | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._worker:
            self._worker.shutdown(cancel_futures=True)

    def batch(self, number: int) -> Batch:
        """Return one batch, counted from 0 over the whole run; what failed raises here."""
        if self._worker is None:
            return self._make(number)
        recipe = self._recipe
        found = self._ahead.pop(number, None) or self._worker.submit(self._make, number)
        wanted = range(number + self._stride, recipe.steps * recipe.accumulate, self._stride)
        for later in wanted[:recipe.loading.prefetch]:
            if later not in self._ahead:
                self._ahead[later] = self._worker.submit(self._make, later)
        return found.result()

    @torch.no_grad()
    def _make(self, number: int) -> Batch:
        samples = samples_of(self.plan.batch(number), self._rows, self._recipe, self._config)
        generator = torch.Generator().manual_seed(self._recipe.seed * 2**32 + number)
        return pack(samples, self._config, self._tokenizer, vae=self._latents,
                    dropout=self._recipe.dropout, generator=generator)


def make_latent_cache(vae: Vae, recipe: FinetuneRecipe, sharers: int = 1) -> LatentCache:
    """Return the cache that the recipe asks for; ``sharers``: processes that fill it together."""
    loading = recipe.loading
    if not loading.latent_cache_gib:
        return LatentCache(vae)
    folder = Path(loading.latent_cache or f'{recipe.work_dir}/latents')
    return LatentCache(vae, folder, loading.latent_cache_gib * GIB, sharers)


def samples_of(units: Sequence[Unit], rows: Rows, recipe: FinetuneRecipe,
               config: BagelConfig) -> list[list[Segment]]:
    """Return the training samples of units as segments, images included."""
    samples = []
    for unit in units:
        example = rows.example(unit.row)
        texts = fit_questions(unit.kind, example, (recipe.seed, unit.row), recipe.data.detail)
        asked = {index: texts[index] for index in unit.questions}
        samples.append(build_sample(unit.kind, example, asked, recipe.format, config))
    return samples
