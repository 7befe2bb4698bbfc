# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Latents kept on disk and batches made ahead: the same batches, whatever happens on the way."""

import errno
import os
from pathlib import Path
import signal
import subprocess
import sys
import threading
import time

from ipt_ros.bagel import Bagel
from ipt_training.finetune.batches import Batches
from ipt_training.finetune.index import make_index, Reading
from ipt_training.finetune.latents import fingerprint, LatentCache
from ipt_training.finetune.rows import Rows
from ipt_training.finetune.samples import training_config
from ipt_training.finetune.train import finetune, make_plan
from ipt_training.recipe import RecipeError
import numpy as np
import pytest
from safetensors.torch import load_file
import torch

ROOM = 2**20


def picture(seed=0, size=(32, 32)):
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def files(folder):
    return sorted(Path(folder).rglob('*.safetensors'))


@pytest.fixture
def blind():
    """Return a function that takes a VAE's eyes: what it is asked then fails."""
    def blinded(vae):
        def fail(image):
            raise AssertionError('asked for a latent that was there')
        vae.encode_image = fail
        return vae
    return blinded


def test_a_kept_latent_is_the_fresh_one_bit_for_bit(model, tmp_path, tiny_checkpoint, blind):
    fresh = [model.vae.encode_image(picture(seed)) for seed in range(2)]
    cache = LatentCache(model.vae, tmp_path, ROOM)
    for seed in range(2):
        assert torch.equal(cache.encode_image(picture(seed)), fresh[seed])
    assert len(files(tmp_path)) == 2
    later = LatentCache(blind(Bagel.from_checkpoint(tiny_checkpoint).vae), tmp_path, ROOM)
    for seed in range(2):
        assert torch.equal(later.encode_image(picture(seed)), fresh[seed])


def test_pixels_in_another_shape_are_another_image(model, tmp_path):
    cache = LatentCache(model.vae, tmp_path, ROOM)
    wide = picture(size=(16, 64))
    shapes = [tuple(cache.encode_image(image).shape[1:])
              for image in (wide, wide.reshape(32, 32, 3))]
    assert len(set(shapes)) == len(files(tmp_path)) == 2


def test_another_vae_and_another_number_format_have_their_own_latents(model, tmp_path):
    marks = {fingerprint(model.vae)}
    LatentCache(model.vae, tmp_path, ROOM).encode_image(picture())
    with torch.no_grad():
        model.vae.net.decoder.conv_in.bias.add_(0.5)  # changes no latent
        assert fingerprint(model.vae) in marks
        model.vae.net.encoder.conv_in.bias.add_(0.5)
    marks.add(fingerprint(model.vae))
    changed = LatentCache(model.vae, tmp_path, ROOM).encode_image(picture())
    assert torch.equal(changed, model.vae.encode_image(picture()))
    marks.add(fingerprint(model.vae.to(torch.bfloat16)))
    assert len(marks) == 3 and len(files(tmp_path)) == 2


