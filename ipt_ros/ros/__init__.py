# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the nodes share: images, synchronisation, transforms, parameters, QoS, diagnostics."""
