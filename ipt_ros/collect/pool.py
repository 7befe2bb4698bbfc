# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Many scenes side by side, each in a process of its own; finished ones are passed over."""

from collections.abc import Sequence
from dataclasses import asdict
import json
import os
from pathlib import Path
import sys
from time import sleep
from typing import Any

from ipt_ros.collect.options import PROGRESS, RESULT, SceneOptions
from ipt_ros.processes import Processes, tail
from ipt_ros.progress import bar, Progress

LOG, OPTIONS = 'collect.log', 'options.json'
_PERIOD = 0.3  # s


def read_result(folder: Path) -> dict[str, Any] | None:
    """Return what is known about a finished scene; None where it is not finished."""
    try:
        return json.loads((folder / RESULT).read_text(encoding='utf-8'))
    except (OSError, ValueError):
        return None


def collect(
    scenes: Sequence[SceneOptions], jobs: int, progress: Progress,
) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """
    Collect scenes, `jobs` at a time; return the results and, by seed, why others failed.

    All processes are stopped whenever this ends, by an exception as well.
    """
    results = [read_result(Path(scene.folder)) for scene in scenes]
    waiting = [scene for scene, result in zip(scenes, results) if result is None]
    results = [result for result in results if result is not None]
    if results:
        progress.step(f'{len(results)} scene(s) are there already')
    running: dict[str, SceneOptions] = {}
    failed: dict[int, str] = {}
    with Processes() as processes:
        while waiting or running:
            while waiting and len(running) < jobs:
                scene = waiting.pop(0)
                running[_start(processes, scene)] = scene
            for name, code in processes.ended().items():
                scene = running.pop(name)
                result = read_result(Path(scene.folder)) if code == 0 else None
                if result is None:
                    failed[scene.seed] = tail(Path(scene.folder, LOG), 5).strip()
                    progress.step(f'scene {scene.seed} failed: {failed[scene.seed]}')
                else:
                    results.append(result)
                    progress.step(_line(result))
            shares = [_share(scene) for scene in running.values()]
            done = len(results) + len(failed)
            progress.live(
                f'{bar(done, len(scenes))} scenes, {len(running)} running: '
                + ', '.join(f'{share:.0%} {doing}' for share, doing in shares))
            sleep(_PERIOD)
    progress.clear()
    return results, failed


def _start(processes: Processes, scene: SceneOptions) -> str:
    """Start the process of a scene and return its name."""
    folder = Path(scene.folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / PROGRESS).unlink(missing_ok=True)
    options = folder / OPTIONS
    options.write_text(json.dumps(asdict(scene), indent=2) + '\n', encoding='utf-8')
    name = f'scene {scene.seed}'
    processes.start(
        name, [sys.executable, '-m', 'ipt_ros.collect.scene', str(options)], folder / LOG,
        os.environ)
    return name


def _share(scene: SceneOptions) -> tuple[float, str]:
    try:
        note = json.loads(Path(scene.folder, PROGRESS).read_text(encoding='utf-8'))
        return float(note['share']), str(note['doing'])
    except (OSError, ValueError, KeyError):
        return 0.0, 'starting'


def _line(result: dict[str, Any]) -> str:
    lost = result['dropped'] + result['lost']
    return (f"scene {result['scene']}: {result['seconds']:.0f} s, {result['distance_m']:.1f} m, "
            f"{result['messages']} messages, {result['bytes'] / 1e6:.0f} MB"
            + (f', {lost} MESSAGES DROPPED OR LOST' if lost else ''))
