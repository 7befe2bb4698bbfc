# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Another model for a node that runs: nothing asked is lost, nothing broken gets in."""

import json
import shutil
import struct
import threading

from diagnostic_msgs.msg import DiagnosticArray
from ipt_interfaces.msg import ErrorCode
from ipt_interfaces.srv import Ask, ImagineBev, LoadModel
from ipt_ros import cli
from lifecycle_msgs.msg import Transition
import pytest
from rcl_interfaces.srv import GetParameters

pytestmark = pytest.mark.ros


@pytest.fixture(scope='module')
def parameters():
    """Make imagining long enough for a model to come meanwhile."""
    return {'steps': 60}


@pytest.fixture(scope='module')
def models(checkpoint, tmp_path_factory):
    """Return whole checkpoints by the names that answers give them."""
    folder = tmp_path_factory.mktemp('models')
    for name in ('red', 'green', 'blue'):
        shutil.copytree(checkpoint, folder / name)
    return {name: folder / name for name in ('red', 'green', 'blue')}


@pytest.fixture(scope='module')
def broken(checkpoint, tmp_path_factory):
    """Return (folder, error code, words of the message) for what is no use."""
    folder = tmp_path_factory.mktemp('broken')
    for name in ('truncated', 'misfit', 'huge'):
        shutil.copytree(checkpoint, folder / name)
    weights = folder / 'truncated' / 'ema.safetensors'
    weights.write_bytes(weights.read_bytes()[:-1000])
    settings = folder / 'misfit' / 'llm_config.json'
    fields = json.loads(settings.read_text())
    settings.write_text(json.dumps({**fields, 'intermediate_size': 8}))
    header = json.dumps({'weight': {
        'dtype': 'F32', 'shape': [1 << 38], 'data_offsets': [0, 1 << 40]}}).encode()
    with (folder / 'huge' / 'ema.safetensors').open('wb') as file:
        file.write(struct.pack('<Q', len(header)) + header)
        file.truncate(8 + len(header) + (1 << 40))  # sparse: takes no room
    (folder / 'empty').mkdir()
    (folder / 'empty' / 'private.txt').write_text('')
    shutil.copytree(checkpoint, folder / 'pointer')
    (folder / 'pointer' / 'ema.safetensors').write_text(
        'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n')
    return [
        (folder / 'missing', ErrorCode.BAD_MODEL, 'no such folder'),
        (folder / 'empty', ErrorCode.BAD_MODEL, 'no weights'),
        (folder / 'pointer', ErrorCode.BAD_MODEL, 'git lfs pull'),
        (folder / 'truncated', ErrorCode.BAD_MODEL, 'truncated'),
        (folder / 'misfit', ErrorCode.BAD_MODEL, 'wrong shape'),
        (folder / 'huge', ErrorCode.NO_MEMORY, 'free'),
    ]


@pytest.fixture(scope='module')
def adapters(models, write_adapter, tmp_path_factory):
    """Return adapters of the red model by the names that answers give them."""
    folder = tmp_path_factory.mktemp('adapters')
    return {f'{name}/adapter': write_adapter(models['red'], folder / name / 'adapter', seed)
            for seed, name in enumerate(('warm', 'cold'))}


def load(robot, source) -> LoadModel.Response:
    return robot.call(LoadModel, 'load_model', source=str(source))


def begin_ask(robot):
    return robot.begin(Ask, 'ask', question='What?', mode='answer', task='free', seed=1)


def serving(robot) -> str:
    response = begin_ask(robot).result(240.0)
    assert response.success, response.message
    return response.answer.model_id


def checkpoint_of(robot, name='checkpoint') -> str:
    return robot.call(GetParameters, 'get_parameters', names=[name]).values[0].string_value


def begin_choice(robot):
    return robot.begin(Ask, 'ask', question='Which?', choices=['this', 'that'], mode='answer',
                       task='free', seed=1)


def belief(response) -> tuple[float, ...]:
    """Return what tells the weights of an answer's model: probabilities to the last bit."""
    assert response.success, response.message
    return tuple(response.answer.choice_probabilities)


