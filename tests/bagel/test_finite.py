# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""NaN and infinity are found wherever they are in a tensor, and nothing else is."""

from hypothesis import given
from hypothesis import strategies as st
from ipt_ros.bagel import finite
from ipt_ros.bagel.finite import is_finite, not_finite
import pytest
import torch

BAD = [float('nan'), float('inf'), -float('inf')]
TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@given(bad=st.sampled_from(BAD), dtype=st.sampled_from(TYPES), place=st.integers(0, 29),
       turned=st.booleans())
def test_one_bad_number_is_found_wherever_it_is(bad, dtype, place, turned):
    tensor = torch.arange(30).to(dtype).reshape(5, 6)
    tensor.view(-1)[place] = bad
    assert not is_finite(tensor.T if turned else tensor)


@pytest.mark.parametrize('dtype', TYPES)
def test_the_largest_numbers_of_a_type_are_finite(dtype):
    ends = torch.finfo(dtype)
    assert is_finite(torch.tensor([ends.max, ends.min, ends.tiny, 0.0], dtype=dtype))
    assert is_finite(torch.empty(0, 3, dtype=dtype)) and is_finite(torch.tensor(1.0, dtype=dtype))


def test_all_portions_of_a_large_tensor_are_looked_at(monkeypatch):
    monkeypatch.setattr(finite, '_PORTION', 7)
    for place in range(20):
        tensor = torch.zeros(20)
        tensor[place] = torch.nan
        assert not is_finite(tensor)


def test_the_bad_ones_are_named_and_sizes_without_numbers_are_not_bad():
    tensors = {'a': torch.ones(2), 'b': torch.tensor([1.0, torch.nan]),
               'c': torch.empty(2, device='meta')}
    assert not_finite(tensors) == ['b']
