# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt ask`: a question over the action, so that progress can be seen and Ctrl-C cancels it."""

from argparse import Namespace
from itertools import zip_longest
import json
import math
from pathlib import Path
import sys

from geometry_msgs.msg import PointStamped
from ipt_interfaces.action import Imagine
from ipt_ros.outputs import file_names, in_words, writable_folder
from ipt_ros.pictures import png
from ipt_ros.progress import bar, Progress
from ipt_ros.ros.client import Robot, RobotError
from ipt_ros.ros.images import to_rgb
from ipt_ros.ros.messages import path_message


def ask(options: Namespace) -> int:
    """Ask what the command line says, print the answer; return the exit code."""
    progress = Progress(sys.stderr)
    target = PointStamped()
    if options.target:
        target.header.frame_id = options.frame
        target.point.x, target.point.y = options.target
    path = path_message(
        zip(options.path[::2], options.path[1::2]), options.frame if options.path else '')
    try:
        with Robot(options.namespace, timeout=options.timeout) as robot:
            progress.live('waiting for the node')
            result = robot.imagine(
                lambda feedback: progress.live(describe(feedback)), kind=Imagine.Goal.ASK,
                question=options.question, choices=options.choices, task=options.task,
                mode=options.mode, cameras=options.cameras, target=target,
                path=path, seed=options.seed,
                return_images=options.out is not None)
    except RobotError as error:
        print(f'ipt: {error}', file=sys.stderr)
        return 1
    progress.clear()
    if not result.success:
        print(f'ipt: {result.message} (error code {result.error_code})', file=sys.stderr)
        return 1
    print(as_json(result.answer) if options.json else as_text(result.answer), flush=True)
    if options.out:
        try:
            save_pictures(result, options.out)
        except (OSError, ValueError) as error:
            reason = in_words(error) if isinstance(error, OSError) else error
            print(f'ipt: the pictures are not saved: {reason}', file=sys.stderr)
            return 1
    return 0


def describe(feedback: Imagine.Feedback) -> str:
    """Return the feedback of the action in words."""
    if feedback.steps_total:
        return f'{feedback.phase} {bar(feedback.step, feedback.steps_total)}'
    return feedback.phase


def save_pictures(result: Imagine.Result, folder: Path) -> None:
    """
    Write what the model saw and what it imagined as PNG files, named after cameras and kinds.

    Whatever the names are, the files are right in the folder. Raise OSError where they cannot be
    written, ValueError for a message that is no picture.
    """
    writable_folder(folder)
    cameras = [item.camera for item in result.answer.evidence]
    pictures = [(camera or f'input_{number}', message) for number, (camera, message) in enumerate(
        zip_longest(cameras[:len(result.inputs)], result.inputs), 1)]
    pictures += [
        (f'imagined_{i}_{item.kind}', item.image) for i, item in enumerate(result.imagined, 1)]
    for name, (_, message) in zip(file_names(name for name, _ in pictures), pictures):
        (folder / f'{name}.png').write_bytes(png(to_rgb(message)))


def as_text(answer) -> str:
    """Return an answer for people."""
    lines = [f'{answer.letter}) {answer.text}' if answer.letter else answer.text]
    if not math.isnan(answer.confidence):
        lines.append(f'confidence {answer.confidence:.0%}')
    lines.append(f'task {answer.task}, mode {answer.mode}, model {answer.model_id}')
    lines.append(', '.join(f'{name} {value:.2f} s' for name, value in phases(answer).items()))
    return '\n'.join(lines)


def as_json(answer) -> str:
    """Return an answer for programs."""
    return json.dumps({
        'text': answer.text,
        'letter': answer.letter,
        'index': answer.index,
        'confidence': None if math.isnan(answer.confidence) else answer.confidence,
        'task': answer.task,
        'mode': answer.mode,
        'reasoning': answer.reasoning,
        'model': answer.model_id,
        'seed': answer.seed,
        'phases': phases(answer),
    }, indent=2)


def phases(answer) -> dict[str, float]:
    """Return the seconds that each phase took, in order."""
    return {p.name: p.duration.sec + p.duration.nanosec * 1e-9 for p in answer.phases}
