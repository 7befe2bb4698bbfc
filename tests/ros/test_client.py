# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The blocking client, with a node that drops replies as one that has yet to discover it does."""

import contextlib
import threading
from time import monotonic

from ipt_ros.ros.client import Robot, RobotError
from lifecycle_msgs.msg import State
from lifecycle_msgs.srv import ChangeState, GetState
import pytest
from rcl_interfaces.srv import GetParameters
import rclpy
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.task import Future

pytestmark = pytest.mark.ros

NAMESPACE = '/forgetful'


class Forgetful:
    """A node `imagination` whose replies are lost for some seconds from the first request on."""

    def __init__(self, domain: int, seconds: float):
        self.requests = {'get_parameters': 0, 'get_state': 0, 'change_state': 0}
        self._seconds = seconds
        self._first = None
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node(
            'imagination', namespace=NAMESPACE, context=self._context,
            start_parameter_services=False)
        group = ReentrantCallbackGroup()  # those that are lost hold up nobody
        for kind, name in ((GetParameters, 'get_parameters'), (GetState, 'get_state'),
                           (ChangeState, 'change_state')):
            self._node.create_service(
                kind, f'~/{name}', self._callback(name), callback_group=group)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def close(self):
        self._executor.shutdown()
        self._thread.join(10.0)
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)

    def _spin(self):
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def _callback(self, name):
        async def answer(request, response):
            self.requests[name] += 1
            self._first = self._first or monotonic()
            if monotonic() - self._first < self._seconds:
                await Future()  # for ever
            if name == 'get_state':
                done = self.requests['change_state'] > 0
                response.current_state = State(
                    id=State.PRIMARY_STATE_ACTIVE if done else State.PRIMARY_STATE_INACTIVE)
            elif name == 'change_state':
                response.success = True
            return response
        return answer


@pytest.fixture
def forgetful(request, ros_domain):
    node = Forgetful(ros_domain, request.param)
    yield node
    node.close()


@pytest.mark.parametrize('forgetful', [2.5], indirect=True)
def test_replies_that_are_lost_at_first_keep_nobody_waiting(forgetful):
    with Robot(NAMESPACE, timeout=240.0) as robot:
        robot.bring_up()
        asked = dict(forgetful.requests)
        assert asked['get_parameters'] >= 4  # the first ones were lost
        assert asked['change_state'] == 1    # what may cost minutes is asked once
        assert asked['get_state'] == 2       # before and after
        robot.state()
        # A client that is known already needs no introduction.
        assert forgetful.requests == {**asked, 'get_state': 3}


@pytest.mark.parametrize('forgetful', [600.0], indirect=True)
def test_a_node_that_never_replies_is_given_up_with_its_name(forgetful):
    with Robot(NAMESPACE, timeout=2.0) as robot:
        with pytest.raises(RobotError, match='waited 2 s for an answer of /forgetful/imagination'):
            robot.state()
