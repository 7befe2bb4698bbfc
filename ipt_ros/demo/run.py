# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The demo: start the robot and the imagination node, ask, show, tidy up."""

from dataclasses import dataclass
import json
import math
import os
from pathlib import Path
from time import monotonic

from geometry_msgs.msg import PointStamped
from ipt_interfaces.action import Imagine
from ipt_ros.asking import describe, phases
from ipt_ros.demo.page import page
from ipt_ros.demo.record import Outcome, Request
from ipt_ros.demo.story import CAMERAS, plan
from ipt_ros.demo.table import table
from ipt_ros.graph import graph_environment, NAMESPACE, node_command
from ipt_ros.machine import processor
from ipt_ros.outputs import writable_folder
from ipt_ros.pictures import png
from ipt_ros.processes import ProcessDiedError, Processes, stopped_by_signals, tail
from ipt_ros.progress import Progress
from ipt_ros.ros.client import Robot, RobotError
from ipt_ros.ros.images import to_rgb
from ipt_ros.ros.transforms import nanoseconds
from ipt_sim import make_simulator, SimulatorError

PAGE, SUMMARY = 'index.html', 'summary.json'


class DemoError(RuntimeError):
    """The demo cannot run or cannot go on; the message says why."""


@dataclass(frozen=True)
class Options:
    """checkpoint: folder of the model. seed: of the first room. out: folder for what is made."""

    checkpoint: Path
    seed: int
    out: Path


def run(options: Options, progress: Progress | None = None) -> int:
    """
    Run the demo; return 0 if every question was answered, rightly or wrongly.

    Raises DemoError when something else went wrong. Every process is stopped in any case.
    """
    progress = progress or Progress()
    if not options.checkpoint.is_dir():
        raise DemoError(
            f"no checkpoint at '{options.checkpoint}'; train it with 'make train-nano', or name "
            'another folder with --checkpoint')
    writable_folder(options.out)
    environment = graph_environment(os.environ)
    os.environ.update(environment)  # this process joins the graph as well
    with stopped_by_signals(), Processes() as processes:
        _start(processes, options, environment, progress)
        requests = _plan(options.seed, progress)
        try:
            outcomes = _Interview(processes, progress)(requests)
        except ProcessDiedError as error:
            raise DemoError(str(error)) from error
        except RobotError as error:
            raise DemoError(f'{error}\n{_logs(options)}') from error
        progress.live('stopping the nodes')
        codes = processes.stop()
    progress.step('stopped: ' + ', '.join(f'{name} (exit code {c})' for name, c in codes.items()))
    _write(options, outcomes, codes, progress)
    progress.plain('\n' + table(outcomes))
    progress.plain(f'\nOpen {options.out / PAGE} in a browser.')
    return 0 if not any(item.error for item in outcomes) and not any(codes.values()) else 1


def _logs(options: Options) -> str:
    """Return the end of what the nodes said."""
    return '\n'.join(
        f'the end of {log}:\n{tail(log)}' for log in sorted(options.out.glob('*.log')))


def _start(
    processes: Processes, options: Options, environment: dict[str, str], progress: Progress,
) -> None:
    progress.step(
        f"starting two nodes in ROS_DOMAIN_ID {environment['ROS_DOMAIN_ID']}; logs in "
        f'{options.out}')
    nodes = {
        'sim_bridge': {'seed': options.seed},
        'imagination': {'checkpoint': options.checkpoint.resolve(), 'use_sim_time': True},
    }
    for name, parameters in nodes.items():
        processes.start(
            name, node_command(name, parameters), options.out / f'{name}.log', environment)


def _plan(seed: int, progress: Progress) -> list[Request]:
    progress.live('looking for questions')  # while the nodes start
    try:
        simulator = make_simulator()
    except SimulatorError as error:
        raise DemoError(str(error)) from error
    try:
        requests = plan(simulator, seed)
    finally:
        simulator.close()
    progress.step(f'{len(requests)} questions in rooms from seed {seed} on')
    return requests


