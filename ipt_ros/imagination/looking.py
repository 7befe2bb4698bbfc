# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Where the robot's cameras look: which sees a target best, and whether their order is right."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
import math

from ipt_ros.geometry import invert
from ipt_ros.imagination.data import Code, ImaginationError, View
from ipt_ros.spatial import errors, locate_target, MarkedTarget, quarter_turn
import numpy as np

_CODES = {
    errors.TargetInvalidError: Code.TARGET_NOT_FINITE,
    errors.TargetNotOnFloorError: Code.TARGET_NOT_ON_FLOOR,
    errors.TargetOccludedError: Code.TARGET_OCCLUDED,
    errors.TurnNotSupportedError: Code.TARGET_TURN,
    errors.TargetOutOfViewError: Code.TARGET_NOT_VISIBLE,
}
# How much a camera's reason tells of why a target cannot be marked; less is more.
_FOR_ALL, _SEES_IT, _LOOKS_THERE, _LOOKS_ANYWHERE, _LOOKS_AWAY = range(5)
_HALF_VIEW = math.radians(60)  # of a camera whose field of view is not known
_ORDER_TOLERANCE = math.radians(35)  # less than half of the quarter turn between two cameras
_MOST_REASONS, _LONGEST_REASON = 6, 600


def heading(view: View) -> float:
    """Return the yaw (rad) of a view's optical axis in the base frame."""
    axis = view.base_from_optical[:3, 2]
    return math.atan2(axis[1], axis[0])


def best_view(
    views: Sequence[View], target: tuple[float, float, float], yaw: float | None = None,
) -> tuple[View, MarkedTarget, str]:
    """
    Return the view in which the target (and turn, if `yaw` is given) works best, its mark, turn.

    Best is where the mark lies nearest to the middle column. Raises ImaginationError with the
    reason of the camera that might have seen the target, then those of others.
    """
    found, reasons = [], []
    for view in views:
        if view.camera is None or view.base_from_optical is None:
            reasons.append(_unknown(view, target))
            continue
        try:
            mark = locate_target(view.camera, view.base_from_optical, target, view.depth)
            turn = '' if yaw is None else quarter_turn(heading(view), yaw)
        except errors.TargetError as error:
            reasons.append(_Reason(_tells(view, target, error), _CODES[type(error)], view.name,
                                   str(error)))
            continue
        off = abs(mark.uv[0] - (view.camera.width - 1) / 2) / view.camera.width
        found.append((off, len(found), (view, mark, turn)))
    if found:
        return min(found)[2]
    raise _refusal(reasons)


def check_order(views: Sequence[View]) -> list[str]:
    """
    Refuse four views that look all around in another order than to the left, quarter by quarter.

    Return what to tell people where they look otherwise; nothing where all is well, or where not
    all headings are known. Raises ImaginationError.
    """
    if len(views) != 4 or any(view.base_from_optical is None for view in views):
        return []
    if _goes_around(views):
        return []
    first = heading(views[0])
    seen = ', '.join(
        f"'{view.name}' {round(math.degrees(heading(view) - first)) % 360}" for view in views)
    told = ('the model was taught on views that look 0, 90, 180 and 270 deg to the left of the '
            f'first; by /tf these look {seen} deg to its left')
    for others in permutations(views[1:]):
        if _goes_around((views[0], *others)):
            order = ', '.join(view.name for view in (views[0], *others))
            raise ImaginationError(Code.BAD_REQUEST, (
                f'the cameras are in a wrong order: {told}. Name them in the order {order}, in '
                "'cameras' of the request or of the node"))
    return [f'{told}, so what comes out may be wrong']


def _goes_around(views: Sequence[View]) -> bool:
    """Tell whether each view looks a quarter turn to the left of the one before, or nearly so."""
    left = np.array([heading(view) - number * math.pi / 2 for number, view in enumerate(views)])
    middle = np.angle(np.exp(1j * left).sum())
    return bool((np.abs(np.angle(np.exp(1j * (left - middle)))) <= _ORDER_TOLERANCE).all())


@dataclass(frozen=True)
class _Reason:
    """Why a camera cannot show a target, and how much that tells."""

    tells: int
    code: Code
    camera: str
    text: str

    @property
    def line(self) -> str:
        text = self.text
        if len(text) > _LONGEST_REASON:
            text = text[:_LONGEST_REASON] + ' ...'
        return f"camera '{self.camera}': {text}"


def _unknown(view: View, target: tuple[float, float, float]) -> _Reason:
    """Return the reason of a view whose geometry is not known."""
    code = Code.NO_CAMERA_INFO if view.camera is None else Code.NO_TRANSFORM
    tells = _LOOKS_ANYWHERE
    if view.base_from_optical is not None:
        x, y, _ = np.asarray(target) - view.base_from_optical[:3, 3]
        off = abs(math.remainder(math.atan2(y, x) - heading(view), math.tau))
        tells = _LOOKS_THERE if off <= _HALF_VIEW else _LOOKS_AWAY
    nothing = 'no camera_info' if view.camera is None else 'no transform'
    return _Reason(tells, code, view.name, view.problem or nothing)


def _tells(view: View, target: tuple[float, float, float], error: errors.TargetError) -> int:
    """Return how much the error of a view whose geometry is known tells."""
    if isinstance(error, errors.TargetInvalidError | errors.TargetNotOnFloorError):
        return _FOR_ALL
    if not isinstance(error, errors.TargetOutOfViewError):
        return _SEES_IT
    point = invert(view.base_from_optical) @ (*target, 1.0)
    if point[2] <= 0:
        return _LOOKS_AWAY
    with np.errstate(over='ignore'):  # a target may be as far away as a number can say
        u = view.camera.project(point[None, :3])[0][0, 0]
    return _LOOKS_THERE if -0.5 <= u <= view.camera.width - 0.5 else _LOOKS_AWAY


def _refusal(reasons: Sequence[_Reason]) -> ImaginationError:
    """Return the refusal of a target that no view can show; the most telling reason first."""
    codes = [*_CODES.values(), Code.NO_CAMERA_INFO, Code.NO_TRANSFORM]
    ordered = sorted(reasons, key=lambda reason: (reason.tells, codes.index(reason.code)))
    code = ordered[0].code
    # Where one camera is at fault, those that look away say nothing that helps.
    told = [reason for reason in ordered if reason.tells != _LOOKS_AWAY or reason.code == code]
    lines = [reason.line for reason in told[:_MOST_REASONS]]
    rest = len(ordered) - len(lines)
    if rest and len(told) <= _MOST_REASONS:
        lines.append(f'{rest} more look elsewhere')
    elif rest:
        lines.append(f'{rest} more cannot show it either')
    return ImaginationError(code, '; '.join(lines))
