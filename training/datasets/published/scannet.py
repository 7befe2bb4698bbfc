# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""ScanNet counting: five to eight views of a room; the number comes as a text."""

from ipt_training.datasets.published.counted import COLUMNS, counted_example, OPTIONAL
from ipt_training.datasets.published.layout import Layout

SCANNET = Layout(
    'scannet', 'counting in scanned rooms (scannet_counting)',
    {**COLUMNS, 'gt_answer': 'text'},
    lambda row: counted_example(row, 'scannet'), OPTIONAL)
