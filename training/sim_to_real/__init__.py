# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What each kind of training data brings in a world that was never trained on."""
