# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Checking a request against what the cameras see: everything that needs no model."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
import math
import re
from typing import NoReturn

from ipt_ros.geometry import is_upside_down, optical_problem, OrthographicCamera, Pose2D
from ipt_ros.imagination.data import (
    AskRequest,
    AUTO_MODE,
    BevRequest,
    Code,
    ImaginationError,
    MODES,
    Options,
    Request,
    TASK_NAMES,
    View,
    ViewRequest,
)
from ipt_ros.imagination.looking import best_view, check_order, heading
from ipt_ros.imagination.path_map import path_map
from ipt_ros.spatial import (
    draw_cross,
    FloorPath,
    get_task,
    guess_task,
    MarkedTarget,
    Question,
    Task,
)
from ipt_ros.spatial import (
    errors as spatial_errors,
)
from ipt_ros.spatial.tasks.path_tracing import goes_back, names_arrow, side_in
import numpy as np

MOST_MAP_PIXELS = 2048

_PATH_CODES = {
    spatial_errors.TargetInvalidError: Code.TARGET_NOT_FINITE,
    spatial_errors.PathInvalidError: Code.BAD_PATH,
}

_TURN_WORDS = re.compile(
    r'\b(?:turn|rotat)\w*\s+(?:to\s+(?:the|my|your|its)\s+)?(left|right)\b'
    r'|\b90[- ]?(?:°|deg\w*)\s+(?:turn\s+to\s+the\s+|to\s+the\s+)?(left|right)\b', re.IGNORECASE)


@dataclass(frozen=True)
class Prepared:
    """
    A request that was checked, and what the model will be given.

    views and images (uint8 (H, W, 3), marks drawn) are in the model's order. turn: 'left', 'right'
    or '' where it is not known. side_pose: from where a path question looks to which side, None
    where that is not known. note: a remark for people.
    """

    request: Request
    task: Task
    question: Question
    mode: str
    views: tuple[View, ...]
    images: tuple[np.ndarray, ...]
    turn: str = ''
    side_pose: Pose2D | None = None
    note: str = ''


def prepare(views: Sequence[View], request: Request, options: Options) -> Prepared:
    """
    Check a request and put together what the model needs.

    views: the frames of one moment, in the order of configuration. Raises ImaginationError.
    """
    views = [_looked_at(view) for view in views]
    try:
        if isinstance(request, AskRequest):
            return _prepare_ask(views, request, options)
        if isinstance(request, ViewRequest):
            return _prepare_view(views, request)
        return _prepare_bev(views, request, options)
    except spatial_errors.WrongImagesError as error:
        raise ImaginationError(Code.BAD_CAMERA_COUNT, (
            f"{error}; name the cameras to use in 'cameras'")) from error


def check_ask(request: AskRequest, longest: int) -> None:
    """Refuse what is wrong with a question whatever the cameras see. Raises ImaginationError."""
    if request.task not in TASK_NAMES:
        raise ImaginationError(Code.UNKNOWN_TASK, (
            f"unknown task '{request.task:.40}'; expected one of: {', '.join(TASK_NAMES)}"))
    if request.mode not in MODES:
        raise ImaginationError(Code.UNKNOWN_MODE, (
            f"unknown mode '{request.mode:.40}'; expected one of: {', '.join(MODES)}"))
    if not request.question.strip():
        raise ImaginationError(Code.EMPTY_QUESTION, 'the question is empty; ask something')
    size = sum(len(text.encode()) for text in (request.question, *request.choices))
    if size > longest:
        raise ImaginationError(Code.QUESTION_TOO_LONG, (
            f'question and choices have {size} bytes; the limit is {longest}'))
    try:
        get_task('free').ask(request.question, request.choices)
    except spatial_errors.BadQuestionError as error:
        raise ImaginationError(Code.BAD_CHOICES, str(error)) from error
    if request.target is not None:
        _check_finite(request.target)
    if request.path is not None:
        _floor_path(request)
        if request.target is not None or request.task not in ('auto', 'pt'):
            raise ImaginationError(Code.BAD_REQUEST, (
                f"a path goes with the task 'pt' and without a target; the task is "
                f"'{request.task}'"))
        if request.cameras:
            raise ImaginationError(Code.BAD_CAMERA_COUNT, (
                'a question about a path is put about the view from above alone; name no cameras'))
    elif request.task == 'pt':
        _miss_path()


