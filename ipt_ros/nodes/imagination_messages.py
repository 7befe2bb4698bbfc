# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Between the imagination node's messages and the plain data of `ipt_ros.imagination`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
import math

from builtin_interfaces.msg import Duration
from geometry_msgs.msg import PointStamped, PoseStamped, TransformStamped
from ipt_interfaces.action import Imagine
from ipt_interfaces.msg import Answer, Evidence, ImaginedImage, Phase
from ipt_interfaces.srv import Ask
from ipt_ros.geometry import (
    compose,
    matrix_from_quaternion,
    OrthographicCamera,
    Pose2D,
    quaternion_problem,
    transform_points,
)
from ipt_ros.imagination import (
    AskRequest,
    BevRequest,
    check_ask,
    Code,
    Grid,
    ImaginationError,
    Imagined,
    Request,
    Result,
    ViewRequest,
)
from ipt_ros.ros.cameras import Observation
from ipt_ros.ros.images import from_rgb
from ipt_ros.ros.messages import (
    camera_info,
    pose_message,
    time_message,
    transform_message,
)
from ipt_ros.ros.transforms import nanoseconds
from nav_msgs.msg import MapMetaData, OccupancyGrid, Path
import numpy as np
from std_msgs.msg import Header

# Takes (frame, stamp in ns) to the 4x4 base frame of the observation from it.
BaseFrom = Callable[[str, int], np.ndarray]

_TILTED = math.radians(78)  # a target pose that leans over by more is of another convention


def seed_of(seed: int) -> int | None:
    """Return a request's seed; negative ones leave it to the node."""
    return seed if seed >= 0 else None


@dataclass(frozen=True)
class Plan:
    """
    How to serve a request message.

    cameras: their names, () for all. on_map: the view from above instead. check(longest question
    in bytes): raise for what is wrong with the request whatever the cameras see. make(base_from):
    return the request, with positions in the base frame of an observation. Both raise
    ImaginationError, make TransformError, too. marks: whether a target is marked, which depth may
    show to be hidden. target, path: what a question is about, as asked.
    """

    cameras: Sequence[str]
    check: Callable[[int], None]
    make: Callable[[BaseFrom], Request]
    on_map: bool = False
    marks: bool = False
    target: PointStamped = field(default_factory=PointStamped)
    path: Path = field(default_factory=Path)


def ask_plan(message: Ask.Request | Imagine.Goal) -> Plan:
    """Plan to answer a question."""
    marked = bool(message.target.header.frame_id)
    frame = message.path.header.frame_id
    walked = bool(frame or message.path.poses)
    places = [_xyz(item.pose.position) for item in message.path.poses]
    asked = AskRequest(
        question=message.question, choices=tuple(message.choices), task=message.task or 'auto',
        mode=message.mode or 'auto', cameras=tuple(message.cameras),
        target=_xyz(message.target.point) if marked else None,
        path=[place[:2] for place in places] if walked else None, seed=seed_of(message.seed))

    def check(longest: int) -> None:
        check_ask(asked, longest)
        if walked:
            _check_frames(message.path)

    def make(base_from: BaseFrom) -> Request:
        if marked:
            return replace(asked, target=_point_in_base(message.target, base_from))
        if walked:
            # A plan's stamp is when it was made, not a time at which its frame was elsewhere.
            points = transform_points(base_from(frame, 0), np.array(places))
            return replace(asked, path=points[:, :2].tolist())
        return asked

    return Plan(asked.cameras, check, make, walked, marked, message.target, message.path)


