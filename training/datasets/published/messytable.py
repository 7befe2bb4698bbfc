# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""MessyTable: two to seven views of a table, a number, the view from above."""

from ipt_training.datasets.published.counted import COLUMNS, counted_example, OPTIONAL
from ipt_training.datasets.published.layout import Layout

_MOST = 8  # of one kind on a table, by the published rule

MESSYTABLE = Layout(
    'messytable', 'counting on a table (messytable)',
    {**COLUMNS, 'gt_answer': 'whole number'},
    lambda row: counted_example(row, 'messytable', _MOST), OPTIONAL)
