# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The command `ipt`, as somebody types it."""

import importlib
from importlib.metadata import PackageNotFoundError
import json
from pathlib import Path
import shutil
import signal
import subprocess
import sys
from types import ModuleType

from ipt_ros import cli, doctor
from ipt_ros.bagel import checkpoint
from ipt_ros.doctor import FAIL, Finding, NOTE, OK
import pytest
from safetensors.torch import load_file, save_file
import torch

TINY = Path(__file__).parent / 'data' / 'tiny_bagel'
COMMANDS = ('demo', 'ask', 'load-model', 'verify', 'scene', 'collect', 'bag', 'dataset',
            'evaluate', 'report', 'compare', 'experiment', 'train', 'bench', 'doctor')
FORWARDED = {
    'verify': 'ipt_ros.bagel.verify',
    'scene': 'ipt_sim.export_command',
    'collect': 'ipt_ros.collect.command',
    'bag': 'ipt_ros.bags.command',
    'dataset': 'ipt_training.datasets.command',
    'evaluate': 'ipt_training.evaluate',
    'report': 'ipt_training.evaluation.report',
    'compare': 'ipt_training.evaluation.compare',
    'experiment': 'ipt_training.experiment.command',
    'train': 'ipt_training.train',
}


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(['--help'])
    assert end.value.code == 0
    words = capsys.readouterr().out.split()
    assert set(COMMANDS) <= set(words)


