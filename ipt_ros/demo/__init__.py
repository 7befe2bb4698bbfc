# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt demo`: the whole system once through, from a bare machine to a page of answers."""
