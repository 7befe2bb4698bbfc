# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What every example's metadata says about its scene, whatever the task."""

from collections.abc import Sequence
from dataclasses import asdict
import math

from ipt_sim.protocol import Frame
from ipt_training.examples.options import ExampleOptions
from ipt_training.examples.scene import Picture, Scene
import numpy as np


def scene_truth(scene: Scene, pictures: Sequence[Picture], options: ExampleOptions) -> dict:
    """
    Return what is needed to check an example without its simulator, as JSON values.

    pictures: in the order of the example's images, the target last. ``scene`` is the seed;
    ``classes`` name the numbers of the dense truth; ``camera`` has the ``height`` (m, above the
    floor) and ``hfov`` (rad) that views are meant to have, ``cameras`` for each picture what its
    camera was: ``world_from_optical`` (4x4, row by row) and the fields of `PinholeCamera` or, for
    a map, of `OrthographicCamera`, at the size of the render. ``objects`` holds everything that
    has a pixel in one picture at least: ``id``, ``name``, ``position`` (centre of the bounding
    box, m), ``size`` (along its own axes, m), ``yaw`` (rad) and ``structural`` (see SceneObject).
    """
    visible = set().union(*(np.unique(p.frame.instance).tolist() for p in pictures)) - {0}
    return {
        'scene': scene.seed,
        'classes': scene.class_names,
        'camera': {'height': options.camera_height, 'hfov': math.pi / 2},
        'cameras': [_camera(picture.frame) for picture in pictures],
        'objects': [
            {
                'id': key,
                'name': item.name,
                'position': _rounded(item.position),
                'size': _rounded(item.size),
                'yaw': round(float(item.yaw), 4),
                'structural': item.structural,
            }
            for key, item in sorted(scene.objects.items()) if key in visible
        ],
    }


def _camera(frame: Frame) -> dict:
    numbers = {name: round(float(value), 6) for name, value in asdict(frame.intrinsics).items()}
    return {
        **numbers,
        'width': frame.intrinsics.width,
        'height': frame.intrinsics.height,
        'world_from_optical': np.round(frame.world_from_optical, 6).ravel().tolist(),
    }


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(float(value), 3) for value in values]
