# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The adapter that a run writes is a model of its own, together with its base."""

from dataclasses import replace
from pathlib import Path
import shutil

from ipt_ros.bagel import Bagel, BagelConfig, CheckpointError, Tokenizer
from ipt_training.finetune.dry_run import dry_run
from ipt_training.finetune.errors import FinetuneError
from ipt_training.finetune.recipe import LoraSettings
from ipt_training.finetune.train import finetune
import pytest
import torch


@pytest.mark.parametrize('also', [[], ['connector']])
def test_the_adapter_alone_is_the_merged_checkpoint(also, make_recipe, model):
    recipe = make_recipe(
        steps=2, mode='ipt', format={'imagined_side': 16},
        lora={'rank': 4, 'base_dtype': 'float32', 'also': also})
    folder = finetune(recipe)
    merged, alone = Bagel.from_checkpoint(folder), Bagel.from_checkpoint(folder / 'adapter')
    assert alone.origin.source.folder == Path(recipe.start).resolve()
    assert alone.config == merged.config != model.config
    before = model.state_dict()
    for name, value in merged.state_dict().items():
        torch.testing.assert_close(
            alone.state_dict()[name], value, rtol=1e-6, atol=1e-7, msg=name)
        assert name in alone.origin.changed or torch.equal(value, before[name])
    assert any('_moe_gen' in name for name in alone.origin.changed)
    assert any('connector' in name for name in alone.origin.changed) == bool(also)


def test_an_adapter_knows_its_base_by_the_weights(make_recipe, tiny_checkpoint, tmp_path):
    base = shutil.copytree(tiny_checkpoint, tmp_path / 'base')
    recipe = make_recipe(steps=1, start=str(base), lora={'rank': 2, 'base_dtype': 'float32'})
    adapter = finetune(recipe) / 'adapter'
    for start_with in (finetune, dry_run):
        with pytest.raises(FinetuneError, match='is an adapter.*merged into'):
            start_with(replace(recipe, start=str(adapter)))
        with pytest.raises(FinetuneError, match='is what the run begins with'):
            start_with(replace(recipe, start=recipe.checkpoint))
    assert dry_run(replace(recipe, start=str(adapter), lora=LoraSettings(),
                           checkpoint=str(tmp_path / 'further'))).exists()
    Bagel.from_config(BagelConfig.from_folder(base), Tokenizer.from_folder(base)).save_checkpoint(
        base)
    with pytest.raises(CheckpointError, match=f'{base}: has the fingerprint'):
        Bagel.from_checkpoint(adapter)
