# SPDX-License-Identifier: Apache-2.0
"""What a request becomes, and why it is refused."""

from dataclasses import replace
import math

from ipt_ros.imagination import (
    AskRequest,
    BevRequest,
    Code,
    ImaginationError,
    Options,
    prepare,
    ViewRequest,
)
from ipt_ros.imagination.prepare import turn_in
from ipt_ros.spatial.tasks import wordings
import numpy as np
import pytest

OPTIONS = Options(max_question=100)
PET = "After moving to 'X' and turning left 90°, will the chair get closer?"


def refused(views, request, code: Code) -> str:
    with pytest.raises(ImaginationError) as caught:
        prepare(views, request, OPTIONS)
    assert caught.value.code == code, caught.value
    return str(caught.value)


@pytest.mark.parametrize('question,target,cameras,task,mode', [
    ('How many chairs are there?', None, (), 'mvc', 'imagine'),
    ('How many chairs are there?', None, ('front', 'left'), 'free', 'answer'),
    ('What is this?', None, (), 'free', 'answer'),
    (PET, (3, 0, 0), (), 'pet', 'imagine'),
    ('Anything with a target', (3, 0, 0), (), 'pet', 'imagine'),
])
def test_auto_picks_the_task_and_its_mode(views, question, target, cameras, task, mode):
    prepared = prepare(views, AskRequest(question, target=target, cameras=cameras), OPTIONS)
    assert (prepared.task.name, prepared.mode) == (task, mode)


def test_what_is_asked_for_is_not_overruled(views):
    request = AskRequest('How many?', ('1', '2'), task='free', mode='imagine')
    prepared = prepare(views, request, OPTIONS)
    assert (prepared.task.name, prepared.mode) == ('free', 'imagine')
    assert prepared.question.text == 'How many?\n(A) 1\n(B) 2'


def test_images_are_those_of_the_cameras_in_the_order_asked(views):
    prepared = prepare(views, AskRequest('Where?', cameras=('back', 'front')), OPTIONS)
    assert [view.name for view in prepared.views] == ['back', 'front']
    assert prepared.images[0] is views[2].image


@pytest.mark.parametrize('target,camera', [
    ((3, 0.2, 0), 'front'), ((0.1, 3, 0), 'left'), ((-3, 0.1, 0.1), 'back'), ((0, -2, 0), 'right'),
    ((3, 2.4, 0), 'front'), ((2.4, 3, 0), 'left')])
def test_the_camera_that_sees_the_target_best_is_marked(views, target, camera):
    before = [view.image.copy() for view in views]
    prepared = prepare(views, AskRequest(PET, target=target), OPTIONS)
    assert prepared.views[0].name == camera and len(prepared.images) == 1
    assert (prepared.images[0] != prepared.views[0].image).any()
    for view, image in zip(views, before):
        np.testing.assert_array_equal(view.image, image)


def test_a_hidden_target_is_called_hidden(views):
    views[0] = replace(views[0], depth=np.full((64, 64), 1.0, np.float32))
    message = refused(views, AskRequest(PET, target=(3, 0, 0)), Code.TARGET_OCCLUDED)
    assert "camera 'front'" in message and 'left' not in message


def test_without_depth_nothing_is_hidden(views):
    views[0] = replace(views[0], depth=None)
    assert prepare(views, AskRequest(PET, target=(3, 0, 0)), OPTIONS).views[0].name == 'front'


@pytest.mark.parametrize('field,code', [
    ('camera', Code.NO_CAMERA_INFO), ('base_from_optical', Code.NO_TRANSFORM)])
def test_targets_need_geometry_and_other_questions_do_not(views, field, code):
    bare = [replace(view, **{field: None}, problem='it broke') for view in views]
    assert 'it broke' in refused(bare, AskRequest(PET, target=(3, 0, 0)), code)
    assert prepare(bare, AskRequest('How many?'), OPTIONS).task.name == 'mvc'


