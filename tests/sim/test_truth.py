# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The truth about a scene as recorders keep it."""

import json

from ipt_sim import make_simulator
from ipt_sim.truth import scene_truth
import pytest


def test_truth_of_a_scene_holds_every_object_and_survives_json():
    with make_simulator() as simulator:
        simulator.reset(7)
        truth = json.loads(json.dumps(scene_truth(simulator, 'mujoco', 7)))
        objects = simulator.objects()
        assert truth['bounds'] == list(simulator.room_bounds())
    assert (truth['backend'], truth['scene'], truth['seed']) == ('mujoco', 'mujoco_7', 7)
    assert [item['id'] for item in truth['objects']] == [item.id for item in objects]
    for said, item in zip(truth['objects'], objects):
        assert (said['class'], said['structural']) == (item.name, item.structural)
        assert said['position'] == pytest.approx(item.position)
        assert said['size'] == pytest.approx(item.size)
