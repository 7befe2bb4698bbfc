# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""``python -m ipt_training.experiment``."""

import sys

from ipt_training.experiment.command import main

# Worker processes import this file as well, under another name.
if __name__ == '__main__':
    sys.exit(main())
