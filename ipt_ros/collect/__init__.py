# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt collect`: robots that drive through scenes while everything they see is recorded."""
