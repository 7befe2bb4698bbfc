# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Data sets: built with splits by scene and a card, shown, and loaded as others publish them."""