def test_a_stream_of_requests_loses_none_while_models_change(active, models):
    before, answers = serving(active), []
    for name in ('red', 'green'):
        loading = active.begin(LoadModel, 'load_model', source=str(models[name]))
        while not loading.done():
            asked = [begin_ask(active) for _ in range(3)]
            answers += [waiter.result(240.0) for waiter in asked]
        response = loading.result()
        assert response.success and response.error_code == ErrorCode.NONE, response.message
        assert response.model_id == name and response.seconds > 0.0
        assert serving(active) == name
    assert all(answer.success for answer in answers), [a.message for a in answers]
    served = [answer.answer.model_id for answer in answers]
    order = [before, 'red', 'green']
    assert served == sorted(served, key=order.index) and served[0] == before
    assert checkpoint_of(active) == str(models['green'])


def test_adapters_come_and_go_in_a_stream_of_requests(active, models, adapters):
    """Every answer is that of the model which it names, and going back changes no bit."""
    sources, beliefs, answers, order = {'red': models['red'], **adapters}, {}, [], []
    assert load(active, models['red']).success
    for name in ('red', 'warm/adapter', 'cold/adapter', 'red', 'warm/adapter'):
        loading = active.begin(LoadModel, 'load_model', source=str(sources[name]))
        while not loading.done():
            answers += [begin_choice(active).result(240.0) for _ in range(3)]
        response = loading.result()
        assert response.success and response.model_id == name, response.message
        order.append(name)
        found = begin_choice(active).result(240.0)
        assert found.answer.model_id == name
        assert beliefs.setdefault(name, belief(found)) == belief(found)
    assert len(set(beliefs.values())) == 3
    assert {belief(answer) == beliefs[answer.answer.model_id] for answer in answers} == {True}
    assert checkpoint_of(active) == str(adapters['warm/adapter'])
    assert checkpoint_of(active, 'base_checkpoint') == str(models['red'])


def test_an_adapter_without_its_base_is_put_into_the_loaded_one_and_stays_so(
        active, models, write_adapter, tmp_path):
    lost = write_adapter(models['red'], tmp_path / 'lost', base_model_name_or_path='/gone/red')
    assert load(active, models['red']).success
    assert load(active, lost).model_id == 'lost'
    before = belief(begin_choice(active).result(240.0))
    assert active.change(Transition.TRANSITION_DEACTIVATE)
    assert active.change(Transition.TRANSITION_CLEANUP)
    active.activate()
    active.wait_for_frames()
    after = begin_choice(active).result(240.0)
    assert after.answer.model_id == 'lost' and belief(after) == before


def test_a_broken_adapter_is_refused_with_a_word_and_the_old_model_serves(
        active, models, checkpoint, write_adapter, tmp_path):
    cut = write_adapter(models['red'], tmp_path / 'cut')
    weights = cut / 'adapter_model.safetensors'
    weights.write_bytes(weights.read_bytes()[:-100])
    misfit = write_adapter(models['red'], tmp_path / 'misfit', r=3)
    variant = write_adapter(models['red'], tmp_path / 'variant', use_dora=True)
    other = shutil.copytree(checkpoint, tmp_path / 'other')
    spoil = (other / 'ema.safetensors').read_bytes()
    (other / 'ema.safetensors').write_bytes(spoil[:-4096] + bytes(4096))
    foreign = write_adapter(other, tmp_path / 'foreign')
    shutil.copytree(models['red'], other, dirs_exist_ok=True)
    assert load(active, models['red']).success
    before = belief(begin_choice(active).result(240.0))
    for folder, words in ((cut, 'truncated: tensor'), (misfit, 'expected [3, '),
                          (variant, 'use_dora'), (foreign, 'fingerprint')):
        response = load(active, folder)
        assert response.error_code == ErrorCode.BAD_MODEL and response.model_id == 'red'
        assert str(folder) in response.message and words in response.message, response.message
        assert belief(begin_choice(active).result(240.0)) == before


