# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Requests through the door with a model of random weights."""

import math

from ipt_ros.bagel import reasoning, TextResult
from ipt_ros.geometry import OrthographicCamera
from ipt_ros.imagination import (
    AskRequest,
    BevRequest,
    Code,
    Imagination,
    ImaginationError,
    Options,
    ViewRequest,
)
import numpy as np
import pytest

PET = "After moving to 'X' and turning right 90°, will the chair get closer?"


def test_think_imagine_answer(door, views, scripted):
    result = door.ask(views, AskRequest(PET, ('Closer', 'Further'), target=(3, 1, 0)))
    answer = result.answer
    assert (answer.letter, answer.index, answer.text) == ('B', 1, 'Further')
    assert answer.confidence == answer.probabilities[1]
    assert sum(answer.probabilities) == pytest.approx(1.0)
    assert answer.reasoning == (
        '<think>Let me see.</think><image_start><image_end><answer>B</answer>')
    imagined, = result.imagined
    assert imagined.kind == 'view' and imagined.image.shape == (32, 32, 3)
    # At the target, as high as the camera, looking along -y.
    np.testing.assert_allclose(imagined.base_from_optical[:3, 3], (3, 1, 1.2))
    np.testing.assert_allclose(imagined.base_from_optical[:3, 2], (0, -1, 0), atol=1e-12)
    assert imagined.camera.width == 32 and math.isnan(imagined.confidence)
    assert list(result.phases) == ['read', 'think', 'imagine', 'answer', 'score']


def test_counting_imagines_a_map(door, views, scripted):
    result = door.ask(views, AskRequest('How many chairs?', ('1', '2', '3')))
    imagined, = result.imagined
    assert imagined.kind == 'bev' and imagined.camera == OrthographicCamera(32, 32, 0.25)
    # Straight down, the front camera's heading up.
    np.testing.assert_allclose(imagined.base_from_optical[:3, :3] @ (0, -1, 0), (1, 0, 0))
    np.testing.assert_allclose(imagined.base_from_optical[:3, 2], (0, 0, -1))
    assert result.cameras == ('front', 'left', 'back', 'right')


def test_a_letter_that_was_not_written_is_the_likeliest(door, views, monkeypatch):
    monkeypatch.setattr(
        reasoning, 'generate_texts', lambda batch, **options: [TextResult('Hm.', [], [], True)])
    answer = door.ask(views, AskRequest('Which?', ('x', 'y', 'z'), mode='answer')).answer
    assert answer.index == int(np.argmax(answer.probabilities))
    assert answer.reasoning == 'Hm.'


@pytest.mark.parametrize('written,text', [
    ('<answer> a red sofa </answer>', 'a red sofa'), ('just words ', 'just words'),
    ('<answer>cut off', 'cut off')])
def test_answers_in_words(door, views, monkeypatch, written, text):
    monkeypatch.setattr(
        reasoning, 'generate_texts',
        lambda batch, **options: [TextResult(written, [], [], True)])
    answer = door.ask(views, AskRequest('What?', mode='answer')).answer
    assert answer.text == text
    assert (answer.letter, answer.index, answer.probabilities) == ('', -1, ())
    assert math.isnan(answer.confidence)


def test_seeds(door, views):
    def image(seed):
        return door.ask(views, ViewRequest((3, 0, 0), math.pi / 2, seed=seed)).imagined[0].image

    np.testing.assert_array_equal(image(1), image(1))
    assert (image(1) != image(2)).any()
    assert door.ask(views, AskRequest('What?', mode='answer')).seed == door.options.seed


def test_progress(door, views):
    seen = []
    result = door.ask(views, ViewRequest((3, 0, 0), math.pi / 2), seen.append)
    assert [(p.step, p.total) for p in seen if p.phase == 'imagine'] == [
        (1, 4), (2, 4), (3, 4), (4, 4)]
    assert [(p.step, p.total) for p in seen if p.phase == 'confirm'] == [(1, 2), (2, 2)] * 2
    last = [p for p in seen if p.phase == 'imagine'][-1]
    assert last.preview().shape == (32, 32, 3)
    assert 0.0 <= result.imagined[0].confidence <= 1.0
    assert list(result.phases) == ['read', 'imagine', 'confirm']


@pytest.mark.parametrize('request_', [
    AskRequest('What?', mode='answer'), ViewRequest((3, 0, 0), math.pi / 2), BevRequest()])
@pytest.mark.parametrize('reports', [0, 1, 7, -1])
def test_cancelling_after_any_report(door, views, request_, reports):
    seen = []
    if reports < 0:  # just before the end
        door.ask(views, request_, seen.append)
        reports += len(seen)
    seen.clear()
    with pytest.raises(ImaginationError) as caught:
        door.ask(views, request_, seen.append, lambda: len(seen) >= reports)
    assert caught.value.code == Code.CANCELLED
    assert len(seen) == reports


def test_a_map_and_its_grid(door, views):
    result = door.ask(views, BevRequest((1.0, 0.0), 4.0, 0.5))
    assert result.grid.cells.shape == (8, 8) and result.grid.cells.dtype == np.int8
    assert result.grid.origin == pytest.approx((-1.0, -2.0))
    assert result.imagined[0].image.shape == (8, 8, 3)


def test_no_samples_no_confidence(model, views):
    door = Imagination(model, 'tiny', Options(confidence_samples=0))
    result = door.ask(views, BevRequest())
    assert math.isnan(result.imagined[0].confidence)
    assert 'confirm' not in result.phases or result.phases['confirm'] < 1e-3
    assert result.grid is not None


def test_a_missing_checkpoint_says_so(tmp_path):
    from ipt_ros.bagel import BagelError
    with pytest.raises(BagelError, match='no such folder|no tokenizer|llm_config'):
        Imagination.from_checkpoint(tmp_path / 'nothing')


def test_codes_are_those_of_the_messages():
    from ipt_interfaces.msg import ErrorCode
    for code in Code:
        assert getattr(ErrorCode, code.name) > 0