@pytest.mark.parametrize('command', ['demo', 'ask', 'bench', 'doctor'])
def test_every_command_explains_itself(command, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main([command, '--help'])
    assert end.value.code == 0
    assert f'ipt {command}' in capsys.readouterr().out


@pytest.mark.parametrize('arguments', [[], ['dance'], ['demo', '--sed', '3'], ['ask']])
def test_wrong_command_line_ends_with_usage(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert 'usage: ipt' in capsys.readouterr().err


# As a shell that is not interactive starts a background command.
IGNORING = """import signal, sys, time
signal.signal(signal.SIGINT, signal.SIG_IGN)
from ipt_ros import cli
def wait(options, rest):
    print('waiting', flush=True)
    time.sleep(240)
cli._doctor = wait
sys.exit(cli.main(['doctor']))
"""


def test_a_command_in_the_background_ends_on_sigint():
    with subprocess.Popen(
            [sys.executable, '-c', IGNORING], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as process:
        assert process.stdout.readline() == 'waiting\n'
        process.send_signal(signal.SIGINT)
        assert process.wait(240.0) == 130
        assert 'stopped' in process.stderr.read()


@pytest.mark.parametrize('numbers', [['1', '2'], ['1', '2', '-3']])
def test_a_path_needs_two_places(numbers, capsys):
    assert cli.main(['ask', 'What is on my left at M1?', '--path', *numbers]) == 1
    assert 'X1 Y1 X2 Y2' in capsys.readouterr().err


@pytest.mark.parametrize(('command', 'module'), FORWARDED.items())
def test_forwarded_command_gets_all_of_its_arguments(command, module, monkeypatch):
    seen = []
    stand_in = ModuleType(module)
    stand_in.main = lambda arguments: seen.append(arguments) or 7
    monkeypatch.setitem(sys.modules, module, stand_in)

    assert cli.main([command, 'FOLDER', '--n', '3', '--help']) == 7
    assert seen == [['FOLDER', '--n', '3', '--help']]


@pytest.mark.parametrize('module', FORWARDED.values())
def test_module_behind_a_forwarded_command_has_a_main(module):
    assert callable(importlib.import_module(module).main)


def test_ctrl_c_ends_a_command_with_130(monkeypatch, capsys):
    stand_in = ModuleType('ipt_training.train')

    def interrupted(arguments):
        raise KeyboardInterrupt

    stand_in.main = interrupted
    monkeypatch.setitem(sys.modules, 'ipt_training.train', stand_in)
    assert cli.main(['train']) == 130
    assert 'stopped' in capsys.readouterr().err


@pytest.mark.ros
def test_demo_without_its_checkpoint_says_what_to_do(tmp_path, capsys):
    assert cli.main(['demo', '--checkpoint', str(tmp_path / 'none'), '--out', str(tmp_path)]) == 1
    message = capsys.readouterr().err
    assert str(tmp_path / 'none') in message and 'make train-nano' in message


@pytest.mark.parametrize('seed', ['-1', str(2**31)])
def test_demo_refuses_seeds_outside_the_range(seed, capsys):
    assert cli.main(['demo', '--seed', seed]) == 1
    assert seed in capsys.readouterr().err


def test_bench_refuses_no_repeats(capsys):
    assert cli.main(['bench', '--repeats', '0']) == 1
    assert '1 or more' in capsys.readouterr().err


def test_doctor_reports_and_fails_on_a_problem(monkeypatch, capsys):
    findings = [Finding('machine', OK, 'fast'), Finding('gpu', FAIL, 'hot', 'cool it')]
    monkeypatch.setattr(doctor, 'examine', lambda checkpoint: findings)
    assert cli.main(['doctor']) == 1
    shown = capsys.readouterr().out
    assert '[fail] gpu: hot' in shown and '-> cool it' in shown and '1 problem' in shown


def test_doctor_is_content_with_notes(monkeypatch, capsys):
    monkeypatch.setattr(doctor, 'examine', lambda checkpoint: [Finding('gpu', NOTE, 'none')])
    assert cli.main(['doctor']) == 0
    assert 'all is well' in capsys.readouterr().out


def test_doctor_makes_a_finding_of_a_check_that_breaks(monkeypatch):
    def broken(*arguments):
        raise OSError('no such bus')

    for check in ('broken', '_machine', '_python', '_imports', '_gpu', '_drawing', '_habitat',
                  '_ros', '_interfaces', '_dds_profile', '_shared_memory'):
        monkeypatch.setattr(doctor, check, broken)
    findings = doctor.examine(TINY)
    assert [item.level for item in findings].count(FAIL) == 9 + len(doctor.PARTS)
    assert all('no such bus' in item.text for item in findings if item.level == FAIL)


@pytest.mark.parametrize('error', [
    ImportError('it requires NumPy 2.0 or newer, found 1.26.4', name='pyarrow.lib'),
    ModuleNotFoundError("No module named 'pyarrow'", name='pyarrow'),
    ImportError('libGL.so.1: cannot open shared object file')])
def test_a_command_that_lacks_a_package_says_so_and_names_the_doctor(error, monkeypatch, capsys):
    def unimportable(module):
        raise error

    monkeypatch.setattr(cli.importlib, 'import_module', unimportable)
    assert cli.main(['train', '--help']) == 1
    said = capsys.readouterr().err
    assert str(error) in said and 'ipt doctor' in said


def test_a_mistake_of_our_own_in_an_import_keeps_its_traceback(monkeypatch):
    def wrong(module):
        raise ImportError('cannot import name', name='ipt_training.train')

    monkeypatch.setattr(cli.importlib, 'import_module', wrong)
    with pytest.raises(ImportError):
        cli.main(['train', '--help'])


def test_doctor_says_whether_habitat_is_there_and_is_content_without(monkeypatch):
    monkeypatch.setattr(doctor, 'find_spec', lambda name: None)
    found = doctor._habitat()
    assert found.level == OK and 'no habitat-sim' in found.text and 'optional' in found.text
    monkeypatch.setattr(doctor, 'find_spec', lambda name: object())
    for version, text in ((lambda name: '0.3.3', 'habitat-sim 0.3.3'),
                          (missing_package, 'habitat-sim is installed')):
        monkeypatch.setattr(doctor.metadata, 'version', version)
        found = doctor._habitat()
        assert (found.level, found.text) == (OK, text)


def missing_package(name):
    raise PackageNotFoundError(name)


def test_doctor_knows_a_whole_checkpoint_from_half_of_one(tmp_path):
    folder = tmp_path / 'tiny'
    shutil.copytree(TINY, folder)
    assert doctor._checkpoint(folder).level == OK
    (folder / 'ae.safetensors').unlink()
    half = doctor._checkpoint(folder)
    assert (half.level, 'ae.safetensors' in half.text) == (FAIL, True)
    assert doctor._checkpoint(tmp_path / 'none').level == FAIL


LFS = b'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n'


@pytest.mark.parametrize(('name', 'content', 'words'), [
    ('ema.safetensors', LFS, 'git lfs pull'), ('ae.safetensors', LFS, 'git lfs pull'),
    ('ema.safetensors', b'<!DOCTYPE html>', 'web page'),
    ('ae.safetensors', b'', 'is empty'), ('ema.safetensors', b'{"error": 404}', 'error message'),
    ('tokenizer.json', LFS, 'git lfs pull'), ('llm_config.json', LFS, 'git lfs pull'),
    ('vit_config.json', b'{', 'not valid JSON')])
def test_doctor_names_what_is_in_place_of_a_file(name, content, words, tmp_path):
    folder = shutil.copytree(TINY, tmp_path / 'tiny')
    (folder / name).write_bytes(content)
    found = doctor._checkpoint(folder)
    assert found.level == FAIL and name in found.text and words in found.text and found.advice


def test_doctor_reads_every_shard_and_the_numbers_of_small_weights(tmp_path, monkeypatch):
    folder = shutil.copytree(TINY, tmp_path / 'tiny')
    tensors = load_file(folder / 'ema.safetensors')
    (folder / 'ema.safetensors').unlink()
    names = sorted(tensors)
    files = {'a.safetensors': names[::2], 'b.safetensors': names[1::2]}
    (folder / 'model.safetensors.index.json').write_text(json.dumps(
        {'weight_map': {name: file for file, held in files.items() for name in held}}))

    def write():
        for file, held in files.items():
            save_file({name: tensors[name] for name in held}, folder / file)

    write()
    assert doctor._checkpoint(folder).level == OK
    (folder / 'b.safetensors').write_bytes(LFS)
    assert 'b.safetensors' in doctor._checkpoint(folder).text
    tensors[names[0]].view(-1)[0] = float('nan')
    write()
    bad = doctor._checkpoint(folder)
    assert bad.level == FAIL and names[0] in bad.text and 'NaN' in bad.text
    monkeypatch.setattr(checkpoint, '_SMALL', 1000)
    assert 'only headers' in doctor._checkpoint(folder).text
    tensors[names[0]] = tensors[names[0]].to(torch.int8)
    write()
    quantised = doctor._checkpoint(folder)
    assert quantised.level == FAIL and 'I8' in quantised.text


def test_doctor_looks_at_the_numbers_of_an_adapter(tmp_path, write_adapter):
    base = shutil.copytree(TINY, tmp_path / 'tiny')
    adapter = write_adapter(base, tmp_path / 'adapter')
    path = adapter / 'adapter_model.safetensors'
    tensors = load_file(path)
    name = next(iter(tensors))
    tensors[name][0] = float('inf')
    save_file(tensors, path)
    found = doctor._checkpoint(adapter)
    assert found.level == FAIL and name in found.text


def test_doctor_finds_the_base_of_an_adapter(tmp_path, write_adapter, monkeypatch):
    monkeypatch.setattr(doctor, 'PARTS', ())
    base = shutil.copytree(TINY, tmp_path / 'tiny')
    adapter = write_adapter(base, tmp_path / 'adapter')
    found = doctor._checkpoint(adapter)
    assert found.level == OK and str(adapter) in found.text and str(base) in found.text
    shutil.rmtree(base)
    lost, = (item for item in doctor.examine(adapter) if item.topic == 'checkpoint')
    assert lost.level == FAIL and str(base) in lost.text


def test_doctor_says_when_the_dds_profile_is_missing(monkeypatch, tmp_path):
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', str(tmp_path / 'none.xml'))
    assert doctor._dds_profile().level == FAIL
    monkeypatch.delenv('FASTRTPS_DEFAULT_PROFILES_FILE')
    assert doctor._dds_profile().level == NOTE
    advice = doctor._dds_profile().advice.rpartition('=')[2]
    monkeypatch.setenv('FASTRTPS_DEFAULT_PROFILES_FILE', advice)
    assert doctor._dds_profile().level == OK
