# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Surroundings of every test: few threads, and DDS that meets nobody else."""

import importlib.util
import json
import os
from pathlib import Path
import re
import shutil

from hypothesis import HealthCheck, settings
from ipt_ros.domains import free_domain
import pytest

# Set before torch and OpenCV start their thread pools. Children inherit all of these.
os.environ.setdefault('OMP_NUM_THREADS', str(min(2, os.cpu_count() or 1)))
os.environ['ROS_AUTOMATIC_DISCOVERY_RANGE'] = 'LOCALHOST'
os.environ['RMW_IMPLEMENTATION'] = 'rmw_fastrtps_cpp'
os.environ['HF_HUB_OFFLINE'] = '1'

# A busy machine is no reason to fail.
settings.register_profile('patient', deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile('patient')

_HAS_ROS = all(importlib.util.find_spec(name) for name in ('rclpy', 'ipt_interfaces'))
collect_ignore = [] if _HAS_ROS else ['ros', 'ros_shared']


def pytest_report_header():
    """Say it when tests are left out."""
    if not _HAS_ROS:
        return 'rclpy or ipt_interfaces is missing: tests of nodes are NOT collected (make setup)'
    return None


@pytest.fixture(scope='module')
def ros_domain():
    """Return a ROS domain id that nobody else on this machine has, also as ROS_DOMAIN_ID."""
    with free_domain() as domain, pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_DOMAIN_ID', str(domain))
        yield domain


@pytest.fixture(scope='session')
def one_thread():
    """Let torch use one thread as long as tests that ask for this are running."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope='session')
def tiny_checkpoint(tmp_path_factory) -> Path:
    """Return a complete checkpoint folder of random weights: it answers nonsense, quickly."""
    folder = tmp_path_factory.mktemp('checkpoint') / 'tiny'
    shutil.copytree(Path(__file__).parent / 'data' / 'tiny_bagel', folder)
    golden = json.loads((folder / 'golden.json').read_text())
    vae = {name: value for name, value in golden['vae'].items()
           if name not in ('resolution', 'downsample')}
    (folder / 'bagel.json').write_text(json.dumps({
        **golden['bagel'], 'vae': vae, 'vae_transform': golden['vae_transform'],
        'vit_transform': golden['vit_transform'],
        'sampling': {'steps': 4, 'image_size': [32, 32], 'max_tokens': 16}}))
    return folder


@pytest.fixture(scope='session')
def write_adapter():
    """
    Return a function that writes a LoRA adapter of random numbers for a checkpoint folder.

    It changes the queries and values of every layer, in both experts.
    """
    def write(base: Path, folder: Path, seed: int = 0, **settings) -> Path:
        from ipt_ros.bagel.adapter import BASE_FINGERPRINT, CONFIG, WEIGHTS
        from ipt_ros.bagel.weight_files import fingerprint, header, weight_files
        from safetensors.torch import save_file
        import torch
        files = weight_files(base)
        shapes = {name: header(path)[name]['shape'] for name, path in files.items()}
        draw = torch.Generator().manual_seed(seed)
        tensors = {}
        for name in sorted(name for name in shapes if re.search(r'\.[qv]_proj\w*\.weight', name)):
            module = name.removeprefix('language_model.').removesuffix('.weight')
            for side, size in zip('BA', shapes[name]):
                shape = (size, 4) if side == 'B' else (4, size)
                tensors[f'base_model.model.{module}.lora_{side}.weight'] = 0.3 * torch.randn(
                    shape, generator=draw)
        folder.mkdir(parents=True)
        save_file(tensors, folder / WEIGHTS, metadata={
            'format': 'pt', BASE_FINGERPRINT: fingerprint(files)})
        (folder / CONFIG).write_text(json.dumps({
            'peft_type': 'LORA', 'base_model_name_or_path': str(base), 'r': 4, 'lora_alpha': 8,
            'target_modules': r'.*\.[qv]_proj(_moe_gen)?'} | settings))
        return folder
    return write
