# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the demo asks and how it shows what came back; no process is started here."""

from html.parser import HTMLParser
import io
import re

import cv2
from ipt_ros.demo.page import page
from ipt_ros.demo.record import Outcome, Request
from ipt_ros.demo.story import CAMERAS, plan
from ipt_ros.demo.table import table
from ipt_ros.geometry import Pose2D
from ipt_ros.pictures import png
from ipt_ros.progress import bar, Progress
from ipt_sim import make_simulator
import numpy as np
import pytest

SEED = 1_000_000


def request(**changes):
    fields = {
        'title': 'Count', 'over': 'service', 'task': 'mvc', 'mode': 'imagine', 'scene': SEED,
        'pose': Pose2D(0.0, 0.0), 'question': 'How many chair(s) are in this area?',
        'choices': ('1', '2'), 'truth': '2', 'cameras': CAMERAS}
    return Request(**{**fields, **changes})


def picture(color):
    return np.full((8, 8, 3), color, np.uint8)


def outcome(**changes):
    fields = {
        'request': request(), 'answer': '2', 'confidence': 0.75, 'seconds': 1.5,
        'phases': {'read': 0.5, 'imagine': 1.0}, 'model': 'tiny',
        'inputs': tuple(picture(40 * k) for k in range(4)), 'imagined': picture(200),
        'truth_image': picture(220), 'reasoning': '<think>look</think>'}
    return Outcome(**{**fields, **changes})


@pytest.fixture(scope='module')
def simulator():
    simulator = make_simulator()
    yield simulator
    simulator.close()


def test_plan_covers_the_tasks_and_both_ways_to_ask(simulator):
    requests = plan(simulator, SEED)
    assert {r.task for r in requests} == {'mvc', 'pet', 'free'}
    assert {r.over for r in requests} == {'service', 'action'}
    assert all(r.scene >= SEED for r in requests)


def test_plan_is_the_same_for_the_same_seed(simulator):
    first, again, other = plan(simulator, SEED), plan(simulator, SEED), plan(simulator, SEED + 77)
    assert first == again
    assert first != other


@pytest.mark.parametrize('seed', range(SEED, SEED + 40, 8))
def test_planned_questions_can_be_asked_and_have_their_truth_among_the_choices(simulator, seed):
    for item in plan(simulator, seed):
        assert item.truth in item.choices
        simulator.reset(item.scene)
        simulator.teleport(item.pose)  # refuses what is not free
        # The choices are sent beside the question, never twice.
        assert '(A)' not in item.question and 'A)' not in item.question
        assert (item.target is not None) == (item.task == 'pet')
        if item.task == 'mvc':
            category = re.fullmatch(r'How many (.+)\(s\) are in this area\?', item.question)[1]
            names = [thing.name for thing in simulator.objects()]
            assert names.count(category) >= int(item.truth)


def test_outcome_is_correct_only_with_the_true_answer():
    assert outcome().correct
    assert not outcome(answer='1').correct
    assert not outcome(answer='', request=request(truth='')).correct


def test_table_shows_question_answer_truth_confidence_and_phases():
    shown = table([outcome(), outcome(answer='1')])
    for text in ('2 (right)', '1 (wrong)', '75%', 'read 0.50', 'imagine 1.00'):
        assert text in shown
    assert max(map(len, shown.splitlines())) <= 120


def test_table_shows_a_failure_and_a_missing_confidence():
    shown = table([outcome(error='the camera front is silent', answer='')])
    assert 'failed' in shown and 'silent' in shown and 'nan' not in shown


class Collector(HTMLParser):
    """Collects what a browser would load, and checks that tags close."""

    VOID = {'meta', 'img', 'link', 'br'}

    def __init__(self):
        super().__init__()
        self.open, self.sources, self.scripts = [], [], 0

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == 'script'
        self.sources += [v for k, v in attributes if k in ('src', 'href')]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def parsed(text):
    collector = Collector()
    collector.feed(text)
    assert not collector.open
    return collector


def test_page_needs_nothing_beside_it():
    collector = parsed(page([outcome(), outcome()], {'model': 'tiny'}))
    assert len(collector.sources) == 12  # four cameras, the imagined one and the truth, twice
    assert all(source.startswith('data:image/png;base64,') for source in collector.sources)


def test_page_shows_answer_truth_confidence_and_times():
    text = page([outcome()], {'model': 'tiny', 'machine': 'a toaster'})
    for part in ('How many chair(s)', 'Answer: <b>2</b> (right)', 'Truth: <b>2</b>', '75%',
                 'imagined by the model', 'read 0.50 s', 'a toaster'):
        assert part in text


def test_page_escapes_what_others_wrote():
    evil = '<script>alert(1)</script>'
    text = page(
        [outcome(request=request(question=evil, choices=(evil, '2')), answer=evil,
                 reasoning=evil, phases={evil: 1.0}),
         outcome(error=evil)],
        {evil: evil})
    assert parsed(text).scripts == 0


def test_page_of_a_failure_says_why():
    text = page([outcome(error='no frame yet', imagined=None, inputs=(), phases={})], {})
    assert 'No answer: no frame yet' in text
    parsed(text)


def test_png_keeps_every_pixel():
    image = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    decoded = cv2.imdecode(np.frombuffer(png(image), np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), image)


class Terminal(io.StringIO):

    def isatty(self):
        return True


def on_screen(written: str) -> list[str]:
    """Return the lines that a terminal shows in the end."""
    lines = []
    for line in written.split('\n'):
        shown = ''
        for part in line.split('\r'):
            shown = part + shown[len(part):]
        lines.append(shown.rstrip())
    return lines


def test_progress_overwrites_the_live_line_on_a_terminal():
    output = Terminal()
    progress = Progress(output)
    progress.live('a rather long line about something')
    progress.live('short')
    progress.step('done')
    progress.live('again')
    progress.clear()
    shown = on_screen(output.getvalue())
    assert [line.partition('] ')[2] for line in shown] == ['done', '']


def test_progress_keeps_live_lines_out_of_a_log():
    output = io.StringIO()
    progress = Progress(output)
    for k in range(1000):
        progress.live(f'step {k}')
    progress.step('done')
    assert output.getvalue().count('\n') == 1


def test_bar_fills():
    assert bar(0, 10, 4) == '---- 0/10'
    assert bar(5, 10, 4) == '##-- 5/10'
    assert bar(10, 10, 4) == '#### 10/10'
    assert bar(3, 0, 4) == '---- 3/?'