def _prepare_ask(views: Sequence[View], request: AskRequest, options: Options) -> Prepared:
    check_ask(request, options.max_question)
    if request.path is not None:
        return _prepare_path(views, request, options)
    views = _chosen(_first_person(views), request.cameras)
    if request.task != 'auto':
        task = get_task(request.task)
    elif request.target is not None:
        task = get_task('pet')
    else:
        task = guess_task(request.question, len(views))
    turn, mark = '', None
    if task.name == 'pt':
        _miss_path()
    if task.name == 'pet':
        if request.target is None:
            raise ImaginationError(Code.MISSING_TARGET, (
                "a question about the 'X' needs `target`, the point on the ground to mark; to ask "
                "about the images as they are, set the task to 'free'"))
        view, mark, _ = best_view(views, request.target)
        views, images = (view,), (draw_cross(view.image, mark.uv),)
        turn = turn_in(request.question)
    else:
        images = tuple(view.image for view in views)
    task.check_images(images)
    notes = _notes(views, mark) if task.imagination else []
    if task.name == 'mvc':
        notes += check_order(views)
    question = task.ask(request.question, request.choices)
    mode = _mode(request, task, options)
    return Prepared(request, task, question, mode, tuple(views), images, turn,
                    note='; '.join(notes))


def _prepare_path(views: Sequence[View], request: AskRequest, options: Options) -> Prepared:
    path, task = _floor_path(request), get_task('pt')
    charts = [view for view in views if isinstance(view.camera, OrthographicCamera)]
    if not charts:
        raise ImaginationError(Code.NO_MAP, (
            'there is no view from above to draw the path on; see the topic top_down/image_raw'))
    chart = charts[0]
    if chart.base_from_optical is None:
        raise ImaginationError(
            Code.NO_TRANSFORM, f"'{chart.name}': {chart.problem or 'no transform'}")
    side, with_arrow = side_in(request.question), names_arrow(request.question)
    if with_arrow and not side:
        raise ImaginationError(Code.BAD_REQUEST, (
            'the question names an arrow, which is drawn to the side that one looks to: say '
            "'left' or 'right' in it"))
    pose = None
    if side:
        walked = path.reversed() if goes_back(request.question) else path
        pose = walked.midpoint.moved(0.0, turn=math.radians(90 if side == 'left' else -90))
    image = path_map(
        chart, path, options.path_map_size, pose.yaw if with_arrow else None)
    question = task.ask(request.question, request.choices)
    return Prepared(
        request, task, question, _mode(request, task, options), (chart,), (image,), side_pose=pose)


def _floor_path(request: AskRequest) -> FloorPath:
    """Return the path of a request; raise ImaginationError where it is none."""
    try:
        return FloorPath(np.array(request.path, float).reshape(-1, 2))
    except spatial_errors.TargetError as error:
        raise ImaginationError(_PATH_CODES[type(error)], str(error)) from error


def _miss_path() -> NoReturn:
    raise ImaginationError(Code.MISSING_TARGET, (
        'a question about waypoints and the midpoint M1 needs `path`, the way to draw on the map; '
        "to ask about the images as they are, set the task to 'free'"))


def _mode(request: AskRequest, task: Task, options: Options) -> str:
    if request.mode != 'auto':
        return request.mode
    return options.auto_mode.get(task.name) or AUTO_MODE[task.name]


def _first_person(views: Sequence[View]) -> list[View]:
    return [view for view in views if not isinstance(view.camera, OrthographicCamera)]


def _prepare_view(views: Sequence[View], request: ViewRequest) -> Prepared:
    _check_finite((*request.target, request.yaw))
    views = _chosen(_first_person(views), (request.camera,) if request.camera else ())
    view, mark, turn = best_view(views, request.target, request.yaw)
    exact = heading(view) + math.radians(90 if turn == 'left' else -90)
    moved = math.degrees(math.remainder(exact - request.yaw, math.tau))
    notes = _notes((view,), mark)
    if abs(moved) > 1.0:
        notes.insert(0, (
            f"the heading was moved by {moved:+.0f} deg to camera '{view.name}' turned 90 deg "
            f'{turn}: the model imagines quarter turns only'))
    task = get_task('pet')
    return Prepared(request, task, task.imagination_question(turn=turn), 'imagine', (view,),
                    (draw_cross(view.image, mark.uv),), turn, note='; '.join(notes))


