# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""From a checkpoint folder and parquet files to results, a page and a comparison."""

from dataclasses import replace
from html.parser import HTMLParser
import json
import re
import shutil

from ipt_ros import cli
from ipt_ros.spatial import Question
from ipt_training import evaluate as command
from ipt_training.evaluation import compare, report, sources
from ipt_training.evaluation import run as evaluation_run
from ipt_training.evaluation.modes import MODES
from ipt_training.store import save_shard
import numpy as np
import pytest


@pytest.fixture
def data(tmp_path, example):
    """Return a folder with five counting questions whose answers are A, B, A, B, A."""
    examples = [example(number, 'AB'[number % 2]) for number in range(5)]
    save_shard(tmp_path / 'data' / 'mvc' / '00000.parquet', examples)
    return tmp_path / 'data'


@pytest.fixture
def run(data, checkpoint, tmp_path):
    """Return a function that evaluates and returns results.json."""
    def run(*arguments, out=tmp_path / 'out', weights=checkpoint):
        code = command.main(['--checkpoint', str(weights), '--data', str(data), '--out', str(out),
                             *arguments])
        assert code == 0
        return json.loads((out / 'results.json').read_text())
    return run


def test_results_of_all_modes(run, imagines, tmp_path):
    results = run('--modes', ','.join(MODES))
    assert set(results) == {'mvc'} and set(results['mvc']) == set(MODES)
    for mode, row in results['mvc'].items():
        low, high = row['ci95']
        # The words that ask for an image are no answer in a mode that has none.
        right, silent = (0.0, 5) if mode == 'answer-vae' else (0.6, 0)
        assert (row['accuracy'], row['unanswered']) == (right, silent)
        assert (row['n'], row['chance']) == (5, 0.25)
        assert 0 <= low <= right < high <= 1
    quality = results['mvc']['imagine']['imagination']
    assert quality['n'] == 5
    assert set(quality['psnr']) == {'imagined', 'nearest_input', 'mean_image', 'other_truth'}
    # All examples have the same map, so the mean image is the truth: no image can do better.
    assert quality['gains']['psnr']['mean_image']['mean'] < 0
    assert quality['objects']['truth']['recall'] == 1
    assert quality['objects']['imagined']['objects'] == 10
    assert all('imagination' not in results['mvc'][mode] for mode in MODES if mode != 'imagine')
    assert (tmp_path / 'out' / 'mvc_first12.png').exists()


def test_a_stopped_run_goes_on_where_it_was(run, imagines, tmp_path):
    alone = '--modes', 'imagine', '--batch', '1'  # other batches would be equal to rounding
    whole = run(*alone)
    asked = len(imagines)
    folder = next((tmp_path / 'out').glob('records-*'))
    path = folder / 'mvc.imagine.jsonl'
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(''.join(lines[:3]) + lines[3][:40])
    again = run(*alone)
    assert len(imagines) == asked + 2 * 2  # two questions: a thought and an answer each
    for result in (whole, again):
        result['mvc']['imagine'].pop('seconds')
    assert again == whole


def test_other_questions_of_the_same_run_join_its_results(run, imagines):
    run('--modes', 'answer')
    assert set(run('--modes', 'oracle')['mvc']) == {'answer', 'oracle'}
    # Another way of asking is another run.
    assert set(run('--modes', 'answer', '--seed', '7')['mvc']) == {'answer'}