def view_plan(target: PoseStamped, camera: str, seed: int) -> Plan:
    """Plan to imagine a view."""
    def make(base_from: BaseFrom) -> Request:
        frame, stamp = target.header.frame_id, nanoseconds(target.header.stamp)
        matrix = base_from(frame, stamp) @ pose_matrix(target)
        tilt = math.acos(np.clip(matrix[2, 2], -1.0, 1.0))
        if tilt > _TILTED:
            raise ImaginationError(Code.BAD_REQUEST, (
                f'the target pose leans over by {math.degrees(tilt):.0f} deg in the base frame; '
                'expected x forward and z up, as of a robot, not the pose of an optical frame (z '
                'forward), nor a rotation in one'))
        pose = Pose2D.from_matrix(matrix)
        return ViewRequest(
            (pose.x, pose.y, float(matrix[2, 3])), pose.yaw, camera, seed_of(seed))

    return Plan(
        (camera,) if camera else (), lambda longest: pose_matrix(target), make, marks=True)


def bev_plan(centre: PointStamped, size: float, resolution: float, seed: int,
             cameras: Sequence[str]) -> Plan:
    """Plan to imagine a map."""
    def make(base_from: BaseFrom) -> Request:
        x, y = 0.0, 0.0
        if centre.header.frame_id:
            x, y, _ = _point_in_base(centre, base_from)
        return BevRequest((x, y), size, resolution, tuple(cameras), seed_of(seed))

    def check(longest: int) -> None:
        _check_finite((*_xyz(centre.point), size, resolution))

    return Plan(tuple(cameras), check, make)


def _point_in_base(point: PointStamped, base_from: BaseFrom) -> tuple[float, float, float]:
    matrix = base_from(point.header.frame_id, nanoseconds(point.header.stamp))
    return tuple(float(value) for value in (matrix @ (*_xyz(point.point), 1.0))[:3])


def _check_frames(path: Path) -> None:
    frames = {item.header.frame_id for item in path.poses} - {'', path.header.frame_id}
    if not path.header.frame_id or frames:
        raise ImaginationError(Code.BAD_PATH, (
            f"the path is in the frame '{path.header.frame_id}' and its poses are in "
            f'{sorted(frames)}; say once, in the header of the path, in which frame all of it is'))


def pose_matrix(target: PoseStamped) -> np.ndarray:
    """Return a target pose as 4x4. Raises ImaginationError where it is not finite or no pose."""
    if not target.header.frame_id:
        raise ImaginationError(Code.MISSING_TARGET, (
            'the target pose has no frame_id; say in which frame it is given'))
    position, q = _xyz(target.pose.position), target.pose.orientation
    turn = np.array([q.x, q.y, q.z, q.w])
    _check_finite((*position, *turn))
    if problem := quaternion_problem(turn):
        raise ImaginationError(Code.BAD_REQUEST, (
            f'the quaternion {turn.tolist()} (x, y, z, w) of the target pose {problem}; a pose '
            'that faces yaw has z = sin(yaw / 2), w = cos(yaw / 2)'))
    return compose(matrix_from_quaternion(turn), position)


def note_of(plan: Plan, result: Result, observation: Observation) -> str:
    """Return the remarks on a result: the model's, and what could not be looked at."""
    unseen = [f"camera '{frame.name}': {frame.no_depth}" for frame in observation.frames
              if plan.marks and frame.no_depth and frame.name in result.cameras]
    if unseen:
        unseen.insert(0, 'whether something hides the target was not checked')
    return '; '.join(filter(None, (result.note, ': '.join(unseen))))


def phases(seconds: Mapping[str, float]) -> list[Phase]:
    """Return the phases in the order in which they were entered."""
    return [Phase(name=name, duration=_duration(value)) for name, value in seconds.items()]