def _prepare_bev(views: Sequence[View], request: BevRequest, options: Options) -> Prepared:
    numbers = (*request.centre, request.size, request.resolution)
    _check_finite(numbers)
    if request.size < 0 or request.resolution < 0:
        raise ImaginationError(Code.BAD_REQUEST, (
            f'size and resolution must not be negative, got {request.size} m and '
            f'{request.resolution} m'))
    size = request.size or options.map_size
    if request.resolution and not 1 <= size / request.resolution <= MOST_MAP_PIXELS:
        raise ImaginationError(Code.BAD_REQUEST, (
            f'{size} m at {request.resolution} m a pixel are {size / request.resolution:.4g} '
            f'pixels a side; expected 1 to {MOST_MAP_PIXELS}'))
    if size > 4 * options.map_size:
        raise ImaginationError(Code.BAD_REQUEST, (
            f'{size} m is more than four times the {options.map_size} m that are imagined'))
    views = _chosen(_first_person(views), request.cameras)
    if views[0].base_from_optical is None:
        raise ImaginationError(Code.NO_TRANSFORM, (
            f"camera '{views[0].name}': {views[0].problem or 'no transform'}; it is needed to "
            'know which way is up in the map'))
    yaw, reach = heading(views[0]), (options.map_size + size) / 2
    forward = math.cos(yaw) * request.centre[0] + math.sin(yaw) * request.centre[1]
    left = math.cos(yaw) * request.centre[1] - math.sin(yaw) * request.centre[0]
    if max(abs(forward), abs(left)) >= reach:
        raise ImaginationError(Code.TARGET_OUTSIDE_MAP, (
            f'{size} m around ({request.centre[0]:.6g}, {request.centre[1]:.6g}) do not touch the '
            f'{options.map_size} m around the robot that are imagined'))
    task = get_task('mvc')
    images = tuple(view.image for view in views)
    task.check_images(images)
    notes = _notes(views) + check_order(views)
    return Prepared(
        request, task, task.imagination_question(), 'imagine', tuple(views), images,
        note='; '.join(notes))


def _looked_at(view: View) -> View:
    """Return a view without its pose where that is not one of an optical frame."""
    if view.base_from_optical is None or isinstance(view.camera, OrthographicCamera):
        return view
    problem = optical_problem(view.base_from_optical)
    if not problem:
        return view
    return replace(view, base_from_optical=None,
                   problem='; '.join(filter(None, (view.problem, problem))))


def _notes(views: Sequence[View], mark: MarkedTarget | None = None) -> list[str]:
    """Return what people should know of views whose geometry counts, and of a mark in one."""
    notes = [
        f"by /tf the picture of camera '{view.name}' is upside down; where it is not, its frame "
        'is not optical and all directions are wrong'
        for view in views
        if view.base_from_optical is not None and is_upside_down(view.base_from_optical)]
    if mark is not None and mark.below:
        notes.append(
            f'depth shows a surface {mark.below:.2f} m below the floor at the target: a drop, a '
            'floor that is not at z = 0 of the base frame, or a wrong pose of the camera')
    if mark is not None and views[0].depth is not None and not mark.occlusion_checked:
        notes.append('no depth was measured at the target, so nothing tells whether it is hidden')
    return notes


def turn_in(question: str) -> str:
    """Return the turn that a question names, 'left' or 'right', or '' if none or both."""
    found = {(a or b).lower() for a, b in _TURN_WORDS.findall(question)}
    return found.pop() if len(found) == 1 else ''


def _check_finite(numbers: Sequence[float]) -> None:
    if not all(math.isfinite(number) for number in numbers):
        raise ImaginationError(Code.TARGET_NOT_FINITE, (
            f'NaN or infinity in the request: {tuple(numbers)}'))


def _chosen(views: Sequence[View], names: Sequence[str]) -> list[View]:
    """Return the named views in the order of the names, or all."""
    known = {view.name: view for view in views}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ImaginationError(Code.UNKNOWN_CAMERA, (
            f"unknown camera {', '.join(map(repr, unknown))}; there are: {', '.join(known)}"))
    if len(set(names)) != len(names):
        raise ImaginationError(Code.BAD_CAMERA_COUNT, f'a camera is named twice: {list(names)}')
    return [known[name] for name in names] if names else list(views)
