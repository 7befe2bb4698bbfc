# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Let tests of this folder import what draws examples and what writes bags."""

from pathlib import Path
import sys

# This folder is not called as the package under test is: on this path, it would pass for the
# library `datasets`, which others look for.
_HERE = Path(__file__).parent
sys.path[:0] = [str(_HERE), str(_HERE.parent / 'mining')]
