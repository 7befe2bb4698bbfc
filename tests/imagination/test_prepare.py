# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a request becomes, and why it is refused."""

from dataclasses import replace
import math

from ipt_ros.geometry import compose, OPTICAL_IN_BODY, rotation_from_yaw_pitch
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


# The camera that tells most

def spoiled(views, name, **fields):
    return [replace(view, **fields) if view.name == name else view for view in views]


@pytest.mark.parametrize(('fields', 'code'), [
    ({'camera': None, 'problem': "nothing came on 'front/camera_info'"}, Code.NO_CAMERA_INFO),
    ({'base_from_optical': None, 'problem': 'it is +0.35 s outside'}, Code.NO_TRANSFORM),
    ({'camera': None, 'base_from_optical': None, 'problem': 'no idea'}, Code.NO_CAMERA_INFO)])
@pytest.mark.parametrize('request_', [
    AskRequest(PET, target=(3, 0.2, 0)), ViewRequest((3, 0.2, 0), math.pi / 2)])
def test_the_camera_that_could_have_seen_the_target_is_told_of(views, fields, code, request_):
    message = refused(spoiled(views, 'front', **fields), request_, code)
    assert message.startswith(f"camera 'front': {fields['problem']}")
    assert 'behind' not in message and '3 more look elsewhere' in message


@pytest.mark.parametrize('field', ['camera', 'base_from_optical'])
def test_a_camera_that_nobody_needs_may_lack_anything(views, field):
    lacking = spoiled(views, 'left', **{field: None}, problem='it broke')
    assert prepare(lacking, AskRequest(PET, target=(3, 0, 0)), OPTIONS).views[0].name == 'front'


def test_a_camera_that_sees_the_target_tells_more_than_one_that_might(views):
    blocked = spoiled(views, 'front', depth=np.full((64, 64), 1.0, np.float32))
    blocked = spoiled(blocked, 'back', base_from_optical=None, problem='it is lost')
    message = refused(blocked, AskRequest(PET, target=(3, 0, 0)), Code.TARGET_OCCLUDED)
    assert message.index("'front'") < message.index("'back': it is lost")
    message = refused(blocked, ViewRequest((0.1, 3, 0), math.pi / 2), Code.TARGET_TURN)
    assert message.startswith("camera 'left'") and "'back': it is lost" in message


def test_a_known_camera_that_looks_away_tells_less_than_an_unknown_one(views):
    """Of a camera without camera_info the heading is known, so whether it matters is, too."""
    away = spoiled(views, 'back', camera=None, problem='no camera_info at all')
    message = refused(away, AskRequest(PET, target=(40, 0, 0)), Code.TARGET_NOT_VISIBLE)
    assert message.startswith("camera 'front'") and 'horizon' in message
    assert 'camera_info' not in message


def test_refusals_stay_short_with_many_cameras(views):
    many = [replace(views[0], name=f'c{number}', camera=None, problem='x' * 5000)
            for number in range(40)]
    message = refused(many, AskRequest(PET, task='pet', target=(3, 0, 0)), Code.NO_CAMERA_INFO)
    assert len(message) < 5000 and '34 more' in message


# Frames that are not optical, and cameras that are not where they should be

def tilted(views, name, turn: np.ndarray):
    """Turn the frame of one camera, as seen in its own axes."""
    pose = next(view for view in views if view.name == name).base_from_optical
    return spoiled(views, name, base_from_optical=pose @ compose(turn, (0.0, 0.0, 0.0)))


BODY = OPTICAL_IN_BODY.T
DOWN = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # y to z: the axis points to the floor


@pytest.mark.parametrize('turn', [BODY, BODY @ np.diag([1, -1, -1]), DOWN, DOWN.T])
def test_a_frame_that_is_not_optical_has_no_heading(views, turn):
    spoiled_views = tilted(views, 'front', turn)
    for request in (AskRequest(PET, target=(3, 0, 0)), ViewRequest((3, 0, 0), math.pi / 2),
                    BevRequest()):
        message = refused(spoiled_views, request, Code.NO_TRANSFORM)
        assert "camera 'front'" in message and 'REP 103' in message
    for question in ('How many chairs are there?', 'What is this?'):
        assert not prepare(spoiled_views, AskRequest(question), OPTIONS).note
    assert prepare(spoiled_views, AskRequest(PET, target=(0, 3, 0)), OPTIONS).views[0].name == (
        'left')


@pytest.mark.parametrize(('pitch', 'roll'), [
    (70, 0), (35, 0), (-30, 0), (20, 90), (20, -90), (0, 90)])
