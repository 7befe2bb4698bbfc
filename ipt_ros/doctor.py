# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt doctor`: whether this machine has what the system needs, and what to do if not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module, metadata
from importlib.util import find_spec
import os
from pathlib import Path
import shutil
import subprocess
import sys

from ipt_ros.imports import broken, missing, Part, PARTS, versions
from ipt_ros.machine import processor
from ipt_ros.paths import DDS_PROFILE, MissingFileError, NANO, shared

OK, NOTE, FAIL = 'ok', 'note', 'fail'
_MIB = 2**20
_SEGMENT = 64 * _MIB  # a process, with our DDS profile
# In a process of its own: a broken OpenGL may end it without an exception.
_DRAW = (
    'from ipt_sim import make_simulator\n'
    'sim = make_simulator()\n'
    'sim.reset(0)\n'
    'print(sim.render(sim.cameras[0]).rgb.std())\n')


@dataclass(frozen=True)
class Finding:
    """level: ok, note (it works, but) or fail. advice: what to do, '' if nothing."""

    topic: str
    level: str
    text: str
    advice: str = ''


def examine(checkpoint: Path | None = None) -> list[Finding]:
    """Run every check; one that breaks is a finding, too."""
    import_errors = cache(lambda: broken([name for part in PARTS for name in part.modules]))
    checks: list[tuple[str, Callable[[], Finding]]] = [
        ('machine', _machine),
        ('python', _python),
        *((part.name, lambda part=part: _imports(part, import_errors())) for part in PARTS),
        ('gpu', _gpu),
        ('drawing', _drawing),
        ('habitat', _habitat),
        ('ros', _ros),
        ('interfaces', _interfaces),
        ('checkpoint', lambda: _checkpoint(checkpoint)),
        ('dds profile', _dds_profile),
        ('shared memory', _shared_memory),
    ]
    findings = []
    for topic, check in checks:
        try:
            findings.append(check())
        except Exception as error:
            findings.append(Finding(topic, FAIL, f'{type(error).__name__}: {error}'))
    return findings


def report(findings: Sequence[Finding]) -> str:
    """Return the findings, one a line, with what to do below."""
    lines = []
    for item in findings:
        lines.append(f'[{item.level:>4}] {item.topic}: {item.text}')
        if item.advice:
            lines.append(f'       -> {item.advice}')
    failed = sum(item.level == FAIL for item in findings)
    lines.append(f'{failed} problem{"s" if failed != 1 else ""}' if failed else 'all is well')
    return '\n'.join(lines)


def _machine() -> Finding:
    return Finding('machine', OK, processor())


def _python() -> Finding:
    return Finding('python', OK, f'{sys.version.split()[0]}, {sys.executable}')


def _imports(part: Part, errors: Mapping[str, str]) -> Finding:
    gone = missing(part.modules)
    told = '; '.join(f'{name}: {errors[name]}' for name in part.modules
                     if name in errors and name not in gone)
    if told:
        return Finding(
            part.name, FAIL, f'cannot be imported: {told}', 'install versions that go together: '
            f"'make setup', or beside a ROS installation {part.install}")
    if not gone:
        return Finding(part.name, OK, ', '.join(versions(part.modules)))
    text = f"not installed: {', '.join(gone)}"
    advice = f"'make setup', or beside a ROS installation {part.install}"
    # A robot may do without a whole part; half of one is no choice.
    if part.lost and len(gone) == len(part.modules):
        return Finding(
            part.name, NOTE, f'{text}; so these do not work: {part.lost}', f'if wanted: {advice}')
    return Finding(part.name, FAIL, text, advice)


def _gpu() -> Finding:
    torch = import_module('torch')
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        return Finding('gpu', OK, f'{torch.cuda.get_device_name(0)}, {memory:.0f} GiB')
    if shutil.which('nvidia-smi'):
        return Finding(
            'gpu', NOTE, f'there is an NVIDIA driver, but torch {torch.__version__} does not use '
            'it', "check 'nvidia-smi'; delete .venv and run 'make setup' for a CUDA torch")
    return Finding('gpu', OK, 'none: the model runs on the processor')


def _drawing() -> Finding:
    if find_spec('mujoco') is None:
        return Finding('drawing', NOTE, 'no simulator, nothing to draw with')
    done = subprocess.run(
        [sys.executable, '-c', _DRAW], capture_output=True, text=True, timeout=120)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f'exit code {done.returncode}'])[-1]
        return Finding(
            'drawing', FAIL, f'the simulator cannot draw: {last}',
            'apt install libegl1 libgl1-mesa-dri libgl1 (or libosmesa6 and MUJOCO_GL=osmesa)')
    if float(done.stdout.split()[-1]) < 1.0:
        return Finding('drawing', FAIL, 'the simulator draws pictures of one colour',
                       'try MUJOCO_GL=osmesa (apt install libosmesa6)')
    way = os.environ.get('MUJOCO_GL', 'chosen by itself')
    return Finding('drawing', OK, f'MuJoCo draws (MUJOCO_GL: {way})')


