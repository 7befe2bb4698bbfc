# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Install the pinned torch: the CPU build for machines without an NVIDIA GPU, else a CUDA build.

On PyPI the plain Linux wheel of torch pulls gigabytes of CUDA. CPU machines must never get that by
accident, so what pip would take is looked at (a dry run, metadata only) before anything is
downloaded. Usage: `install_torch.py {cpu,cuda} REQUIREMENTS_FILE`; the environment variable
TORCH_INDEX names another PyTorch package index, such as https://download.pytorch.org/whl/cu126.
"""

from importlib import metadata
import json
import os
from pathlib import Path
import re
import subprocess
import sys

CPU_INDEX = 'https://download.pytorch.org/whl/cpu'
CUDA_NAMES = re.compile(r'(nvidia|cuda)[-_.]|triton\b', re.IGNORECASE)
PIP = [sys.executable, '-m', 'pip', '--disable-pip-version-check', '--no-input']


def pinned(text):
    """Return the one `torch==X.Y.Z` line of a requirements file's text."""
    pins = re.findall(r'^torch==[\w.]+$', text, re.MULTILINE)
    if len(pins) != 1:
        raise SystemExit(f'expected one line `torch==X.Y.Z`, found {pins or "none"}')
    return pins[0]


def candidates(variant, pin, index=''):
    """
    List what to ask pip for, best first.

    A local version such as `+cpu` exists on PyTorch's own indexes (and on mirrors that copy them),
    never on PyPI, which makes the first two CPU requests safe whatever indexes pip knows.

    :param variant: 'cpu' or 'cuda'
    :param pin: requirement without a local version, `torch==X.Y.Z`
    :param index: PyTorch index whose last path component names the build, or ''
    :returns: lists of arguments for `pip install`
    """
    if index:
        build = index.rstrip('/').rsplit('/', 1)[-1]
        return [[f'{pin}+{build}', '--extra-index-url', index]]
    if variant == 'cuda':
        return [[pin]]
    return [[f'{pin}+cpu'], [f'{pin}+cpu', '--extra-index-url', CPU_INDEX], [pin]]


def cuda_packages(requires):
    """Pick the CUDA libraries out of a distribution's `Requires-Dist` lines."""
    return [line for line in requires or () if CUDA_NAMES.match(line)]


def resolve(request):
    """Ask pip what it would install for torch itself: metadata of it, or None if it finds none."""
    dry_run = ['install', '--dry-run', '--ignore-installed', '--no-deps', '--report', '-']
    quick = ['--quiet', '--timeout', '15', '--retries', '1', '--only-binary', ':all:']
    done = subprocess.run([*PIP, *dry_run, *quick, *request], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False)
    if done.returncode:
        return None
    return json.loads(done.stdout)['install'][0]['metadata']


def choose(variant, requests, look=resolve):
    """
    Return the first request that gives an acceptable build.

    :param variant: 'cpu' (a build with CUDA libraries is refused) or 'cuda'
    :param requests: as from `candidates`
    :param look: function that maps a request to metadata or None
    :raises SystemExit: with a sentence to act on, when there is none
    """
    refused = ''
    for request in requests:
        found = look(request)
        if found is None:
            continue
        heavy = cuda_packages(found.get('requires_dist'))
        if variant == 'cpu' and heavy:
            refused = f' The build offered for `{request[0]}` needs {len(heavy)} CUDA packages.'
            continue
        return request
    raise SystemExit(
        f'No {variant} build of {requests[-1][0]} found; tried: '
        + '; '.join(' '.join(request) for request in requests) + f'.{refused}\n'
        'Check the network, or name an index that has one: make setup TORCH_INDEX=URL, '
        'or take the CUDA build on purpose: make setup TORCH=cuda')


def remove_other_build(variant):
    """Uninstall a torch of the other kind: pip takes X.Y.Z+cpu for a fulfilled X.Y.Z."""
    try:
        installed = metadata.distribution('torch')
    except metadata.PackageNotFoundError:
        return
    kind = 'cuda' if cuda_packages(installed.requires) else 'cpu'
    if kind != variant:
        print(f'removing the {kind} build of torch {installed.version}')
        subprocess.run([*PIP, 'uninstall', '--yes', '--quiet', 'torch'], check=True)


def main(arguments):
    """Install torch; exit with a clear sentence where no fitting build can be had."""
    if len(arguments) != 2 or arguments[0] not in ('cpu', 'cuda'):
        raise SystemExit(__doc__)
    variant, requirements = arguments
    pin = pinned(Path(requirements).read_text(encoding='utf-8'))
    request = choose(variant, candidates(variant, pin, os.environ.get('TORCH_INDEX', '')))
    remove_other_build(variant)
    folder = Path(requirements).parent
    constraints = ['-c', str(folder / 'constraints.txt'), '-c', str(folder / 'build.txt')]
    subprocess.run([*PIP, 'install', *constraints, *request], check=True)
    seen = 'import torch; print(torch.__version__, torch.cuda.is_available())'
    version, usable = subprocess.run([sys.executable, '-c', seen], check=True, text=True,
                                     stdout=subprocess.PIPE).stdout.split()
    print(f'torch {version} is installed')
    if variant == 'cuda' and usable != 'True':
        print('WARNING: this torch finds no usable GPU. An older driver may need another build: '
              'make setup TORCH_INDEX=https://download.pytorch.org/whl/cu126')


if __name__ == '__main__':
    main(sys.argv[1:])