class _Interview:
    """Asks the questions one after the other and says at any time what is being waited for."""

    def __init__(self, processes: Processes, progress: Progress):
        self._processes = processes
        self._progress = progress
        self._doing = self._question = ''

    def __call__(self, requests: list[Request]) -> list[Outcome]:
        """Return what came of the requests."""
        outcomes, scene = [], None
        with Robot(NAMESPACE, self._waiting) as robot:
            self._bring_up(robot)
            for number, request in enumerate(requests, 1):
                self._question = f'question {number}'
                self._doing = f'{self._question}: {request.question}'
                if request.scene != scene:
                    robot.reset(request.scene)
                    scene = request.scene
                outcomes.append(self._ask(robot, request))
                self._progress.step(f'{self._question}, {_in_words(outcomes[-1])}')
        return outcomes

    def _bring_up(self, robot: Robot) -> None:
        self._doing = 'waiting for the cameras'
        robot.wait_for_cameras(CAMERAS)
        self._progress.step('the cameras deliver')
        self._doing = 'loading the model'
        robot.bring_up()
        self._progress.step('the imagination node is active')

    def _waiting(self, seconds: float) -> None:
        self._processes.check()
        self._progress.live(f'{self._doing} ({seconds:.0f} s)')

    def _on_feedback(self, feedback: Imagine.Feedback) -> None:
        self._doing = f'{self._question}: {describe(feedback)}'

    def _ask(self, robot: Robot, request: Request) -> Outcome:
        """Put the robot in place and ask, over the service or the action."""
        pose = request.pose
        arrived = robot.teleport(pose.x, pose.y, pose.yaw, request.cameras)
        target = PointStamped()
        if request.target is not None:
            target.header.frame_id = 'map'
            target.point.x, target.point.y = request.target
        fields = {
            'question': request.question, 'choices': list(request.choices),
            'task': request.task, 'mode': request.mode, 'cameras': list(request.cameras),
            'target': target, 'return_images': True, 'seed': request.scene}
        began = monotonic()
        if request.over == 'action':
            reply = robot.imagine(self._on_feedback, kind=Imagine.Goal.ASK, **fields)
        else:
            reply = robot.ask(**fields)
        seconds = monotonic() - began
        if not reply.success:
            return Outcome(request, error=reply.message, seconds=seconds)
        answer = reply.answer
        if any(nanoseconds(item.header.stamp) < arrived for item in answer.evidence):
            return Outcome(
                request, error='it rests on frames from where the robot was before',
                seconds=seconds)
        truth = robot.ground_truth(**request.truth_of) if request.truth_of else None
        return Outcome(
            request=request,
            answer=answer.text,
            confidence=float(answer.confidence),
            reasoning=answer.reasoning,
            seconds=seconds,
            phases=phases(answer),
            model=answer.model_id,
            inputs=tuple(to_rgb(image) for image in reply.inputs),
            imagined=to_rgb(reply.imagined[-1].image) if reply.imagined else None,
            truth_image=to_rgb(truth.image) if truth else None,
        )


def _in_words(outcome: Outcome) -> str:
    over = f'over the {outcome.request.over}'
    if outcome.error:
        return f'{over}: no answer: {outcome.error}'
    return f'{over}: {outcome.answer}, after {outcome.seconds:.1f} s'


def _write(
    options: Options, outcomes: list[Outcome], codes: dict[str, int], progress: Progress,
) -> None:
    """Write the pictures, the page and the summary."""
    machine = processor()
    rows = []
    for number, outcome in enumerate(outcomes, 1):
        pictures = dict(zip(
            [f'camera_{name}' for name in outcome.request.cameras], outcome.inputs))
        pictures |= {'imagined': outcome.imagined, 'truth': outcome.truth_image}
        files = {}
        for name, image in pictures.items():
            if image is not None:
                files[name] = f'{number}_{outcome.request.task}_{name}.png'
                (options.out / files[name]).write_bytes(png(image))
        rows.append(_row(outcome, files))
    summary = {
        'seed': options.seed,
        'checkpoint': str(options.checkpoint),
        'machine': machine,
        'seconds': round(progress.elapsed, 2),
        'exit_codes': codes,
        'questions': rows,
    }
    (options.out / SUMMARY).write_text(json.dumps(summary, indent=2) + '\n', encoding='utf-8')
    facts = {
        'model': next((item.model for item in outcomes if item.model), 'none'),
        'machine': machine,
        'rooms from seed': str(options.seed),
        'right': f'{sum(item.correct for item in outcomes)} of {len(outcomes)}',
    }
    (options.out / PAGE).write_text(page(outcomes, facts), encoding='utf-8')


def _row(outcome: Outcome, files: dict[str, str]) -> dict:
    """Return what summary.json says of a question."""
    request = outcome.request
    return {
        'task': request.task,
        'mode': request.mode,
        'over': request.over,
        'scene': request.scene,
        'pose': [request.pose.x, request.pose.y, request.pose.yaw],
        'target': list(request.target) if request.target else None,
        'question': request.question,
        'choices': list(request.choices),
        'answer': outcome.answer,
        'truth': request.truth,
        'correct': outcome.correct,
        'confidence': _number(outcome.confidence),
        'seconds': _number(outcome.seconds),
        'phases': {name: round(value, 4) for name, value in outcome.phases.items()},
        'error': outcome.error,
        'images': files,
    }


def _number(value: float) -> float | None:
    """Return a number as JSON has it: NaN is none."""
    return None if math.isnan(value) else round(value, 4)