class Replies:
    """Builds the messages of one result: they share model, observation and frames."""

    def __init__(self, plan: Plan, result: Result, observation: Observation, base_frame: str,
                 model_id: str, frame_prefix: str, seconds: Mapping[str, float]):
        """`seconds`: all phases, those of the node included."""
        self._plan = plan
        self._result = result
        self._model_id = model_id
        self._prefix = frame_prefix
        self._stamp = time_message(observation.stamp)
        self._base = Header(stamp=self._stamp, frame_id=base_frame)
        headers = {frame.name: frame.header for frame in observation.frames}
        self.evidence = [Evidence(header=headers[name], camera=name) for name in result.cameras]
        self.phases = phases(seconds)

    @property
    def inputs(self) -> list:
        """Return what the model saw, marks included."""
        return [from_rgb(image, evidence.header)
                for image, evidence in zip(self._result.inputs, self.evidence)]

    @property
    def answer(self) -> Answer:
        """Return the answer and its grounds; question and task are empty where none was asked."""
        message = Answer(
            header=self._base, index=-1, confidence=math.nan, evidence=self.evidence,
            imagined_images=len(self._result.imagined), model_id=self._model_id,
            seed=self._result.seed, phases=self.phases)
        answer = self._result.answer
        if answer is not None:
            message.question, message.choices = answer.question, list(answer.choices)
            message.task, message.mode, message.text = answer.task, answer.mode, answer.text
            message.target, message.path = self._plan.target, self._plan.path
            message.letter, message.index = answer.letter, answer.index
            message.confidence = answer.confidence
            message.choice_probabilities = list(answer.probabilities)
            message.reasoning = answer.reasoning
        return message

    @property
    def imagined(self) -> list[ImaginedImage]:
        """Return the pictures."""
        return [self._imagined(item) for item in self._result.imagined]

    @property
    def grid(self) -> OccupancyGrid:
        """Return the occupancy grid; empty where none was asked."""
        grid = self._result.grid
        return OccupancyGrid() if grid is None else grid_message(grid, self._base)

    def grid_in(self, frame: str, frame_from_base: np.ndarray) -> OccupancyGrid:
        """Return the occupancy grid in a frame in which it stays while the robot drives on."""
        return grid_message(
            self._result.grid, Header(stamp=self._stamp, frame_id=frame), frame_from_base)

    def transforms(self, parent: str, parent_from_base: np.ndarray) -> list[TransformStamped]:
        """Return where the imagined cameras stand in a frame, as far as that is known."""
        header = Header(stamp=self._stamp, frame_id=parent)
        return [
            transform_message(
                parent_from_base @ item.base_from_optical, header, self._prefix + item.kind)
            for item in self._result.imagined if item.base_from_optical is not None]

    def _imagined(self, item: Imagined) -> ImaginedImage:
        # A camera that stands nobody knows where has no frame: one of that name may be an older's.
        known = item.base_from_optical is not None
        header = Header(stamp=self._stamp, frame_id=self._prefix + item.kind if known else '')
        message = ImaginedImage(
            kind=item.kind, image=from_rgb(item.image, header), confidence=item.confidence,
            model_id=self._model_id, seed=self._result.seed)
        message.camera_info.header = header
        if item.camera is not None:
            message.camera_info = camera_info(item.camera, header)
            message.camera_pose = PoseStamped(
                header=self._base, pose=pose_message(item.base_from_optical))
        if isinstance(item.camera, OrthographicCamera):
            message.metres_per_pixel = item.camera.metres_per_pixel
        return message


def grid_message(
    grid: Grid, header: Header, frame_from_base: np.ndarray | None = None,
) -> OccupancyGrid:
    """Return a grid as a message in the header's frame, which is the base's unless told."""
    rows, columns = grid.cells.shape
    matrix = Pose2D(*grid.origin, grid.yaw).matrix
    pose = pose_message(matrix if frame_from_base is None else frame_from_base @ matrix)
    info = MapMetaData(
        map_load_time=header.stamp, resolution=grid.resolution, width=columns, height=rows,
        origin=pose)
    return OccupancyGrid(header=header, info=info, data=grid.cells.ravel().tolist())


def _duration(seconds: float) -> Duration:
    time = time_message(round(max(0.0, seconds) * 1e9))
    return Duration(sec=time.sec, nanosec=time.nanosec)


def _xyz(point) -> tuple[float, float, float]:
    return (point.x, point.y, point.z)


def _check_finite(numbers) -> None:
    if not all(math.isfinite(number) for number in numbers):
        raise ImaginationError(
            Code.TARGET_NOT_FINITE, f'NaN or infinity in the target: {tuple(numbers)}')
