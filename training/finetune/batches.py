# SPDX-License-Identifier: Apache-2.0
"""The batches of a step, ready for the model; nothing but the recipe and the step decides them."""

from collections.abc import Iterator, Sequence

from ipt_ros.bagel import BagelConfig, Batch, pack, Tokenizer, Vae
from ipt_ros.bagel.packing import Segment
from ipt_training.finetune.index import Unit
from ipt_training.finetune.plan import Plan
from ipt_training.finetune.recipe import FinetuneRecipe
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.samples import build_sample, fit_questions
import torch


class Batches:
    """Reads, builds and packs; ``config`` is that of the training, see `training_config`."""

    def __init__(self, rows: Rows, plan: Plan, recipe: FinetuneRecipe, config: BagelConfig,
                 tokenizer: Tokenizer, vae: Vae):
        self.plan = plan
        self._rows = rows
        self._recipe = recipe
        self._config = config
        self._tokenizer = tokenizer
        self._vae = vae
        # A window's groups are needed in any order.
        rows.hold = plan.groups_at_once()

    def at(self, step: int) -> Iterator[Batch]:
        """Return the batches of a step, as many as the recipe accumulates."""
        count = self._recipe.accumulate
        for number in range(step * count, (step + 1) * count):
            yield self.batch(number)

    @torch.no_grad()
    def batch(self, number: int) -> Batch:
        """Return one batch, counted from 0 over the whole run."""
        samples = samples_of(self.plan.batch(number), self._rows, self._recipe, self._config)
        generator = torch.Generator().manual_seed(self._recipe.seed * 2**32 + number)
        return pack(samples, self._config, self._tokenizer, vae=self._vae,
                    dropout=self._recipe.dropout, generator=generator)


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