def test_a_stop_leaves_no_results_of_another_run(run, imagines, tmp_path, monkeypatch):
    run('--modes', 'answer,oracle')
    with monkeypatch.context() as patch:
        patch.setattr(evaluation_run, 'summarise', lambda records: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run('--modes', 'answer', '--seed', '7')
    assert not (tmp_path / 'out' / 'results.json').exists()
    assert set(run('--modes', 'answer', '--seed', '7')['mvc']) == {'answer'}


def test_several_imaginations_a_question(run, imagines, tmp_path):
    row = run('--modes', 'imagine', '--samples', '3')['mvc']['imagine']
    assert row['vote'] == {'k': 3, 'accuracy': 0.6, 'ci95': row['ci95']}
    assert set(row['calibration']) == {
        'probability', 'agreement', 'mean_probability', 'image_agreement'}
    # A thought has the seed of its question and sample, the answer the one after it.
    assert len({entry['seed'] for entry in imagines}) == (5 + 1) * 3
    path = next((tmp_path / 'out').glob('records-*/mvc.imagine.jsonl'))
    first = json.loads(path.read_text().splitlines()[0])
    assert len(first['samples']) == 3 and 0 <= first['agreement'] <= 1


@pytest.fixture
def mixed(data, example):
    """Let the questions of one run have images of two sizes, and one be asked twice."""
    examples = [example(number, 'AB'[number % 2]) for number in range(6)]
    for number in (1, 4):
        high = np.full((64, 32, 3), 40 * number, np.uint8)
        examples[number] = replace(examples[number], images=[high])
    save_shard(data / 'mvc' / '00000.parquet', [*examples, examples[2]])


def records_of(out, mode):
    path = next(out.glob(f'records-*/mvc.{mode}.jsonl'))
    return {r['id']: r for r in map(json.loads, path.read_text().splitlines())}


@pytest.mark.parametrize('mode', MODES)
def test_batches_give_the_records_that_single_questions_give(
        run, imagines, mixed, tmp_path, mode):
    found = []
    for batch in ('1', '4'):
        out = tmp_path / batch
        run('--modes', mode, '--batch', batch, '--samples', '2', out=out)
        assert len(next(out.glob('records-*/mvc.*')).read_text().splitlines()) == 6
        found.append(records_of(out, mode))
    assert set(found[0]) == set(found[1])
    for identity, alone in found[0].items():
        together = found[1][identity]
        for name in ('index', 'letter', 'rule', 'text', 'truth', 'choices', 'pictures'):
            assert together[name] == alone[name], name
        for one, other in zip(together['samples'], alone['samples'], strict=True):
            assert one['probabilities'] == pytest.approx(other['probabilities'], rel=1e-3)
        assert set(together['seconds']) == set(alone['seconds'])
        if mode == 'imagine':
            assert together['scores']['imagined']['psnr'] == pytest.approx(
                alone['scores']['imagined']['psnr'], abs=0.05)


def test_records_do_not_depend_on_the_batch_and_are_used_again(run, imagines, tmp_path):
    whole = run('--modes', 'answer', '--batch', '2')
    asked = len(imagines)
    assert run('--modes', 'answer', '--batch', '5') == whole
    assert len(imagines) == asked


@pytest.mark.parametrize('name', ['float32', 'bfloat16'])
def test_the_model_computes_in_what_is_named_and_records_are_kept_apart(
        run, imagines, tmp_path, monkeypatch, name):
    computed = []
    original = evaluation_run.ask_together
    monkeypatch.setattr(
        evaluation_run, 'ask_together',
        lambda model, *rest: computed.append(str(model.dtype)) or original(model, *rest))
    run('--modes', 'answer')
    run('--modes', 'answer', '--dtype', name)
    assert computed[-1] == f'torch.{name}'
    assert len(list((tmp_path / 'out').glob('records-*'))) == 2


def test_what_a_batch_had_done_is_kept_when_a_later_one_fails(
        run, imagines, tmp_path, monkeypatch):
    original, calls = evaluation_run.ask_together, []

    def ask_together(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(evaluation_run, 'ask_together', ask_together)
    with pytest.raises(KeyboardInterrupt):
        run('--modes', 'answer', '--batch', '2')
    assert len(records_of(tmp_path / 'out', 'answer')) == 2
    assert run('--modes', 'answer', '--batch', '2')['mvc']['answer']['n'] == 5
    assert [len(arguments[1]) for arguments in calls] == [2, 2, 2, 1]


def test_scenes_are_made_once_for_several_checkpoints(
        checkpoint, imagines, tmp_path, example, monkeypatch):
    made = []

    def generate(tasks, number, seed, folder, workers, shard_size):
        path = folder / tasks[0] / '00000.parquet'
        if not path.exists():  # what is there stays, as with the real one
            made.append((tasks, seed))
            save_shard(path, [example(seed + k) for k in range(number)])

    monkeypatch.setattr(sources, 'generate', generate)
    for out in ('one', 'two'):
        assert command.main([
            '--checkpoint', str(checkpoint), '--tasks', 'mvc', '--modes', 'answer', '--n', '3',
            '--reference-n', '2', '--scenes', str(tmp_path / 'scenes'), '--out',
            str(tmp_path / out)]) == 0
    assert made == [(['mvc'], 1_000_000), (['mvc'], 0)]
    (row,) = compare.compare_folders(
        tmp_path / 'one', tmp_path / 'two').tasks['mvc'].values()
    assert row['n'] == 3


class Checker(HTMLParser):
    """Counts elements, and refuses tags that do not nest."""

    VOID = {'meta', 'img'}

    def __init__(self):
        super().__init__()
        self.seen, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        if tag == 'img':
            assert dict(attrs)['src'].startswith('data:image/png;base64,')
        assert not any(value.startswith(('http:', 'https:')) for _, value in attrs if value)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_report_is_one_page_with_everything_in_it(run, imagines, tmp_path, capsys):
    run('--modes', 'answer,imagine', '--samples', '2')
    out = tmp_path / 'out'
    assert cli.main(['report', str(out), '--first', '2']) == 0
    html = (out / 'index.html').read_text()
    assert str(out / 'index.html') in capsys.readouterr().out
    page = Checker()
    page.feed(html)
    assert page.open == []
    # Two first ones, five best, five worst; an input, an imagined and a true picture each.
    assert page.seen.count('img') == (2 + 5 + 5) * 3
    # Accuracy bars, a reliability diagram for answer and four for imagine.
    assert page.seen.count('svg') == 1 + 1 + 4
    for words in ('60.0%', 'SSIM', 'recall', 'ECE', 'AUROC', 'not picked', 'by vote', 'chance'):
        assert words in html


def test_the_best_come_first_and_the_worst_last(run, imagines, tmp_path):
    run('--modes', 'imagine')
    path = next((tmp_path / 'out').glob('records-*/mvc.imagine.jsonl'))
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for number, (record, score) in enumerate(zip(records, (0.3, 0.9, 0.1, 0.5, 0.7))):
        record['question'] = f'Question{number}.'
        record['scores']['imagined']['ssim'] = score
    path.write_text(''.join(json.dumps(record) + '\n' for record in records))
    sections = report.page(tmp_path / 'out').split('<summary>')[1:]
    shown = [re.findall(r'Question(\d)', section) for section in sections]
    assert shown == [list('01234'), list('14302'), list('20341')]


def test_the_report_escapes_what_the_data_say(run, imagines, tmp_path, example, data):
    one = example(0, 'A')
    question = replace(one.questions[0], text='<script>alert(1)</script>', subtask='<b>')
    save_shard(data / 'mvc' / '00000.parquet', [replace(one, questions=[question])])
    run('--modes', 'imagine')
    html = report.page(tmp_path / 'out')
    assert '<script>' not in html and '&lt;script&gt;' in html


def test_examples_without_a_known_answer_still_show_what_is_imagined(
        run, imagines, tmp_path, example, data):
    request = Question('Generate the map.', metadata={'truth': 'Here it is.'})
    save_shard(data / 'mvc' / '00000.parquet', [
        replace(example(number), questions=[request]) for number in range(3)])
    results = run('--modes', 'answer,imagine')
    assert set(results['mvc']) == {'imagine'}
    row = results['mvc']['imagine']
    assert (row['accuracy'], row['n'], row['imagination']['n']) == (None, 0, 3)
    assert 'SSIM' in report.page(tmp_path / 'out')
    with pytest.raises(compare.EvaluationError, match='known answer'):
        compare.compare_folders(tmp_path / 'out', tmp_path / 'out')


def test_what_was_left_out_is_said_and_kept(run, imagines, tmp_path, example, data, capsys):
    request = Question('Generate the map.', metadata={'truth': 'Here it is.'})
    silent = [replace(example(number), questions=[request], target=None) for number in (7, 8)]
    save_shard(data / 'mvc' / '00000.parquet', [example(0, 'A'), *silent])
    save_shard(data / 'pet' / '00000.parquet', [replace(example(1, 'A'), task='pet')])
    assert run('--modes', 'answer')['mvc']['answer']['n'] == 1
    reason = 'no known answer, and no true image'
    said = capsys.readouterr().out
    assert f'mvc: left out: 2 x {reason}' in said and 'pet: left out' not in said
    kept = {'mvc': {reason: 2}, 'pet': {}}
    assert json.loads((tmp_path / 'out' / 'run.json').read_text())['left_out'] == kept
    # The next mode of one task leaves what is known of the other; another run starts afresh.
    run('--modes', 'oracle', '--tasks', 'pet')
    assert json.loads((tmp_path / 'out' / 'run.json').read_text())['left_out'] == kept
    assert 'chance' in report.page(tmp_path / 'out')
    run('--modes', 'answer', '--tasks', 'pet', '--seed', '7')
    assert json.loads((tmp_path / 'out' / 'run.json').read_text())['left_out'] == {'pet': {}}


def test_notes_of_recordings_are_said_as_what_they_are(
        run, imagines, data, example, monkeypatch, capsys):
    def read_examples(path, seed, skipped, *_):
        skipped.update({'mvc: no depth in a segment': 3, 'note: floor not measured': 1})
        yield example(0, 'A')

    monkeypatch.setattr(sources, 'read_examples', read_examples)
    run('--modes', 'answer')
    said = capsys.readouterr().out
    assert 'mvc: left out: 3 x mvc: no depth in a segment' in said
    assert 'mvc: note: floor not measured (1 x)' in said


def test_a_report_of_nothing_says_what_to_do(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        report.main([str(tmp_path)])
    assert stop.value.code == 1
    assert 'ipt evaluate' in capsys.readouterr().err


def test_two_modes_of_one_run_side_by_side(run, says, tmp_path, capsys):
    # Right where the model looks at its image (always A: 3 of 5), wrong everywhere else.
    says(lambda number, kinds: '<image_end><answer>A</answer>' if len(kinds) > 3
         else '<answer>D</answer>')
    run('--modes', 'answer,oracle')
    out = str(tmp_path / 'out')
    code = cli.main(['compare', out, out, '--pair', 'answer,oracle', '--out',
                     str(tmp_path / 'compared')])
    assert code == 0
    (row,) = json.loads((tmp_path / 'compared' / 'compare.json').read_text())['tasks'][
        'mvc'].values()
    assert (row['first'], row['second'], row['only_first'], row['only_second']) == (0, 0.6, 0, 3)
    assert row['difference'] == pytest.approx(0.6)
    assert row['p'] == row['p_holm'] == pytest.approx(2 / 8)
    assert 'answer : oracle' in capsys.readouterr().out


def test_two_checkpoints_are_evaluated_on_the_same_questions(
        data, checkpoint, imagines, tmp_path, capsys):
    other = shutil.copytree(checkpoint, tmp_path / 'other')
    (other / 'bagel.json').write_text((other / 'bagel.json').read_text() + ' ')
    code = compare.main([str(checkpoint), str(other), '--data', str(data), '--modes',
                         'answer,imagine', '--out', str(tmp_path / 'compared')])
    assert code == 0
    modes = json.loads((tmp_path / 'compared' / 'compare.json').read_text())['tasks']['mvc']
    assert set(modes) == {'answer', 'imagine'}
    for row in modes.values():
        assert (row['n'], row['difference'], row['p'], row['left_out']) == (5, 0, 1, 0)
    # Their encoders may differ, so that feature distances have no common scale.
    assert set(modes['imagine']['images']) == {'psnr', 'ssim', 'object recall'}
    assert modes['imagine']['images']['psnr']['mean'] == 0


def test_runs_without_a_common_question_are_not_compared(run, imagines, data, example, tmp_path):
    run('--modes', 'answer')
    save_shard(data / 'mvc' / '00000.parquet', [example(99)])
    run('--modes', 'answer', out=tmp_path / 'elsewhere')
    with pytest.raises(compare.EvaluationError, match='share no question'):
        compare.compare_folders(tmp_path / 'out', tmp_path / 'elsewhere')
    run('--modes', 'oracle', out=tmp_path / 'third')
    with pytest.raises(compare.EvaluationError, match='no task and mode in common'):
        compare.compare_folders(tmp_path / 'out', tmp_path / 'third')


@pytest.mark.parametrize(('arguments', 'word'), [
    (['--samples', '0'], 'at least 1'), (['--steps', '1'], 'at least 2'),
    (['--batch', '0'], 'at least 1'), (['--dtype', 'float16'], 'invalid choice'),
    (['--modes', 'answer,guess'], 'unknown modes'), (['--oracle-input', 'vit'], 'invalid choice')])
def test_options_that_make_no_sense_are_refused(arguments, word, capsys):
    with pytest.raises(SystemExit) as stop:
        command.main(arguments)
    assert stop.value.code == 2
    assert word in capsys.readouterr().err
