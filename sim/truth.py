# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a simulator knows about a whole scene, as data that JSON can hold."""

from typing import Any

from ipt_sim.protocol import Simulator


def scene_truth(simulator: Simulator, backend: str, seed: int, scene: str = '') -> dict[str, Any]:
    """
    Return everything in the present scene.

    scene: name of the scene; by default the backend's own, or the seed's where it has none.
    The result has `backend`, `scene`, `seed`, `bounds` (xmin, ymin, xmax, ymax of the floor, m)
    and `objects`, each with `id`, `class`, `color`, `position` (m, centre), `size` (m, along its
    own axes), `yaw` (rad) and `structural`. All in the world frame, which is the bridge's map
    frame.
    """
    return {
        'backend': backend,
        'scene': scene or getattr(simulator, 'scene_name', f'{backend}_{seed}'),
        'seed': seed,
        'bounds': [float(value) for value in simulator.room_bounds()],
        'objects': [
            {
                'id': item.id,
                'class': item.name,
                'color': item.color,
                'position': [float(value) for value in item.position],
                'size': [float(value) for value in item.size],
                'yaw': float(item.yaw),
                'structural': item.structural,
            }
            for item in simulator.objects()],
    }
