# SPDX-License-Identifier: Apache-2.0
"""Parameters of the imagination node without a node."""

from ipt_ros.nodes.imagination_settings import Settings
import pytest


@pytest.mark.parametrize(('namespace', 'prefix'), [
    ('/', 'imagined_'), ('/ipt', 'ipt/imagined_'), ('/robot1', 'robot1/imagined_'),
    ('/fleet/robot2', 'fleet/robot2/imagined_')])
def test_robots_of_other_namespaces_share_no_frame(namespace, prefix):
    assert Settings().frame_prefix(namespace) == prefix
    assert Settings(imagined_frame_prefix='seen_').frame_prefix(namespace) == 'seen_'
