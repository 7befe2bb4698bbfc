# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Let tests of this folder import what writes bags."""

from pathlib import Path
import sys

sys.path.insert(0, str(Path(__file__).parent))
