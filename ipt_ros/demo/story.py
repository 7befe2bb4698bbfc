# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The questions of the demo: fair ones by the rules of the training data, in unseen rooms."""

from collections.abc import Iterator

from ipt_ros.demo.record import Request
from ipt_ros.geometry import Pose2D
from ipt_ros.spatial import Example, get_task, Question
from ipt_sim import Simulator
from ipt_training.examples import generate_example
import numpy as np

CAMERAS = ('front', 'left', 'back', 'right')
MAP_PIXELS = 256
_TRIES = 24  # kinds of question that are tried in a room before the next room is taken


def plan(sim: Simulator, seed: int) -> list[Request]:
    """
    Return the questions of the demo; the same seed gives the same questions.

    `sim` is only for planning: the robot's own simulator builds the same rooms from the seeds.
    """
    count = _first(sim, 'mvc', seed, goal=2, variant='rotation')  # looks for three of a kind early
    walk = _first(sim, 'pet', seed)
    other_walk = _first(sim, 'pet', seed + 1, goal=5)
    return [
        _counting('Count what is around', 'service', count, count.questions[0]),
        _perspective('Take another viewpoint', 'service', walk),
        _free('Ask freely', count),
        _perspective('Watch it imagine', 'action', other_walk),
    ]


def _first(
    sim: Simulator, task: str, seed: int, goal: int = 0, variant: str | None = None,
) -> Example:
    """Return the first example that a scene, or one of the next scenes, gives."""
    for scene, wish in _attempts(seed, goal):
        rng = np.random.default_rng([scene, wish])
        example = generate_example(task, sim, scene, rng, goal=wish)
        if example is not None and variant in (None, example.variant):
            return example
    raise LookupError(f"no '{task}' question in the scenes from seed {seed} on")


def _attempts(seed: int, goal: int) -> Iterator[tuple[int, int]]:
    return ((scene, goal + k) for scene in range(seed, seed + 10) for k in range(_TRIES))


def _plain_text(task: str, question: Question) -> str:
    """Return a question without the choices, as somebody would ask it over ROS."""
    return question.text.removesuffix(get_task(task).format_question('', question.choices))


def _counting(title: str, over: str, example: Example, question: Question) -> Request:
    pose = Pose2D(*example.metadata['poses'][0])
    return Request(
        title=title, over=over, task='mvc', mode='imagine', scene=example.metadata['scene'],
        pose=pose, question=_plain_text('mvc', question), choices=tuple(question.choices),
        truth=question.answer_choice, cameras=CAMERAS,
        truth_of={
            'kind': 'bev', 'x': pose.x, 'y': pose.y, 'yaw': pose.yaw,
            'size': example.metadata['map']['size'], 'pixels': MAP_PIXELS})


def _perspective(title: str, over: str, example: Example) -> Request:
    question = example.questions[0]
    x, y, yaw = example.metadata['target_pose']
    return Request(
        title=title, over=over, task='pet', mode='imagine', scene=example.metadata['scene'],
        pose=Pose2D(*example.metadata['pose']), question=_plain_text('pet', question),
        choices=tuple(question.choices), truth=question.answer_choice, cameras=('front',),
        target=(x, y), truth_of={'kind': 'view', 'x': x, 'y': y, 'yaw': yaw, 'camera': 'front'})


def _free(title: str, example: Example) -> Request:
    """Ask for a number in other words than those of the training data, without imagining."""
    question = example.questions[-1]
    return Request(
        title=title, over='service', task='free', mode='answer',
        scene=example.metadata['scene'], pose=Pose2D(*example.metadata['poses'][0]),
        question=f"Look around you: how many {question.metadata['category']}(s) do you see?",
        choices=tuple(question.choices), truth=question.answer_choice, cameras=CAMERAS)