def test_what_runs_and_what_waits_ends_with_the_model_that_it_began_with(active, models):
    assert load(active, models['red']).success
    begun = [active.begin(ImagineBev, 'imagine_bev', seed=seed) for seed in range(3)]
    assert active.state() == 'active'  # so the requests before it have arrived
    assert load(active, models['blue']).success
    assert not begun[-1].done()
    assert serving(active) == 'blue'
    for waiter in begun:
        response = waiter.result(240.0)
        assert response.success and response.imagined.model_id == 'red', response.message


def test_what_is_broken_is_refused_with_a_word_and_the_old_model_serves(active, models, broken):
    assert load(active, models['red']).success
    for folder, code, words in broken:
        response = load(active, folder)
        assert not response.success and response.error_code == code, response.message
        assert str(folder) in response.message and words in response.message
        assert "still 'red'" in response.message and response.model_id == 'red'
        assert 'private' not in response.message
        assert serving(active) == 'red'
    assert load(active, ' ').error_code == ErrorCode.BAD_REQUEST
    assert checkpoint_of(active) == str(models['red'])
    assert load(active, models['green']).model_id == 'green'


def test_one_model_is_loaded_at_a_time(active, models):
    first = active.begin(LoadModel, 'load_model', source=str(models['red']))
    second = load(active, models['blue'])
    assert second.error_code == ErrorCode.BUSY and str(models['red']) in second.message
    assert first.result(240.0).success
    assert serving(active) == 'red'
    assert load(active, models['blue']).model_id == 'blue'


def test_an_inactive_node_takes_a_model_and_wakes_up_with_it(active, models):
    assert load(active, models['red']).success
    assert active.change(Transition.TRANSITION_DEACTIVATE)
    response = load(active, models['green'])
    assert response.success and response.model_id == 'green', response.message
    active.activate()
    active.wait_for_frames()
    assert serving(active) == 'green'


def test_a_node_that_is_not_configured_says_what_to_do(active, models):
    assert load(active, models['blue']).success
    assert active.change(Transition.TRANSITION_DEACTIVATE)
    assert active.change(Transition.TRANSITION_CLEANUP)
    response = load(active, models['green'])
    assert response.error_code == ErrorCode.NOT_ACTIVE and response.model_id == ''
    assert "'checkpoint'" in response.message and 'configure' in response.message
    active.activate()  # with the model that was loaded last
    active.wait_for_frames()
    assert serving(active) == 'blue'


def test_cleaning_up_while_a_model_is_loaded_drops_that_model(active, models):
    assert load(active, models['blue']).success
    assert active.change(Transition.TRANSITION_DEACTIVATE)
    loading = active.begin(LoadModel, 'load_model', source=str(models['red']))
    assert active.change(Transition.TRANSITION_CLEANUP)
    response = loading.result(240.0)
    assert response.error_code in (ErrorCode.CANCELLED, ErrorCode.NOT_ACTIVE)
    assert response.model_id == ''
    active.activate()
    active.wait_for_frames()
    assert serving(active) == 'blue'


def test_diagnostics_name_the_model(active, models):
    assert load(active, models['red']).success
    values, came = {}, threading.Event()

    def take(message):
        for status in message.status:
            if status.name == 'ipt/imagination: model':
                values.update({item.key: item.value for item in status.values})
                came.set()

    subscription = active.node.create_subscription(DiagnosticArray, '/diagnostics', take, 10)
    assert came.wait(240.0)
    active.node.destroy_subscription(subscription)
    assert values['model'] == 'red' and values['checkpoint'] == str(models['red'])
    assert values['loading'] == ''


def test_the_command_line_changes_the_model(active, models, broken, capsys, monkeypatch):
    monkeypatch.chdir(models['green'].parent)
    assert cli.main(['load-model', 'green', '--timeout', '240']) == 0
    assert "'green' serves in place of" in capsys.readouterr().out
    assert serving(active) == 'green'
    assert cli.main(['load-model', str(broken[0][0]), '--timeout', '240']) == 1
    assert 'no such folder' in capsys.readouterr().err
    assert serving(active) == 'green'
