# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Measure how fast a simulator draws: `python -m ipt_sim.bench`.

Every picture is checked by the simulator itself (EmptyFrameError), so a failed draw cannot pass
for a fast one. Frames with scenes count one `reset` for every five pictures, the way training data
is made.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
import itertools
import json
import os
from pathlib import Path
import platform
import time

from ipt_sim import BACKENDS, make_simulator, Simulator, SimulatorError, surround_cameras

SIZES = ((64, 64), (96, 96), (256, 256), (640, 480))
PICTURES_PER_SCENE = 5


def machine_name() -> str:
    """Name this machine: host, processor and the cores that this process may use."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path('/proc/cpuinfo')
    if cpuinfo.exists():
        names = [line.partition(':')[2].strip() for line in cpuinfo.read_text().splitlines()
                 if line.startswith('model name')]
        model = names[0] if names else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
    return f'{platform.node()} ({model}, {cores} cores)'


def _rate(work: Callable[[], object], seconds: float) -> float:
    """Return calls a second, after one call that is not counted."""
    work()
    start, calls = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        work()
        calls += 1
    return calls / (time.perf_counter() - start)


def measure(sim: Simulator, seconds: float = 1.0) -> Iterator[tuple[str, float]]:
    """
    Measure the frame rates of a simulator; `seconds` are spent on each row.

    Yields (what, frames a second) as they are known.
    """
    for width, height in SIZES:
        cameras = itertools.cycle(
            [replace(camera, width=width, height=height) for camera in surround_cameras()]
        )
        for label, everything in (('rgb', False), ('rgb+depth+instance', True)):
            sim.reset(0)

            def draw(everything=everything, cameras=cameras):
                sim.render(next(cameras), depth=everything, instance=everything)

            yield f'{width}x{height} {label}', _rate(draw, seconds)

            seeds = itertools.count()

            def scene(draw=draw, seeds=seeds):
                sim.reset(next(seeds))
                for _ in range(PICTURES_PER_SCENE):
                    draw()

            rate = _rate(scene, seconds) * PICTURES_PER_SCENE
            yield f'{width}x{height} {label}, scenes included', rate


def main(arguments: list[str] | None = None) -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description='Measure how fast a simulator draws.')
    parser.add_argument('--backend', default='mujoco', choices=BACKENDS)
    parser.add_argument('--seconds', type=float, default=1.0, help='spent on each row')
    parser.add_argument('--json', action='store_true', help='print JSON instead of a table')
    options = parser.parse_args(arguments)
    try:
        sim = make_simulator(options.backend)
    except SimulatorError as error:
        raise SystemExit(f'bench: {error}') from error
    try:
        if options.json:
            rows = dict(measure(sim, options.seconds))
            print(json.dumps({'machine': machine_name(), 'backend': options.backend,
                              'frames_per_second': rows}))
            return
        print(f'{options.backend} on {machine_name()}, frames/s of one process')
        for what, rate in measure(sim, options.seconds):
            print(f'{what:<45}{rate:8.0f}', flush=True)
    finally:
        sim.close()


if __name__ == '__main__':
    main()
