# SPDX-License-Identifier: Apache-2.0
"""Let tests of this folder import what writes bags, and the simulator in plain numpy."""

from pathlib import Path
import sys

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
