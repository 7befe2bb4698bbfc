# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What machine this is: a figure without it means nothing."""

import os
from pathlib import Path
import platform


def processor() -> str:
    """Return the processor's name and how many of its cores we may use."""
    name = platform.processor() or platform.machine()
    try:
        for line in Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines():
            if line.startswith('model name'):
                name = ' '.join(line.partition(':')[2].split())
                break
    except OSError:
        pass  # not Linux: the short name has to do
    cores = usable_cores()
    return f"{name}, {cores} core{'s' if cores != 1 else ''}"


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()
