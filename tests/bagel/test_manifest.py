# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A 7B build carries the published tensors, name for name and shape for shape."""

import json
from pathlib import Path

from ipt_ros.bagel import Bagel, BagelConfig
from ipt_ros.bagel.config import from_dict, LlmConfig, VitConfig
import pytest
import torch


@pytest.fixture(scope='module')
def manifest():
    path = Path(__file__).parents[1] / 'data' / 'bagel_7b_manifest.json'
    return json.loads(path.read_text())


@pytest.fixture(scope='module')
def big():
    with torch.device('meta'):
        return Bagel(BagelConfig())


def test_weights(manifest, big):
    assert {k: list(v.shape) for k, v in big.state_dict().items()} == manifest['ema']
    assert sum(p.numel() for p in big.parameters()) == pytest.approx(14.607e9, rel=1e-4)


def test_vae(manifest, big):
    assert {k: list(v.shape) for k, v in big.vae.named_tensors().items()} == manifest['ae']


def test_defaults_are_the_7b(manifest, tmp_path):
    for name in ('llm_config', 'vit_config'):
        (tmp_path / f'{name}.json').write_text(json.dumps(manifest[name]))
    assert BagelConfig.from_folder(tmp_path) == BagelConfig()
    assert BagelConfig().llm == from_dict(LlmConfig, {
        k: v for k, v in manifest['llm_config'].items() if k in LlmConfig.__dataclass_fields__})
    assert BagelConfig().vit.layers == 26
    assert isinstance(BagelConfig().vit, VitConfig)
