# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Our generated rooms, drawn by Habitat: exported when they are first asked for."""

from collections import deque
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from ipt_sim.export import export_scene, room_name, stage_file
from ipt_sim.habitat_backend import HabitatSimulator
from ipt_sim.habitat_scenes import SceneSource
from ipt_sim.protocol import CameraSpec
from ipt_sim.scenes.model import Scene
from ipt_sim.scenes.room import generate_scene

_KEPT = 20  # rooms on disk; more than one, since a reset that fails returns to the last one


class HabitatRooms(HabitatSimulator):
    """
    A robot in the room generated from a seed, as with MuJoCo, seen by Habitat.

    Takes the options of HabitatSimulator but `scene` and `scene_dataset`.
    """

    def __init__(self, cameras: Sequence[CameraSpec] | None = None, **options):
        super().__init__('', '', cameras, **options)
        self._folder = TemporaryDirectory(prefix='ipt_rooms_')
        self._exported: deque[str] = deque()
        self._change: Callable[[Scene], Scene] | None = None

    def restyle(self, change: Callable[[Scene], Scene] | None) -> None:
        """Show rooms, from the next reset on, as `change` returns them; see `Restylable`."""
        self._change = change

    def close(self) -> None:
        """Free the renderer, and remove the exported rooms."""
        super().close()
        self._folder.cleanup()

    def _find(self, scene: str, scene_dataset: str) -> tuple[SceneSource, ...]:
        return ()

    def _source(self, seed: int) -> SceneSource:
        scene = generate_scene(seed)
        name = room_name(seed)
        if self._change is not None:
            scene = self._change(scene)
            # Habitat keeps what it loaded by name: another look needs another one.
            name += '_' + sha256(repr(scene).encode()).hexdigest()[:12]
        folder = Path(self._folder.name)
        stage = stage_file(folder, name)
        if not stage.is_file():
            export_scene(scene, folder, name)
            self._exported.append(name)
            if len(self._exported) > _KEPT:
                _remove(folder, self._exported.popleft())
        return SceneSource(str(stage), file=stage)


def _remove(folder: Path, name: str) -> None:
    for path in (*folder.glob(f'stages/{name}.*'), *folder.glob(f'truth/{name}.*')):
        path.unlink()
