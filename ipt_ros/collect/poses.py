# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Lists of poses in files: CSV with x, y, yaw, or YAML."""

import csv
import math
from pathlib import Path
from typing import Any

from ipt_ros.geometry import Pose2D
from ipt_ros.yaml_files import read_yaml, YamlError

_FIELDS = ('x', 'y', 'yaw')
_EXPECTED = ('expected rows of x, y, yaw (metres, radians), in CSV with or without a heading, or '
             'in YAML as [x, y, yaw] or {x: , y: , yaw: }')


class PosesError(ValueError):
    """A file of poses cannot be used; the message says which row and what was expected."""


def read_poses(path: Path) -> list[Pose2D]:
    """Return the poses of a .csv, .yaml or .yml file. Raises PosesError."""
    try:
        if path.suffix in ('.yaml', '.yml'):
            rows = _yaml_rows(path)
        elif path.suffix == '.csv':
            rows = _csv_rows(path.read_text(encoding='utf-8'))
        else:
            raise PosesError(f"'{path}' is neither .csv nor .yaml; {_EXPECTED}")
    except (OSError, UnicodeDecodeError) as error:
        raise PosesError(f"cannot read poses from '{path}': {error}") from error
    if not rows:
        raise PosesError(f"there is no pose in '{path}'; {_EXPECTED}")
    return [_pose(row, number, path) for number, row in enumerate(rows, 1)]


def _csv_rows(text: str) -> list[Any]:
    rows = [row for row in csv.reader(text.splitlines(), skipinitialspace=True)
            if row and not row[0].startswith('#')]
    if rows and set(_FIELDS) <= {name.strip() for name in rows[0]}:
        names = [name.strip() for name in rows[0]]
        return [dict(zip(names, row)) for row in rows[1:]]
    return rows


def _yaml_rows(path: Path) -> list[Any]:
    try:
        rows = read_yaml(path)
    except YamlError as error:
        raise PosesError(f"'{path}' is not YAML that can be used: {error}; {_EXPECTED}") from error
    if isinstance(rows, dict) and isinstance(rows.get('poses'), list):
        rows = rows['poses']
    if not isinstance(rows, list):
        raise PosesError(f"'{path}' has no list of poses; {_EXPECTED}")
    return rows


def _pose(row: Any, number: int, path: Path) -> Pose2D:
    try:
        values = [row[name] for name in _FIELDS] if isinstance(row, dict) else list(row)
        x, y, yaw = (float(value) for value in values)
    except (KeyError, TypeError, ValueError):
        raise PosesError(f"pose {number} of '{path}' is {row!r}; {_EXPECTED}") from None
    if not all(map(math.isfinite, (x, y, yaw))):
        raise PosesError(f"pose {number} of '{path}' is not finite: {row!r}")
    return Pose2D(x, y, yaw)