@pytest.mark.parametrize('content', [b'', b'\x10\0\0\0\0\0\0\0{"latent":', 'half'])
def test_a_damaged_file_is_made_again(model, tmp_path, content):
    fresh = LatentCache(model.vae, tmp_path, ROOM).encode_image(picture())
    path, = files(tmp_path)
    whole = path.read_bytes()
    path.write_bytes(whole[:len(whole) // 2] if content == 'half' else content)
    assert torch.equal(LatentCache(model.vae, tmp_path, ROOM).encode_image(picture()), fresh)
    assert path.read_bytes() == whole


def test_the_folder_grows_no_further_than_its_limit(model, tmp_path):
    LatentCache(model.vae, tmp_path, ROOM).encode_image(picture())
    size = files(tmp_path)[0].stat().st_size
    for _ in range(2):  # what is there counts at a second start, too
        cache = LatentCache(model.vae, tmp_path, 3.5 * size)
        with pytest.warns(UserWarning, match='unless loading.latent_cache_gib is raised') as said:
            for seed in range(6):
                assert torch.equal(cache.encode_image(picture(seed)),
                                   model.vae.encode_image(picture(seed)))
        assert len(said) == 1
        assert len(files(tmp_path)) == 3


def test_processes_that_share_a_folder_share_its_limit(model, tmp_path):
    LatentCache(model.vae, tmp_path, ROOM).encode_image(picture())
    size = files(tmp_path)[0].stat().st_size
    for part in range(2):
        cache = LatentCache(model.vae, tmp_path / 'shared', 4.5 * size, sharers=2)
        for seed in range(2 * part, 2 * part + 2):
            cache.encode_image(picture(seed))
    assert len(files(tmp_path / 'shared')) <= 4


def test_a_full_disk_ends_the_keeping_and_not_the_training(model, tmp_path, monkeypatch):
    def full(path, content):
        with path.open('wb') as file:
            file.write(content[:len(content) // 2])
        raise OSError(errno.ENOSPC, 'No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', full)
    cache = LatentCache(model.vae, tmp_path, ROOM)
    with pytest.warns(UserWarning, match='disk is full'):
        cache.encode_image(picture())
    assert torch.equal(cache.encode_image(picture(1)), model.vae.encode_image(picture(1)))
    assert not [path for path in tmp_path.rglob('*') if path.is_file()]


def test_what_killed_processes_left_is_removed_once_it_is_old(model, tmp_path):
    old, young = (tmp_path / f'{name}.partial' for name in ('old', 'young'))
    for path in (old, young):
        path.write_bytes(b'half')
    os.utime(old, (time.time() - 2 * 3600,) * 2)
    LatentCache(model.vae, tmp_path, ROOM)
    assert young.exists() and not old.exists()


@pytest.mark.slow
def test_a_process_killed_while_it_keeps_latents_leaves_only_whole_ones(tmp_path, tiny_checkpoint):
    code = ('import sys, numpy as np\nfrom ipt_ros.bagel import Bagel\n'
            'from ipt_training.finetune.latents import LatentCache\nfrom pathlib import Path\n'
            'vae = Bagel.from_checkpoint(sys.argv[1]).vae\n'
            'cache = LatentCache(vae, Path(sys.argv[2]), 2**30)\n'
            'for i in range(10**6):\n'
            '    cache.encode_image(np.full((32, 32, 3), [i % 256, i // 256, 0], np.uint8))\n')
    with subprocess.Popen([sys.executable, '-c', code, str(tiny_checkpoint), str(tmp_path)],
                          env=os.environ | {'OMP_NUM_THREADS': '1'}) as process:
        while len(files(tmp_path)) < 5 and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    kept = files(tmp_path)
    assert len(kept) >= 5
    assert all(load_file(path)['latent'].isfinite().all() for path in kept)


def batches_of(recipe, model, stride=1):
    rows = Rows(recipe.data.paths)
    config = training_config(model.config, recipe.format)
    index = make_index(Reading(rows, recipe, config, model.tokenizer))
    return Batches(rows, make_plan(index, rows, recipe), recipe, config, model.tokenizer,
                   model.vae, stride)


def test_the_next_batches_are_made_without_being_asked_for_and_no_others(
        make_recipe, model, monkeypatch):
    recipe = make_recipe(steps=3, accumulate=2, loading={'prefetch': 2})
    made, all_made = [], threading.Event()

    def make(self, number):
        made.append((number, threading.current_thread().name))
        if number == 4:
            all_made.set()
        return number

    monkeypatch.setattr(Batches, '_make', make)
    with batches_of(recipe, model, stride=2) as batches:
        assert batches.batch(0) == 0
        assert all_made.wait(60)
        assert [batches.batch(number) for number in (2, 4)] == [2, 4]
    assert [number for number, _ in made] == [0, 2, 4]  # 6 would be beyond the run
    assert all(name.startswith('batches') for _, name in made)


def test_what_fails_ahead_raises_where_its_batch_is_asked_for(make_recipe, model, monkeypatch):
    recipe = make_recipe(loading={'prefetch': 3})

    def make(self, number):
        if number == 2:
            raise OSError('the shard is gone')
        return number

    monkeypatch.setattr(Batches, '_make', make)
    with batches_of(recipe, model) as batches:
        assert [batches.batch(number) for number in range(2)] == [0, 1]
        with pytest.raises(OSError, match='the shard is gone'):
            batches.batch(2)


def test_batches_made_ahead_from_kept_latents_are_those_made_at_once(make_recipe, model):
    plain = batches_of(make_recipe(mode='ipt'), model)
    loading = {'prefetch': 2, 'latent_cache_gib': 0.01}
    for _ in range(2):  # the second time all latents are there
        with batches_of(make_recipe(mode='ipt', loading=loading), model) as batches:
            for number in range(3):
                one, other = batches.batch(number), plain.batch(number)
                for name in ('text_ids', 'latents', 'times', 'noise', 'labels', 'lines'):
                    assert torch.equal(getattr(one, name), getattr(other, name))


@pytest.mark.slow
def test_a_stopped_run_that_loads_ahead_ends_as_one_that_does_not(make_recipe, monkeypatch):
    plain = make_recipe('plain')
    finetune(plain)
    recipe = make_recipe('ahead', save_seconds=0.0,
                         loading={'prefetch': 2, 'latent_cache_gib': 0.01})
    batch = Batches.batch

    def stopped(self, number):
        if number == 2:
            raise KeyboardInterrupt
        return batch(self, number)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Batches, 'batch', stopped)
        finetune(recipe)
    finetune(recipe)
    one, other = ((Path(made.checkpoint) / 'ema.safetensors').read_bytes()
                  for made in (plain, recipe))
    assert one == other
    assert files(Path(recipe.work_dir) / 'latents')


@pytest.mark.parametrize(('loading', 'word'), [
    ({'prefetch': -1}, 'prefetch'), ({'prefetch': 0.5}, 'prefetch'),
    ({'latent_cache_gib': -2}, 'latent_cache_gib')])
def test_senseless_settings_of_loading_are_refused(make_recipe, loading, word):
    with pytest.raises(RecipeError, match=word):
        make_recipe(loading=loading)
