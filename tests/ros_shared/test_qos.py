# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What is said where two ends of a topic do not match."""

from types import SimpleNamespace

from ipt_ros.ros.qos import mismatch
import pytest
from rclpy.qos import QoSPolicyKind


@pytest.mark.parametrize(('kind', 'words'), [
    (QoSPolicyKind.RELIABILITY, ['less reliability', "'reliability' to best_effort"]),
    (QoSPolicyKind.DURABILITY, ['less durability', 'transient local']),
    (QoSPolicyKind.DEADLINE, ['less deadline', 'Change the QoS']),
    (12345, ['policy 12345', 'Change the QoS']),
])
def test_a_mismatch_names_topic_policy_and_remedy(kind, words):
    text = mismatch('/robot/front/image_raw', SimpleNamespace(
        last_policy_kind=int(kind), total_count=2))
    assert all(word in text for word in ["'/robot/front/image_raw'", '2 so far', *words]), text