def _habitat() -> Finding:
    # Not imported: that opens a graphics context. Conda packages of it have no metadata.
    if find_spec('habitat_sim') is None:
        return Finding('habitat', OK, 'no habitat-sim (optional, for HM3D, Matterport3D, '
                       'ReplicaCAD: docs/habitat.md)')
    try:
        return Finding('habitat', OK, f"habitat-sim {metadata.version('habitat-sim')}")
    except metadata.PackageNotFoundError:
        return Finding('habitat', OK, 'habitat-sim is installed')


def _ros() -> Finding:
    try:
        import_module('rclpy')
    except ImportError as error:
        return Finding('ros', FAIL, f'rclpy cannot be imported: {error}',
                       "run 'make setup', or source /opt/ros/jazzy/setup.bash")
    rmw = import_module('rclpy.utilities').get_rmw_implementation_identifier()
    where = (f"ROS_DOMAIN_ID={os.environ.get('ROS_DOMAIN_ID', '0')}, discovery "
             f"{os.environ.get('ROS_AUTOMATIC_DISCOVERY_RANGE', 'SUBNET')}")
    if 'fastrtps' not in rmw:
        return Finding('ros', NOTE, f'{rmw}, {where}',
                       'the DDS profile is for rmw_fastrtps_cpp only; tune this one by itself')
    return Finding('ros', OK, f'{rmw}, {where}')


def _interfaces() -> Finding:
    try:
        for name in ('ipt_interfaces.srv', 'ipt_interfaces.action', 'tf2_msgs.msg'):
            import_module(name)
    except ImportError as error:
        return Finding('interfaces', FAIL, f'not generated: {error}',
                       "run 'make setup', or build the workspace with colcon and source it")
    return Finding('interfaces', OK, 'ipt_interfaces and tf2_msgs can be imported')


def _checkpoint(folder: Path | None) -> Finding:
    try:
        folder = folder or shared(NANO)
    except MissingFileError:
        return Finding('checkpoint', FAIL, f'no {NANO}', "run 'make train-nano', or give one")
    from ipt_ros.bagel import BagelError
    from ipt_ros.bagel.checkpoint import look_at
    from ipt_ros.bagel.source import find
    try:
        source = find(folder)
        whole = look_at(source)
    except BagelError as error:
        return Finding('checkpoint', FAIL, str(error),
                       'copy the whole folder; git lfs pull where it was cloned without files')
    size = sum(file.stat().st_size for file in source.folder.iterdir() if file.is_file()) / _MIB
    text = f'{source.folder}, {size:.1f} MiB' + ('' if whole else ' (only headers looked at)')
    if source.adapter is not None:
        text = f'{folder}, a LoRA adapter of {text}'
    return Finding('checkpoint', OK, text)


def _dds_profile() -> Finding:
    ours = shared(DDS_PROFILE)
    used = os.environ.get('FASTRTPS_DEFAULT_PROFILES_FILE')
    if used and not Path(used).is_file():
        return Finding('dds profile', FAIL, f'FASTRTPS_DEFAULT_PROFILES_FILE={used} is no file',
                       f'export FASTRTPS_DEFAULT_PROFILES_FILE={ours}')
    if not used:
        return Finding(
            'dds profile', NOTE, 'not set in this shell: camera images of nodes started here may '
            'get lost (the demo and the launch files set it)',
            f'export FASTRTPS_DEFAULT_PROFILES_FILE={ours}')
    return Finding('dds profile', OK, used)


def _shared_memory() -> Finding:
    folder = Path('/dev/shm')
    if not folder.is_dir():
        return Finding('shared memory', NOTE, 'no /dev/shm: images go over UDP')
    free = shutil.disk_usage(folder).free
    if free < 4 * _SEGMENT:
        return Finding(
            'shared memory', FAIL, f'{free / _MIB:.0f} MiB free in /dev/shm; a node takes up to '
            f'{_SEGMENT // _MIB}',
            'stop what fills it; in a container: --shm-size=1g or --ipc=host')
    left = [file for file in folder.glob('fastrtps_*') if file.stat().st_size >= _SEGMENT]
    if left:
        return Finding(
            'shared memory', NOTE, f'{free / _MIB:.0f} MiB free; {len(left)} DDS segments of '
            'nodes that run or were killed',
            'if no ROS node runs: rm /dev/shm/fastrtps_* /dev/shm/sem.fastrtps_*')
    return Finding('shared memory', OK, f'{free / _MIB:.0f} MiB free')
