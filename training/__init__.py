# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Examples from simulated rooms, and the training and evaluation of models on them."""
