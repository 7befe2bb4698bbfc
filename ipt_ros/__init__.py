# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Imagined views and spatial answers for ROS 2 robots."""

__version__ = '0.1.0'
