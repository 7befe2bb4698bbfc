# SPDX-License-Identifier: Apache-2.0
"""Poses of cameras that look straight down."""

from ipt_ros.geometry import looking_down

__all__ = ['looking_down']
