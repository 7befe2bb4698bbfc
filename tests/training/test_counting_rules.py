# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which classes can be counted, and when one view shows them all."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_training.examples.counting import countable, most_in_one_view, wanted_counts
import numpy as np

rows = st.lists(st.builds(
    lambda name, views, area: {
        'name': name, 'map_area': area,
        'views': [{'view': view, 'u': 0.5, 'area': 0.01} for view in sorted(views)]},
    st.sampled_from(['chair', 'lamp', 'box']), st.sets(st.integers(0, 3)),
    st.sampled_from([0.0, 0.002, 0.1]),
).filter(lambda row: row['views'] or row['map_area']), max_size=14)


@given(rows)
def test_a_class_is_counted_only_where_views_and_map_show_every_one(seen):
    counts = countable(seen)
    for name in ('chair', 'lamp', 'box'):
        ours = [row for row in seen if row['name'] == name]
        both = [row for row in ours if row['views'] and row['map_area']]
        if len(both) == len(ours) and 1 <= len(ours) <= 5:
            assert counts[name] == len(ours)
        else:
            assert name not in counts


@given(rows)
def test_most_in_one_view_against_brute_force(seen):
    for name in ('chair', 'lamp', 'box'):
        assert most_in_one_view(seen, name) == max(
            sum(row['name'] == name and any(sighting['view'] == view for sighting in row['views'])
                for row in seen) for view in range(4))


@given(st.integers(0, 10**6), st.integers(0, 2**32 - 1))
def test_every_answer_is_looked_for_once(goal, seed):
    assert sorted(wanted_counts(goal, np.random.default_rng(seed))) == [1, 2, 3, 4, 5]
