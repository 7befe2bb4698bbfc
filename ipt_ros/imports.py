# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What our code imports from elsewhere, and whether that can be imported on this machine."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
import json
import re
import subprocess
import sys

_MARK = '@import '
# Each name is printed before it is tried: some libraries end the process instead of raising.
_TRY = f"""
import importlib, json, sys
for name in sys.argv[1:]:
    print('\\n' + {_MARK!r} + json.dumps([name]), flush=True)
    module, _, attribute = name.partition(':')
    try:
        found = importlib.import_module(module)
        attribute and getattr(found, attribute)
        error = ''
    except BaseException as caught:
        last = (str(caught).strip().splitlines() or [''])[-1]
        error = type(caught).__name__ + ': ' + last
    print('\\n' + {_MARK!r} + json.dumps([name, error]), flush=True)
"""
_TIMEOUT = 300.0  # s, for all of them together on a machine that has much else to do


@dataclass(frozen=True)
class Part:
    """
    A part of the system with what it needs beside Python and ROS.

    modules: names to import, deep enough to load compiled code; `module:name` where the module
    itself loads that only when asked for it. install: what installs them. lost: what does not
    work without them, '' if nothing works.
    """

    name: str
    modules: tuple[str, ...]
    install: str
    lost: str = ''


PARTS = (
    Part('nodes',
         ('numpy', 'yaml', 'PIL.Image', 'cv2', 'scipy.sparse.csgraph', 'mcap.writer',
          'safetensors.torch', 'torch', 'tqdm', 'huggingface_hub', 'tokenizers', 'rosbags.rosbag2',
          'transformers:Qwen2Tokenizer', 'diffusers:AutoencoderKL'),
         'rosdep install, then pip install -r requirements/robot.txt'),
    Part('training',
         ('pyarrow.parquet', 'torch.utils.tensorboard', 'peft:get_peft_model'),
         'pip install -r requirements/robot-training.txt',
         'ipt dataset, train, evaluate, report, compare, experiment'),
    Part('simulator', ('mujoco', 'open3d', 'trimesh'),
         'pip install -r requirements/robot-sim.txt',
         'ipt demo, scene, collect, bench, the simulated robot, maps from depth in mining'),
)


def missing(modules: Sequence[str]) -> list[str]:
    """Return those of the modules whose package is not installed, without importing anything."""
    return [name for name in modules if find_spec(_package(name)) is None]


def versions(modules: Sequence[str]) -> list[str]:
    """Return the distributions that bring the modules, each with its version."""
    owners = metadata.packages_distributions()
    names = dict.fromkeys(owner for name in modules for owner in owners.get(_package(name), ()))
    return [f'{name} {metadata.version(name)}' for name in names]


def broken(modules: Sequence[str]) -> dict[str, str]:
    """
    Import the modules in a process of its own; return {module: error} of those that fail.

    A library that ends the process is named, too, and those after it are tried in another one.
    """
    left, errors = list(modules), {}
    while left:
        code, output = _run(left)
        reports = [json.loads(line.removeprefix(_MARK)) for line in output.splitlines()
                   if line.startswith(_MARK)]
        done = [report for report in reports if len(report) == 2]
        errors |= {name: error for name, error in done if error}
        if len(done) == len(left):
            break
        stopped = left[len(done)]
        errors[stopped] = f'ends the process ({code})'
        left = left[len(done) + 1:]
    return errors


def _package(name: str) -> str:
    return re.match(r'\w+', name).group()


def _run(modules: Sequence[str]) -> tuple[str, str]:
    try:
        done = subprocess.run([sys.executable, '-c', _TRY, *modules], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired as expired:
        return f'no end after {_TIMEOUT:.0f} s', (expired.stdout or b'').decode(errors='replace')
    return f'exit code {done.returncode}', done.stdout