@pytest.mark.parametrize('request_,code', [
    (AskRequest(''), Code.EMPTY_QUESTION),
    (AskRequest('ä' * 51), Code.QUESTION_TOO_LONG),
    (AskRequest('a?', ('x' * 50, 'y' * 50)), Code.QUESTION_TOO_LONG),
    (AskRequest('a?', task='chess'), Code.UNKNOWN_TASK),
    (AskRequest('a?', mode=''), Code.UNKNOWN_MODE),
    (AskRequest('a?', ('x', 'X ')), Code.BAD_CHOICES),
    (AskRequest('a?', cameras=('up',)), Code.UNKNOWN_CAMERA),
    (AskRequest('a?', cameras=('back', 'back')), Code.BAD_CAMERA_COUNT),
    (AskRequest('a?', task='mvc', cameras=('back',)), Code.BAD_CAMERA_COUNT),
    (AskRequest(PET), Code.MISSING_TARGET),
    (AskRequest(PET, target=(0, math.nan, 0)), Code.TARGET_NOT_FINITE),
    (AskRequest(PET, target=(3, 0, 1)), Code.TARGET_NOT_ON_FLOOR),
    (AskRequest(PET, target=(0.1, 0, 0)), Code.TARGET_NOT_VISIBLE),
    (ViewRequest((3, 0, 0), math.nan), Code.TARGET_NOT_FINITE),
    (ViewRequest((3, 0, 0), math.pi), Code.TARGET_TURN),
    (ViewRequest((3, 0, 0), math.pi / 2, camera='up'), Code.UNKNOWN_CAMERA),
    (ViewRequest((3, 0, 0), math.pi / 2, camera='back'), Code.TARGET_NOT_VISIBLE),
    (BevRequest((9.0, 0.0), size=2.0), Code.TARGET_OUTSIDE_MAP),
    (BevRequest((0.0, math.inf)), Code.TARGET_NOT_FINITE),
    (BevRequest(size=-1.0), Code.BAD_REQUEST),
    (BevRequest(size=33.0), Code.BAD_REQUEST),
    (BevRequest(resolution=0.001), Code.BAD_REQUEST),
    (BevRequest(cameras=('front',)), Code.BAD_CAMERA_COUNT),
])
def test_refusals(views, request_, code):
    refused(views, request_, code)


@pytest.mark.parametrize('yaw,camera,turn,note', [
    (math.pi / 2, 'front', 'left', False), (-math.pi / 2, 'front', 'right', False),
    (math.pi / 2 + 0.3, 'front', 'left', True)])
def test_a_view_is_a_quarter_turn(views, yaw, camera, turn, note):
    prepared = prepare(views, ViewRequest((3, 0, 0), yaw), OPTIONS)
    assert (prepared.views[0].name, prepared.turn, prepared.mode) == (camera, turn, 'imagine')
    assert turn in prepared.question.text
    assert bool(prepared.note) == note


def test_a_target_that_two_cameras_see_goes_to_the_one_whose_turn_it_is(views):
    """The corner at (3, 3) is in sight of nobody's middle; the turn decides."""
    views = [replace(view, base_from_optical=view.base_from_optical.copy()) for view in views]
    ahead = prepare(views, ViewRequest((2.9, 2.3, 0), math.pi / 2), OPTIONS)
    assert (ahead.views[0].name, ahead.turn) == ('front', 'left')
    aside = prepare(views, ViewRequest((2.3, 2.9, 0), 0.0), OPTIONS)
    assert (aside.views[0].name, aside.turn) == ('left', 'right')


def test_turns_are_read_from_questions():
    for texts in (wordings.DISTANCE, wordings.SIDE, wordings.DISTANCE_ARROW, wordings.SIDE_ARROW):
        for text in texts:
            for turn in ('left', 'right'):
                assert turn_in(text.format(direction=turn, object='lamp')) == turn, text
    assert turn_in('Is it on the left or right?') == ''
    assert turn_in('Turn left, then turn right: what is there?') == ''