def test_cameras_that_are_mounted_otherwise_have_one(views, pitch, roll):
    c, s = math.cos(math.radians(roll)), math.sin(math.radians(roll))
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    mounted = [replace(view, base_from_optical=compose(
        rotation_from_yaw_pitch(number * math.pi / 2, math.radians(pitch)) @ OPTICAL_IN_BODY
        @ turn, (0.0, 0.0, 1.2))) for number, view in enumerate(views)]
    assert not prepare(mounted, BevRequest(), OPTIONS).note
    assert not prepare(mounted, AskRequest('How many chairs?'), OPTIONS).note
    if pitch >= 0:
        near = (1.2 / math.tan(math.radians(pitch)) if pitch > 30 else 3.0, 0.0, 0.0)
        plain = [replace(view, depth=None) for view in mounted]
        assert prepare(plain, AskRequest(PET, target=near), OPTIONS).views[0].name == 'front'


def test_a_picture_that_is_upside_down_is_told(views):
    hanging = tilted(views, 'front', np.diag([-1.0, -1.0, 1.0]))
    for request in (AskRequest(PET, target=(3, 0, 0)), ViewRequest((3, 0, 0), math.pi / 2),
                    BevRequest(), AskRequest('How many chairs are there?')):
        prepared = prepare([replace(view, depth=None) for view in hanging], request, OPTIONS)
        assert "'front' is upside down" in prepared.note
    assert not prepare(hanging, AskRequest('What is this?'), OPTIONS).note


def test_what_depth_says_of_the_target_is_told(views):
    request = AskRequest(PET, target=(3, 0, 0))
    assert not prepare(views, request, OPTIONS).note
    far, none = (np.full((64, 64), value, np.float32) for value in (6.0, 0.0))
    assert 'm below the floor' in prepare(
        spoiled(views, 'front', depth=far), request, OPTIONS).note
    assert 'no depth was measured' in prepare(
        spoiled(views, 'front', depth=none), request, OPTIONS).note
    assert not prepare(spoiled(views, 'front', depth=None), request, OPTIONS).note


@pytest.mark.parametrize('order', [
    ('front', 'right', 'back', 'left'), ('left', 'front', 'right', 'back'),
    ('front', 'back', 'left', 'right'), ('back', 'left', 'front', 'right')])
def test_four_views_in_a_wrong_order_are_refused_with_the_right_one(views, order):
    around = ('front', 'left', 'back', 'right') * 2
    right = ', '.join(around[around.index(order[0]):][:4])
    for request in (BevRequest(cameras=order), AskRequest('How many chairs?', cameras=order)):
        message = refused(views, request, Code.BAD_REQUEST)
        assert f'in the order {right},' in message and f"'{order[0]}' 0, " in message
    by_name = {view.name: view for view in views}
    refused([by_name[name] for name in order], BevRequest(), Code.BAD_REQUEST)


@pytest.mark.parametrize('first', range(4))
@pytest.mark.parametrize('crooked', [0, 20, -20])
def test_four_views_may_begin_anywhere_and_be_a_little_crooked(views, first, crooked):
    turned = [replace(view, base_from_optical=compose(
        rotation_from_yaw_pitch(
            number * math.pi / 2 + math.radians(crooked * (-1) ** number)) @ OPTICAL_IN_BODY,
        (0.0, 0.0, 1.2))) for number, view in enumerate(views)]
    around = turned[first:] + turned[:first]
    assert not prepare(around, BevRequest(), OPTIONS).note
    assert not prepare(around, AskRequest('How many chairs?'), OPTIONS).note


def test_an_order_that_is_not_known_or_cannot_be_right_is_no_reason_to_refuse(views):
    wrong = [views[0], views[3], views[2], views[1]]
    lost = spoiled(wrong, 'back', base_from_optical=None, problem='it is lost')
    assert not prepare(lost, BevRequest(), OPTIONS).note
    alike = [replace(view, base_from_optical=views[0].base_from_optical) for view in views]
    assert "'left' 0, " in prepare(alike, BevRequest(), OPTIONS).note
    assert prepare(wrong, AskRequest('How many?', task='free'), OPTIONS).note == ''


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
    (BevRequest((1e300, 0.0), size=2.0), Code.TARGET_OUTSIDE_MAP),
    (AskRequest(PET, target=(500, 0, 0)), Code.TARGET_NOT_VISIBLE),
    (AskRequest(PET, target=(1e300, -1e300, 0)), Code.TARGET_NOT_VISIBLE),
    (ViewRequest((200, 0, 0), math.pi / 2), Code.TARGET_NOT_VISIBLE),
    (BevRequest((0.0, math.inf)), Code.TARGET_NOT_FINITE),
    (BevRequest(size=-1.0), Code.BAD_REQUEST),
    (BevRequest(size=33.0), Code.BAD_REQUEST),
    (BevRequest(resolution=0.001), Code.BAD_REQUEST),
    (BevRequest(cameras=('front',)), Code.BAD_CAMERA_COUNT),
])
def test_refusals(views, request_, code):
    assert len(refused(views, request_, code)) < 1000


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
