# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Answers of the simulator bridge to the service ~/ground_truth."""

import math

from ipt_interfaces.msg import ErrorCode, SceneObject
from ipt_interfaces.srv import GroundTruth
from ipt_ros.geometry import Pose2D
from ipt_ros.ros.images import from_depth, from_ids, from_rgb
from ipt_ros.ros.messages import camera_info
from ipt_sim import Frame, RandomizedSimulator, Simulator
import numpy as np
from std_msgs.msg import Header

MAP_SIZE = 8.0  # m, a side of a map unless a request says otherwise
MAX_PIXELS = 1024  # a side of a map


class TruthRequestError(ValueError):
    """A request that cannot be answered, with its ErrorCode."""

    def __init__(self, code: int, message: str):
        super().__init__(message)
        self.code = code


def fill_truth(
    request: GroundTruth.Request, response: GroundTruth.Response, sim: Simulator, header: Header,
) -> None:
    """
    Draw what the request asks for and put it into the response.

    The picture is what a perfect sensor would see: with randomised cameras it has their intrinsics
    and poses, and the lights and textures of the scene, but neither noise nor blur. Raises
    TruthRequestError for what cannot be drawn, SimulatorError where drawing fails.
    """
    frame = _draw(request, sim)
    if not frame.depth.any():
        xmin, ymin, xmax, ymax = sim.room_bounds()
        raise TruthRequestError(
            ErrorCode.BAD_REQUEST,
            f'nothing is to be seen from ({request.x:.2f}, {request.y:.2f}); the room reaches '
            f'from ({xmin:.2f}, {ymin:.2f}) to ({xmax:.2f}, {ymax:.2f})')
    response.image = from_rgb(frame.rgb, header)
    response.depth = from_depth(frame.depth, header)
    response.camera_info = camera_info(frame.intrinsics, header)
    if frame.instance is not None:
        response.instances = from_ids(frame.instance, header)
        response.objects = _visible_objects(frame, sim)


def _draw(request: GroundTruth.Request, sim: Simulator) -> Frame:
    if not all(map(math.isfinite, (request.x, request.y, request.yaw))):
        raise TruthRequestError(
            ErrorCode.TARGET_NOT_FINITE,
            f'pose ({request.x}, {request.y}, {request.yaw}) is not finite; give metres and '
            'radians')
    instance = bool(sim.objects())  # scanned scenes may not know what is what
    if request.kind in ('', request.VIEW):
        names = [camera.name for camera in sim.cameras]
        camera = request.camera or names[0]
        if camera not in names:
            raise TruthRequestError(
                ErrorCode.UNKNOWN_CAMERA,
                f"unknown camera '{camera}'; this robot has: {', '.join(names)}")
        render = sim.render_ideal if isinstance(sim, RandomizedSimulator) else sim.render
        return render(camera, Pose2D(request.x, request.y, request.yaw), instance=instance)
    if request.kind != request.BEV:
        raise TruthRequestError(
            ErrorCode.BAD_REQUEST,
            f"unknown kind '{request.kind}'; expected '{request.VIEW}' or '{request.BEV}'")
    size, pixels = request.size or MAP_SIZE, request.pixels or sim.cameras[0].width
    if not (0.1 <= size <= 100.0 and 8 <= pixels <= MAX_PIXELS):
        raise TruthRequestError(
            ErrorCode.BAD_REQUEST,
            f'a map of {size} m and {pixels} pixels; possible are 0.1 to 100 m and 8 to '
            f'{MAX_PIXELS} pixels (0: the default)')
    return sim.render_topdown(
        (request.x, request.y), request.yaw, size, pixels, instance=instance)


def _visible_objects(frame: Frame, sim: Simulator) -> list[SceneObject]:
    """Return the furniture in the picture, with the number of its pixels."""
    ids, counts = np.unique(frame.instance, return_counts=True)
    pixels = dict(zip(ids.tolist(), counts.tolist()))
    found = []
    for item in sim.objects():
        if item.structural or item.id not in pixels:
            continue
        message = SceneObject(
            id=item.id, name=item.name, color=item.color, yaw=float(item.yaw),
            pixels=pixels[item.id])
        message.position.x, message.position.y, message.position.z = map(float, item.position)
        message.size.x, message.size.y, message.size.z = map(float, item.size)
        found.append(message)
    return found
