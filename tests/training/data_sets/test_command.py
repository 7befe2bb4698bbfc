# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `ipt dataset`, as somebody types it."""

import base64
from dataclasses import replace
from html.parser import HTMLParser
import json
from pathlib import Path
import re

import cv2
from ipt_ros.spatial import DenseTruth, Example, TASKS
from ipt_training.datasets import build as building
from ipt_training.datasets import command
from ipt_training.datasets.build import build, Plan
from ipt_training.datasets.command import main, with_variants
from ipt_training.datasets.options_file import load_options
from ipt_training.datasets.reading import list_shards, sample
from ipt_training.datasets.simulated import largest_picture
from ipt_training.examples import ExampleOptions
from ipt_training.store import save_shard
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import thin_air
import yaml


@pytest.fixture
def from_thin_air(monkeypatch):
    """Let `ipt dataset build` draw its examples from thin air, and return what it was told."""
    told = {}

    def build_from(plan, out, workers, about):
        told.update(plan=plan, workers=workers, about=about)
        source = thin_air.ThinAir(plan.tasks)
        pool = thin_air.Inline()
        monkeypatch.setattr(building, 'wait', pool.wait)
        return build(Plan(plan.tasks, plan.number, source, plan.shares, plan.shard_size), out,
                     workers, about, pool)

    monkeypatch.setattr(command, 'build', build_from)
    return told


@pytest.fixture
def small(from_thin_air, tmp_path) -> Path:
    assert main(['build', '--tasks', 'pet,mvc', '--n', '12', '--out', str(tmp_path / 'set')]) == 0
    return tmp_path / 'set'


def test_build_says_what_it_made_and_exits_with_0(from_thin_air, tmp_path, capsys):
    assert main(['build', '--tasks', 'pet,mvc', '--n', '12', '--out', str(tmp_path / 'set')]) == 0
    shown = capsys.readouterr().out
    assert '12 examples' in shown and 'dataset.json' in shown
    assert from_thin_air['about'] == {'seed': 0, 'backend': 'mujoco'}
    assert from_thin_air['plan'].source.backend == 'mujoco'


