# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A lifecycle node that refuses what does not fit its state, and says so."""

from lifecycle_msgs.srv import ChangeState
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn


class SteadyLifecycleNode(LifecycleNode):
    """
    A lifecycle node that outlives a request for a transition which its state does not have.

    In rclpy 7.1 the error of such a request leaves the service's callback and ends the process. It
    needs no more than two managers, or one that comes late.
    """

    # The name that rclpy's own, private method has outside its class; rclpy looks it up by that.
    def _LifecycleNodeMixin__on_change_state(  # noqa: N802
        self, request: ChangeState.Request, response: ChangeState.Response,
    ) -> ChangeState.Response:
        try:
            return super()._LifecycleNodeMixin__on_change_state(request, response)
        except rclpy_implementation.RCLError as error:
            self._say_refused(error)
            response.success = False
            return response

    def start_up(self) -> None:
        """Configure and activate, as far as that is still to be done."""
        try:
            if self.trigger_configure() == TransitionCallbackReturn.SUCCESS:
                self.trigger_activate()
        except rclpy_implementation.RCLError as error:
            self._say_refused(error)

    def _say_refused(self, error: Exception) -> None:
        _, label = self._state_machine.current_state
        self.get_logger().warning(
            f"a transition was refused: the state '{label}' does not have it ({error}); the node "
            'stays as it is')
