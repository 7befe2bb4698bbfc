# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Fine-tune a checkpoint folder on parquet data, in the training modes of the paper."""