def test_a_short_data_set_ends_with_1_and_says_why(from_thin_air, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(
        thin_air, 'ThinAir', lambda tasks, real=thin_air.ThinAir: real(tasks, barren=('mvc',)))
    code = main(['build', '--tasks', 'pet,mvc', '--n', '8', '--out', str(tmp_path / 'set')])
    shown = capsys.readouterr().out
    assert code == 1 and 'NOT what was asked for' in shown and 'mvc: 0 examples of 4' in shown


def test_the_card_starts_with_the_front_matter_of_the_hub(small):
    text = (small / 'README.md').read_text()
    _, front, body = text.split('---\n', 2)
    values = yaml.safe_load(front)
    assert values['license'] == 'apache-2.0' and values['size_categories'] == ['n<1K']
    for config in values['configs']:
        for files in config['data_files']:
            assert list(small.glob(files['path']))
            assert files['split'] in ('train', 'validation', 'test')
    assert {config['config_name'] for config in values['configs']} == {'pet', 'mvc'}
    assert '## Balance' in body and '"tasks"' in body


def test_the_card_counts_what_is_on_disk(small):
    card = json.loads((small / 'dataset.json').read_text())
    rows = {name: pq.read_metadata(small / name).num_rows for name in card['files']}
    assert rows == card['files'] and sum(rows.values()) == card['examples'] == 12
    pet = card['tasks']['pet']
    assert sum(pet['balance']['subtask'].values()) == 6
    assert sum(pet['balance']['answer'].values()) == 6
    assert pet['balance']['turn'] == {'left': 6}
    assert card['tasks']['mvc']['balance']['count'].keys() <= {'1', '2', '3', '4', '5'}
    assert pet['cost']['seconds_per_example'] >= 0 and pet['attempts'] >= 6
    assert card['cost']['cpu_seconds'] >= pet['cost']['cpu_seconds'] >= 0


@pytest.mark.parametrize(('arguments', 'message'), [
    (['--tasks', 'pet,chess', '--n', '4'], 'unknown tasks.*chess'),
    ([], 'say how many'),
    (['--n', '0'], '--n is 0'),
    (['--n', '4', '--seed', '-1'], '--seed is -1'),
    (['--n', '4', '--workers', '0'], '--workers is 0'),
    (['--n', '4', '--shares', '0.5,0.2'], 'one share for each'),
    (['--n', '4', '--shares', 'all'], 'could not convert'),
    (['--n', '4', '--variants', 'sideways'], "no variant 'sideways'; there are pet: no_arrow"),
    (['--n', '4', '--modes', 'ipt'], 'modes are label-only, answer-only, text-cot'),
    (['--n', '4', '--backend', 'chess'], 'invalid choice'),
    (['--from', '.', '--randomization', 'a.yaml'], 'randomization belongs to a simulator'),
])
def test_bad_arguments_end_with_usage_and_touch_nothing(arguments, message, tmp_path, capsys):
    with pytest.raises(SystemExit) as end:
        main(['build', '--out', str(tmp_path / 'set'), *arguments])
    assert end.value.code == 2
    error = capsys.readouterr().err
    assert 'usage: ipt dataset build' in error
    assert re.search(message, error)
    assert not (tmp_path / 'set').exists()


def test_a_randomization_that_is_not_there_is_named(tmp_path, capsys):
    missing = tmp_path / 'none.yaml'
    assert main(['build', '--n', '4', '--out', str(tmp_path / 'set'),
                 '--randomization', str(missing)]) == 1
    assert str(missing) in capsys.readouterr().err
    assert not (tmp_path / 'set').exists()


def test_options_are_read_from_a_file(tmp_path):
    file = tmp_path / 'options.yaml'
    file.write_text('pet_pixels: 48\npet_rules: {max_distance: 3}\nmap_crop: true\n'
                    'pet_variants: [with_arrow]\npet_target_distance: [1, 2.5]\n')
    options = load_options(file)
    assert options.pet_pixels == 48 and options.map_crop
    assert options.pet_rules.max_distance == 3.0 and options.pet_rules.min_area == 0.004
    assert options.pet_variants == ('with_arrow',) and options.pet_target_distance == (1.0, 2.5)
    assert options.mvc_pixels == ExampleOptions().mvc_pixels
    shipped = load_options(Path(__file__).parents[3] / 'config' / 'examples_large.yaml')
    assert shipped.pet_pixels == 1024 and largest_picture(shipped) == 1024
    assert shipped.pt_variants == TASKS['pt'].variants and shipped.pt_area[0] == 0.0015


@pytest.mark.parametrize(('text', 'message'), [
    ('pet_pixel: 48', 'unknown settings pet_pixel; there are: supersample'),
    ('pet_rules: {reach: 1}', 'unknown settings pet_rules.reach'),
    ('pet_pixels: large', "pet_pixels: expected int like 96, found 'large'"),
    ('pet_pixels: true', 'pet_pixels: expected int'),
    ('pet_pixels: -4', 'pet_pixels: expected 0 or more'),
    ('pet_target_distance: [1]', 'pet_target_distance: expected a list like'),
    ('mvc_padding: {rotation: 1}', 'mvc_padding: expected rotation, multi_camera'),
    ('- a', 'the file: expected settings by name'),
    ('a: [', 'cannot read options'),
])
def test_options_that_make_no_sense_are_named(tmp_path, text, message, capsys):
    file = tmp_path / 'options.yaml'
    file.write_text(text)
    assert main(['build', '--n', '4', '--out', str(tmp_path / 'set'),
                 '--options', str(file)]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / 'set').exists()


def test_a_full_disk_is_said_with_what_to_do(monkeypatch, tmp_path, capsys):
    def full(*arguments):
        raise OSError(28, 'No space left on device', str(tmp_path / 'set'))

    monkeypatch.setattr(command, 'build', full)
    assert main(['build', '--n', '4', '--out', str(tmp_path / 'set')]) == 1
    assert 'No space left' in (said := capsys.readouterr().err) and 'same command again' in said


def test_variants_go_to_the_tasks_that_have_them():
    made = with_variants(ExampleOptions(), ('pet', 'mvc'), 'with_arrow')
    assert made.pet_variants == ('with_arrow',)
    assert with_variants(ExampleOptions(), ('pet',), '') == ExampleOptions()
    both = with_variants(ExampleOptions(), ('pet', 'mvc'), 'with_arrow,no_arrow')
    assert both.pet_variants == ('no_arrow', 'with_arrow')
    every = with_variants(ExampleOptions(), ('pet', 'pt', 'mvc'), 'all')
    assert every.pet_variants == TASKS['pet'].variants
    assert every.pt_variants == TASKS['pt'].variants


class Seen(HTMLParser):
    """Collects text and pictures of a page."""

    def __init__(self):
        super().__init__()
        self.text, self.pictures, self.links = '', [], []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        if tag == 'img':
            self.pictures.append(values['src'])
        self.links += [values[name] for name in ('href', 'src') if name in values]

    def handle_data(self, data):
        self.text += data


def read(path: Path) -> Seen:
    seen = Seen()
    seen.feed(path.read_text())
    return seen


def test_show_writes_a_page_with_everything_in_it(small, tmp_path, capsys):
    out = tmp_path / 'pages' / 'page.html'
    assert main(['show', str(small), '--n', '5', '--out', str(out)]) == 0
    assert '5 examples' in capsys.readouterr().out
    page = read(out)
    assert len(page.pictures) == 10  # input and target of each
    assert all(link.startswith('data:image/png;base64,') for link in page.links)
    for shard, index, example in sample(list_shards(small), 5):
        assert example.questions[0].text.splitlines()[0] in page.text
        assert f'{shard.path.name} row {index}' in page.text
        data = base64.b64decode(page.pictures.pop(0).partition(',')[2])
        shown = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
        assert np.array_equal(shown, example.images[0])
        page.pictures.pop(0)
    assert '"split"' in page.text and 'pet' in page.text.lower()


def test_show_marks_the_right_answer_and_escapes_what_could_be_html(tmp_path):
    rng = np.random.default_rng(0)
    question = TASKS['free'].ask('Is a < b & "c"?', ['<yes>', 'no'])
    question = replace(question, answer='A')
    image = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    truth = DenseTruth(image[..., 0], image[..., 0].astype(np.uint16))
    save_shard(tmp_path / 'free' / '00000.parquet', [Example(
        'free', 'x', [image], image, 'Look.', [question],
        {'scene': 1, 'chain_of_thought': 'First <look>, then think.',
         'cameras': [{'width': 8, 'note': 'pages of numbers'}]}, [truth, truth])])
    assert main(['show', str(tmp_path), '--out', str(tmp_path / 'page.html')]) == 0
    text = (tmp_path / 'page.html').read_text()
    assert '<yes>' not in text and '<look>' not in text
    assert '<b>A) &lt;yes&gt;</b>' in text and 'First &lt;look&gt;, then think.' in text
    assert '&quot;scene&quot;: 1' in text and 'pages of numbers' not in text


def test_show_reads_a_published_data_set_and_passes_over_bad_rows(tmp_path):
    good = {'bytes': cv2.imencode('.jpg', np.zeros((8, 8, 3), np.uint8))[1].tobytes(),
            'path': None}
    bad = {'bytes': b'nothing', 'path': None}
    image = pa.struct([('bytes', pa.binary()), ('path', pa.string())])
    pq.write_table(pa.table({
        'image_0': pa.array([good, bad, good], image),
        'image_1': pa.array([good] * 3, image),
        'question': ['Generate one.', 'Generate two.', 'Generate three.'],
    }), tmp_path / 'train.parquet', row_group_size=2)
    assert main(['show', str(tmp_path), '--out', str(tmp_path / 'page.html')]) == 0
    page = read(tmp_path / 'page.html')
    assert 'Generate one.' in page.text and 'Generate three.' in page.text
    assert 'Generate two.' not in page.text


@pytest.mark.parametrize('content', [b'', b'no parquet'])
def test_show_names_what_it_cannot_read(tmp_path, content, capsys):
    (tmp_path / 'a.parquet').write_bytes(content)
    assert main(['show', str(tmp_path), '--out', str(tmp_path / 'page.html')]) == 1
    assert 'a.parquet' in capsys.readouterr().err
    assert main(['show', str(tmp_path / 'nothing')]) == 1
    assert 'no parquet file' in capsys.readouterr().err
    assert not (tmp_path / 'page.html').exists()
