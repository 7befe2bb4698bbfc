# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Speed of training, and the peaks of devices that it is compared with."""

from ipt_training import peak, speed
from ipt_training.peak import data_sheet_peak, device_peak, Peak
from ipt_training.speed import Speed
import pytest
import torch


def test_speed_is_that_of_the_whole_step_before(monkeypatch):
    clock = iter([10.0, 12.0, 16.0])
    monkeypatch.setattr(speed.time, 'monotonic', lambda: next(clock))
    made = Speed(peak=1000.0)
    assert made.step(4, 100, 500.0) == {}
    assert made.step(8, 400, 3000.0) == {'samples_per_s': 2, 'tokens_per_s': 50, 'mfu': 0.25}
    assert made.step(1, 1, 1.0) == {'samples_per_s': 2, 'tokens_per_s': 100, 'mfu': 0.75}


def test_without_a_peak_there_is_no_mfu():
    made = Speed()
    made.step(4, 100, 500.0)
    assert set(made.step(4, 100, 500.0)) == {'samples_per_s', 'tokens_per_s'}


@pytest.mark.parametrize(('name', 'tflops'), [
    ('NVIDIA H100 80GB HBM3', 989.4), ('NVIDIA H100 PCIe', 756.0), ('NVIDIA H200', 989.4),
    ('NVIDIA A100-SXM4-80GB', 312.0), ('NVIDIA A100 80GB PCIe', 312.0), ('NVIDIA L4', 121.0),
    ('NVIDIA L40', 181.0), ('NVIDIA L40S', 362.0), ('NVIDIA A10', 125.0),
    ('NVIDIA GeForce RTX 4090', 165.2)])
def test_gpus_are_known_by_their_whole_name(name, tflops):
    assert data_sheet_peak(name) == tflops * 1e12


@pytest.mark.parametrize('name', [
    'NVIDIA GeForce RTX 4090 Laptop GPU', 'NVIDIA A100-SXM4-80GB MIG 1g.10gb', 'Orin',
    'NVIDIA H100 80GB HBM3 MIG 3g.40gb', 'Tesla V100-SXM2-16GB', 'Something New'])
def test_what_is_not_in_the_table_is_not_guessed(name):
    assert data_sheet_peak(name) is None


def test_a_processor_is_measured(monkeypatch):
    monkeypatch.setattr(peak, '_SIDE', 64)
    found = device_peak('cpu')
    assert found.source == 'measured' and 1e6 < found.flops < 1e15


def test_a_known_gpu_is_not_measured(monkeypatch):
    monkeypatch.setattr(peak, 'fast_dtype', lambda device: torch.bfloat16)
    monkeypatch.setattr(torch.cuda, 'get_device_name', lambda device: 'NVIDIA H200')
    found = device_peak('cuda:0')
    assert found == Peak(989.4e12, 'data sheet of NVIDIA H200')
    assert str(found) == '989 TFLOP/s (data sheet of NVIDIA H200)'
