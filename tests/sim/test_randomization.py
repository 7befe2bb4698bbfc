# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The file of domain randomisation: what is read, and what is refused with which words."""

from dataclasses import fields
from pathlib import Path
import re

from hypothesis import given
from hypothesis import strategies as st
from ipt_sim.randomization import (
    Jpeg,
    load_randomization,
    Noise,
    Randomization,
    randomization_from,
    RandomizationError,
    Range,
)
import numpy as np
import pytest
import yaml

CONFIG = Path(__file__).parents[2] / 'config'
SHIPPED = ('randomization.yaml', 'randomization_real.yaml')


def written(tmp_path, text):
    path = tmp_path / 'some.yaml'
    path.write_text(text)
    return path


@pytest.mark.parametrize('name', SHIPPED)
def test_shipped_files_use_every_section_and_quantity(name):
    what = load_randomization(CONFIG / name)
    values = yaml.safe_load((CONFIG / name).read_text())
    for section in fields(Randomization):
        if section.name != 'seed':
            quantities = {item.name for item in fields(getattr(what, section.name))}
            assert set(values[section.name]) == quantities, section.name


def test_comments_of_the_shipped_file_name_the_ranges_that_are_enforced():
    """Every 'low ... high' in a comment is that of the quantity on its line."""
    what, section, checked = load_randomization(CONFIG / SHIPPED[0]), None, 0
    for line in (CONFIG / SHIPPED[0]).read_text().splitlines():
        if found := re.match(r'(\w+):', line):
            section = getattr(what, found[1])
        stated = re.match(r' +(\w+): .*?#.*?(-?[\d.]+) \.\.\. ([\d.]+)', line)
        if stated:
            metadata = next(
                item.metadata for item in fields(section) if item.name == stated[1])
            assert (float(stated[2]), float(stated[3])) == (metadata['low'], metadata['high'])
            checked += 1
    assert checked > 25


def test_the_stand_in_for_reality_lies_outside_what_training_gives():
    training, real = (load_randomization(CONFIG / name) for name in SHIPPED)
    for path in ('light.warmth', 'textures.contrast', 'textures.saturation', 'camera.x',
                 'camera.z', 'camera.pitch', 'camera.focal', 'camera.center_u', 'camera.center_v',
                 'white_balance.red', 'white_balance.blue', 'vignetting.strength', 'noise.shot',
                 'noise.read', 'jpeg.quality'):
        section, quantity = path.split('.')
        ours, theirs = (getattr(getattr(what, section), quantity) for what in (training, real))
        assert ours.high < theirs.low or theirs.high < ours.low, path


def test_what_is_left_out_is_off(tmp_path):
    what = load_randomization(written(tmp_path, 'noise: {read: 0.01}'))
    assert what == Randomization(noise=Noise(read=Range(0.01, 0.01)))
    assert what.noise.shot == Range(0.0, 0.0)


def test_seed_given_beside_the_file_wins(tmp_path):
    path = written(tmp_path, 'seed: 3')
    assert (load_randomization(path).seed, load_randomization(path, 7).seed) == (3, 7)


@pytest.mark.parametrize(('text', 'words'), [
    ('nose: {read: 0.1}', ['unknown nose', 'white_balance']),
    ('noise: {reed: 0.1}', ["section 'noise'", 'unknown reed', 'shot, read']),
    ('noise: {read: 0.3}', ['noise.read', '0.3', '0 ... 0.2']),
    ('noise: {read: [0.1, -0.1]}', ['noise.read', 'out of range']),
    ('noise: {read: [0.1, 0.05]}', ['noise.read', 'backwards']),
    ('noise: {read: [0.1, 0.1, 0.1]}', ['noise.read', 'a number or [low, high]']),
    ('noise: {read: []}', ['noise.read', 'a number or [low, high]']),
    ('noise: {read: much}', ['noise.read', "'much'"]),
    ('noise: {read: .nan}', ['noise.read', 'nan']),
    ('noise: {read: .inf}', ['noise.read', 'inf']),
    ('noise: {read: true}', ['noise.read', 'True']),
    ('noise: 0.1', ["section 'noise'", 'float 0.1']),
    ('drops: {probability: [0.1, 0.2]}', ['drops.probability', 'expected a number (']),
    ('seed: -1', ['seed', '0 ... 2147483647', '-1']),
    ('seed: 1.5', ['seed', '1.5']),
    ('seed: true', ['seed', 'True']),
    ('- noise', ['the file', 'list']),
    ('', ['the file', 'NoneType']),
    ('noise: {read: 0.1}\nnoise: {shot: 0.1}', ["'noise' is given twice", 'line 2']),
    ('noise: [', ['not valid YAML']),
    ('!!python/object/apply:os.getcwd []', ['not valid YAML']),
])
def test_a_file_that_makes_no_sense_is_refused_by_file_and_field(tmp_path, text, words):
    path = written(tmp_path, text)
    with pytest.raises(RandomizationError) as caught:
        load_randomization(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_a_missing_or_binary_file_is_named(tmp_path):
    for path in (tmp_path / 'none.yaml', tmp_path):
        with pytest.raises(RandomizationError, match=re.escape(str(path))):
            load_randomization(path)
    path = tmp_path / 'binary.yaml'
    path.write_bytes(b'\xff\xfe\x00\x80')
    with pytest.raises(RandomizationError, match='cannot be read'):
        load_randomization(path)


@given(st.floats(5.0, 100.0), st.floats(5.0, 100.0), st.integers(0, 2**31 - 1))
def test_values_are_drawn_within_their_range(one, other, seed):
    low, high = sorted((one, other))
    what = randomization_from({'jpeg': {'quality': [low, high]}, 'seed': seed})
    assert what.jpeg == Jpeg(Range(low, high))
    value = what.jpeg.quality.draw(np.random.default_rng(seed))
    assert low <= value <= high


@given(st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(['seed', 'noise', 'read', 'jpeg', 'x']), inner, max_size=3)))
def test_whatever_stands_in_the_file_is_taken_or_refused_in_words(values):
    try:
        assert isinstance(randomization_from(values), Randomization)
    except RandomizationError as error:
        assert str(error)
