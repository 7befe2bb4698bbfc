# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt collect`: the command line."""

import argparse
from collections.abc import Sequence
from dataclasses import asdict
import json
import os
from pathlib import Path
import sys
from typing import Any

from ipt_ros.collect.options import BAG, DriveOptions, SceneOptions
from ipt_ros.collect.poses import PosesError, read_poses
from ipt_ros.paths import DDS_PROFILE, shared
from ipt_ros.progress import Progress

ORDER = 'collect.json'  # in the folder: what it was collected with
TRUTH = ('ground_truth/*', 'top_down/*')
_MOST_SEED = 2**31 - 1


class OptionsError(ValueError):
    """The command line asks for something that cannot be."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ipt collect ...`; return 0 if every scene was recorded."""
    options = build_parser().parse_args(arguments)
    try:
        drive = _drive_options(options)
        if options.no_sim:
            return _robot(options, drive)
        return _scenes(options, drive)
    except (OptionsError, PosesError) as error:
        print(f'ipt collect: {error}', file=sys.stderr)
        return 2


def build_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog='ipt collect', formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        description='Drive robots and record what they see as rosbag2 bags (MCAP): simulated '
                    'ones, many scenes at a time, or with --no-sim the robot that is running.')
    add = parser.add_argument
    add('--out', type=Path, default=Path('rollouts'), help='folder; finished scenes in it stay')
    add('--seconds', type=float, default=60.0, help="of each drive, in the robot's time")
    add('--poses', type=Path, help='visit these instead of exploring: CSV or YAML of x, y, yaw')
    add('--dwell', type=float, default=0.5, help='seconds to stand still at each goal')
    add('--linear', type=float, default=0.5, help='top speed (m/s)')
    add('--angular', type=float, default=1.0, help='top turning speed (rad/s)')
    add('--radius', type=float, default=0.2, help='of the robot (m)')
    add('--compression', choices=('none', 'lz4', 'zstd'), default='zstd', help='of the bags')
    add('--recorder-params', type=Path, action='append', default=[], metavar='FILE',
        help='YAML file with parameters of the recorder, the topics for instance')
    add('--seed', type=int, default=0, help='of the first scene, and of the walk in it')

    sim = parser.add_argument_group('simulated robots')
    sim.add_argument('--scenes', type=int, default=1, help='how many, from --seed on')
    sim.add_argument('--jobs', type=int, default=max(1, (os.cpu_count() or 1) // 2),
                     help='how many at a time')
    sim.add_argument('--set', action='append', default=[], metavar='NAME=VALUE',
                     help='parameter of the simulator (config/sim_bridge.yaml), such as '
                          'backend=habitat, frame_rate=2.0, real_time_factor=3.0')
    sim.add_argument('--no-truth', action='store_true',
                     help='leave out what only a simulator knows')

    robot = parser.add_argument_group('a robot that is running')
    robot.add_argument('--no-sim', action='store_true',
                       help='drive it: it has odom, /tf, depth images and cmd_vel. Stay near the '
                            'emergency stop')
    robot.add_argument('--namespace', default='/ipt', help='of its topics')
    return parser


def _drive_options(options: argparse.Namespace) -> DriveOptions:
    for name in ('seconds', 'linear', 'angular', 'radius'):
        if not 0 < getattr(options, name) < float('inf'):
            raise OptionsError(f'--{name} {getattr(options, name)}: give a number above 0')
    if not 0 <= options.dwell < float('inf'):
        raise OptionsError(f'--dwell {options.dwell}: give 0 or more seconds')
    for path in options.recorder_params:
        if not path.is_file():
            raise OptionsError(f"--recorder-params: there is no file '{path}'")
    recorder: dict[str, Any] = {'compression': options.compression}
    if options.no_truth:
        recorder['exclude'] = list(TRUTH)
    poses = read_poses(options.poses) if options.poses else ()
    return DriveOptions(
        options.seconds, tuple((pose.x, pose.y, pose.yaw) for pose in poses), options.linear,
        options.angular, options.radius, options.dwell, recorder,
        tuple(str(path.resolve()) for path in options.recorder_params))


def _scenes(options: argparse.Namespace, drive: DriveOptions) -> int:
    if options.scenes < 1 or options.jobs < 1:
        raise OptionsError('--scenes and --jobs: give 1 or more')
    if not 0 <= options.seed <= _MOST_SEED - options.scenes:
        raise OptionsError(f'--seed {options.seed} is outside 0 ... {_MOST_SEED - options.scenes}')
    bridge = dict(_setting(text) for text in options.set)
    _take_folder(options.out, {'drive': asdict(drive), 'bridge': bridge})
    scenes = [
        SceneOptions(str(options.out / f'scene_{seed:07d}'), seed, bridge, drive)
        for seed in range(options.seed, options.seed + options.scenes)]
    from ipt_ros.collect.pool import collect
    from ipt_ros.processes import stopped_by_signals
    progress = Progress()
    progress.step(f'{len(scenes)} scene(s), {options.jobs} at a time, to {options.out}')
    with stopped_by_signals():
        results, failed = collect(scenes, options.jobs, progress)
    size = sum(result['bytes'] for result in results)
    progress.plain(
        f'{len(results)} of {len(scenes)} scenes, {size / 1e6:.0f} MB, in {progress.elapsed:.0f} '
        f's; the bags: {options.out}/*/{BAG}')
    if failed:
        print(f'ipt collect: {len(failed)} scene(s) failed: {", ".join(map(str, failed))}; their '
              'folders have the logs. Run the same command again to try them once more',
              file=sys.stderr)
    return 1 if failed else 0


def _robot(options: argparse.Namespace, drive: DriveOptions) -> int:
    if options.set or options.scenes != 1:
        raise OptionsError('--set and --scenes are for simulated robots; leave them or --no-sim')
    # Before DDS starts; nodes with and without the profile understand each other.
    os.environ.setdefault('FASTRTPS_DEFAULT_PROFILES_FILE', str(shared(DDS_PROFILE)))
    from ipt_ros.collect.drive import CollectError
    from ipt_ros.collect.robot import collect_robot
    from ipt_ros.driving import DrivingError
    from ipt_ros.processes import ProcessDiedError
    from ipt_ros.ros.client import RobotError
    progress = Progress()
    try:
        result = collect_robot(options.out, drive, options.namespace, options.seed, progress)
    except (CollectError, DrivingError, ProcessDiedError, RobotError) as error:
        print(f'ipt collect: {error}', file=sys.stderr)
        return 1
    progress.plain(
        f"{result['seconds']:.0f} s, {result['distance_m']:.1f} m, {result['messages']} messages, "
        f"{result['dropped']} dropped, {result['lost']} lost")
    return 0


def _setting(text: str) -> tuple[str, str]:
    name, separator, value = text.partition('=')
    if not (separator and name):
        raise OptionsError(f'--set {text}: expected NAME=VALUE, such as frame_rate=2.0')
    if name == 'seed':
        raise OptionsError('--set seed=...: the scenes are given by --seed and --scenes')
    return name, value


def _take_folder(out: Path, order: dict[str, Any]) -> None:
    """Make the folder, or go on in it if it was made with the same options."""
    path = out / ORDER
    order = json.loads(json.dumps(order))
    if path.exists():
        before = json.loads(path.read_text(encoding='utf-8'))
        if before != order:
            changed = [
                f'{part}.{key}: {before.get(part, {}).get(key)!r} -> {order[part].get(key)!r}'
                for part in order for key in {**before.get(part, {}), **order[part]}
                if before.get(part, {}).get(key) != order[part].get(key)]
            raise OptionsError(
                f"'{out}' was collected with other options ({'; '.join(changed)}); repeat those, "
                'or name another --out')
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(order, indent=2) + '\n', encoding='utf-8')
    except OSError as error:
        raise OptionsError(f"cannot write to '{out}': {error.strerror}") from error
