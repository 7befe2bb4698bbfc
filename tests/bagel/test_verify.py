# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The model agrees with the reference's numbers, and the command says so when it does not."""

import json
import shutil

from ipt_ros.bagel import verify
import pytest
from safetensors.torch import load_file, save_file

CASES = ('tokenizer', 'transform', 'resize_table', 'vit', 'vae', 'context', 'text', 'answer_only',
         'flow', 'sample.global', 'sample.channel', 'sample.text_channel', 'sample.text_only',
         'sample.none', 'interleave', 'train')


@pytest.mark.parametrize('case', CASES)
def test_agrees_with_the_reference(golden, case):
    assert dict(golden.runs())[case]() <= verify.TOLERANCE


def test_every_case_is_listed(golden):
    assert tuple(name for name, _ in golden.runs()) == CASES


@pytest.fixture
def copy(golden_folder, tmp_path):
    return shutil.copytree(golden_folder, tmp_path / 'golden')


def test_command_passes(golden_folder, capsys):
    assert verify.main([str(golden_folder)]) == 0
    report = capsys.readouterr().out
    assert all(case in report for case in CASES)
    assert 'FAILED' not in report


@pytest.mark.parametrize(('tensor', 'case'), [
    ('vit.features', 'vit'), ('context.key_last', 'context'), ('text.tokens', 'text'),
    ('sample.channel.latent', 'sample.channel'), ('train.mse', 'train'),
])
def test_command_fails_on_a_changed_number(copy, capsys, tensor, case):
    numbers = load_file(copy / 'golden.safetensors')
    # 0.1 % of the largest number is ten times the tolerance; tokens change by one.
    value = numbers[tensor]
    value.view(-1)[0] += 1 if not value.is_floating_point() else value.abs().max() * 1e-3
    save_file(numbers, copy / 'golden.safetensors')
    assert verify.main([str(copy)]) == 1
    failed = [line for line in capsys.readouterr().out.splitlines() if 'FAILED' in line]
    assert [line.split()[0] for line in failed] == [case]


def test_command_fails_on_a_changed_weight(copy, capsys):
    weights = load_file(copy / 'ema.safetensors')
    weights['language_model.model.layers.0.mlp_moe_gen.up_proj.weight'] *= 1.01
    save_file(weights, copy / 'ema.safetensors')
    assert verify.main([str(copy)]) == 1
    report = capsys.readouterr().out
    assert any(line.startswith('flow') and 'FAILED' in line for line in report.splitlines())


def test_command_takes_sizes_from_the_folder(copy, capsys):
    """A wrong size must matter: it is read, not assumed."""
    facts = json.loads((copy / 'golden.json').read_text())
    facts['vae']['ch'] = 64
    (copy / 'golden.json').write_text(json.dumps(facts))
    assert verify.main([str(copy)]) == 1
    assert 'wrong shape' in capsys.readouterr().err


def test_command_says_what_is_missing(tmp_path, capsys):
    assert verify.main([str(tmp_path)]) == 1
    assert 'golden.json' in capsys.readouterr().err
