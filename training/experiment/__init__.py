# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Experiments of many runs: what is done once and resumed, and the page that comes of it."""
