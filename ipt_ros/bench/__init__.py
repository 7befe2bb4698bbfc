# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt bench`: what this machine makes of the system, in figures that can be compared."""

from ipt_ros.bench.suite import run, table

__all__ = ['run', 'table']
