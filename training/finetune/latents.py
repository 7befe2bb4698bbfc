# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Latents of images, encoded once: the VAE is frozen, so an image has the same one every time.

On disk each is a file of its own, named by the pixels that went in, in a folder named by the VAE.
A file appears whole or not at all, whenever a process is killed; what is damaged is made again.
"""

from collections import OrderedDict
from collections.abc import Mapping
import errno
import hashlib
import json
import os
from pathlib import Path
import time
import warnings

from ipt_ros.bagel import Vae
import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save
import torch
from torch import Tensor

SUFFIX = '.safetensors'
_PARTIAL = '.partial'
_FORGOTTEN = 3600.0  # s; a partial file of this age has nobody who still writes it
_HELD = 64  # latents in memory: copies and branches of a sample share theirs


class LatentCache:
    """
    Stands in for a VAE where images are encoded, see `packing.pack`.

    ``folder``: where latents are kept, None for memory alone. ``limit``: bytes it may come to, no
    more is kept beyond them. ``sharers``: processes that fill it together.
    """

    def __init__(self, vae: Vae, folder: Path | None = None, limit: float = 0.0,
                 sharers: int = 1):
        self._vae = vae
        self._held: OrderedDict[str, Tensor] = OrderedDict()
        self._folder: Path | None = None
        self._room = 0.0
        self._full = False  # and said so
        if folder is not None:
            self._folder = folder / fingerprint(vae)
            self._folder.mkdir(parents=True, exist_ok=True)
            self._room = (limit - _tidy(folder)) / sharers

    def encode_image(self, image: np.ndarray) -> Tensor:
        """Return the latent (z, h, w) float32 of one uint8 image (H, W, 3), as `Vae` does."""
        key = hashlib.sha256(
            json.dumps(image.shape).encode() + np.ascontiguousarray(image).tobytes()).hexdigest()
        if key not in self._held:
            while len(self._held) >= _HELD:
                self._held.popitem(last=False)
            self._held[key] = self._find(key, image)
        self._held.move_to_end(key)
        return self._held[key]

    def _find(self, key: str, image: np.ndarray) -> Tensor:
        if self._folder is None:
            return self._vae.encode_image(image).cpu()
        # No more files in one folder than file systems like.
        path = self._folder / key[:2] / f'{key}{SUFFIX}'
        try:
            return load_file(path)['latent']
        except (OSError, SafetensorError, KeyError):
            pass  # not there, or damaged
        latent = self._vae.encode_image(image).cpu().contiguous()
        self._keep(path, latent)
        return latent

    def _keep(self, path: Path, latent: Tensor) -> None:
        size = latent.numel() * latent.element_size()
        if size > self._room:
            if not self._full:
                self._full = True
                warnings.warn(
                    f"the latents in '{self._folder.parent}' fill all the room they have; others "
                    'are encoded anew whenever they are needed, unless loading.latent_cache_gib '
                    'is raised', stacklevel=2)
            return
        partial = path.with_name(f'{path.stem}-{os.getpid()}{_PARTIAL}')
        try:
            path.parent.mkdir(exist_ok=True)
            partial.write_bytes(save({'latent': latent}))
            os.replace(partial, path)
            self._room -= path.stat().st_size
        except OSError as error:
            partial.unlink(missing_ok=True)
            self._room, self._full = 0.0, True
            warnings.warn(
                f"no more latents are kept in '{self._folder}', training goes on without: "
                f'{"the disk is full" if error.errno == errno.ENOSPC else error}', stacklevel=2)


def fingerprint(vae: Vae) -> str:
    """Return what tells a VAE's latents, and the format they are computed in, from others."""
    # A decoder changes no latent.
    return mark(repr(vae.config), {name: value for name, value in vae.named_tensors().items()
                                   if name.startswith('encoder.')})


def mark(settings: str, tensors: Mapping[str, Tensor]) -> str:
    """Return what tells these settings and tensors, with their types and devices, from others."""
    digest = hashlib.sha256(settings.encode())
    for name, value in sorted(tensors.items()):
        digest.update(f'{name} {value.dtype} {tuple(value.shape)} {value.device.type}'.encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy())
    return digest.hexdigest()[:32]


def _tidy(folder: Path) -> int:
    """Remove what killed processes left half written; return the bytes of the rest."""
    size = 0
    for path in folder.rglob('*'):
        try:
            status = path.stat()
            if path.suffix == _PARTIAL and time.time() - status.st_mtime > _FORGOTTEN:
                path.unlink()
            elif path.suffix == SUFFIX:
                size += status.st_size
        except FileNotFoundError:
            continue  # another process was faster
    return size
