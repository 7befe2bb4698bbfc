# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The nodes as plain blocking calls, for scripts, the command line and the demo.

    with Robot('/ipt') as robot:
        print(robot.ask('How many chairs are around me?', choices=['1', '2', '3']).answer.text)

Everything is asked over ROS; nothing here knows the model or the simulator.

A server whose node has not discovered a client yet drops its reply to it, though the client has
discovered the server: on a busy machine that takes a while, and the client would wait for ever. So
before a client is used for the first time, the node is asked for no parameters, again and again,
by another client that was made later. Nodes discover in the order in which things were made; once
that one has its reply, the first is known too.
"""

from collections.abc import Callable
import math
from time import monotonic
from typing import Any

from action_msgs.msg import GoalStatus
from ipt_interfaces.action import Imagine
from ipt_interfaces.srv import (
    Ask,
    GroundTruth,
    ImagineBev,
    ImagineView,
    LoadModel,
    Reset,
    Teleport,
)
from ipt_ros.ros.qos import reliable, sensor_input
from ipt_ros.ros.transforms import nanoseconds
from lifecycle_msgs.msg import State, Transition
from lifecycle_msgs.srv import ChangeState, GetState
from nav_msgs.msg import Odometry
from rcl_interfaces.srv import GetParameters
import rclpy
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import CameraInfo, Image

_IMAGES = ('image_raw', 'depth/image_raw')
_PROBE_SECONDS = 1.0  # until a node is asked anew whether its replies arrive

# Called about ten times a second while a call waits, with the seconds waited so far. May raise to
# give up, e.g. because a node's process has died.
Waiting = Callable[[float], None]


class RobotError(RuntimeError):
    """A node did not answer, or refused; the message says which and why."""


class Robot:
    """
    A client of the imagination node and, in simulation, of the bridge.

    namespace: of both nodes. waiting: see `Waiting`. timeout: seconds until a call that does not
    come back raises RobotError.
    """

    def __init__(
        self, namespace: str = '/ipt', waiting: Waiting | None = None, timeout: float = 600.0,
    ):
        self._namespace = '/' + namespace.strip('/') if namespace.strip('/') else ''
        self._waiting = waiting or (lambda seconds: None)
        self._timeout = timeout
        # A context of its own and no signal handlers: Ctrl-C must still let a caller tidy up.
        self._context = rclpy.Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node('ipt_client', context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._clients: dict[str, Any] = {}
        self._action: ActionClient | None = None

    def __enter__(self) -> 'Robot':
        return self

    def __exit__(self, *error) -> None:
        self.close()

    def close(self) -> None:
        """Leave the graph."""
        if self._context.ok():
            if self._action is not None:
                self._action.destroy()
            self._executor.shutdown()
            self._node.destroy_node()
            rclpy.shutdown(context=self._context)

    # The imagination node

    def bring_up(self) -> None:
        """Take the imagination node to the state active, from wherever it is."""
        transitions = {
            State.PRIMARY_STATE_UNCONFIGURED: Transition.TRANSITION_CONFIGURE,
            State.PRIMARY_STATE_INACTIVE: Transition.TRANSITION_ACTIVATE,
        }
        while (state := self.state()).id != State.PRIMARY_STATE_ACTIVE:
            if state.id not in transitions:  # somebody else is at it
                self._wait_for(lambda: False, 'a transition', seconds=0.2, must=False)
                continue
            request = ChangeState.Request()
            request.transition.id = transitions[state.id]
            changed = self._call(ChangeState, 'imagination/change_state', request).success
            if not changed and self.state().id <= state.id:  # else somebody else was faster
                raise RobotError(
                    f"the imagination node refused to go on from state '{state.label}'; its log "
                    'says why')

    def state(self) -> State:
        """Return the lifecycle state of the imagination node."""
        return self._call(GetState, 'imagination/get_state', GetState.Request()).current_state

    def ask(self, question: str, **fields) -> Ask.Response:
        """Ask over the service. fields: those of Ask.srv; success is for the caller to look at."""
        request = Ask.Request(question=question, **{'seed': -1, **fields})
        return self._call(Ask, 'imagination/ask', request)

    def imagine_view(self, **fields) -> ImagineView.Response:
        """Imagine a view. fields: those of ImagineView.srv."""
        request = ImagineView.Request(**{'seed': -1, **fields})
        return self._call(ImagineView, 'imagination/imagine_view', request)

    def imagine_bev(self, **fields) -> ImagineBev.Response:
        """Imagine a map. fields: those of ImagineBev.srv."""
        request = ImagineBev.Request(**{'seed': -1, **fields})
        return self._call(ImagineBev, 'imagination/imagine_bev', request)

    def load_model(self, source: str) -> LoadModel.Response:
        """
        Let the node take another model while it goes on serving; wait until that is done.

        source: a checkpoint folder on the node's machine or a Hugging Face id.
        """
        return self._call(LoadModel, 'imagination/load_model', LoadModel.Request(source=source))

    def imagine(
        self,
        on_feedback: Callable[[Imagine.Feedback], None] | None = None,
        **fields,
    ) -> Imagine.Result:
        """
        Ask over the action. fields: those of the goal in Imagine.action.

        An exception, Ctrl-C or one that on_feedback raises, cancels the goal and goes on up.
        """
        if self._action is None:
            name = f'{self._namespace}/imagination/imagine'
            action = ActionClient(self._node, Imagine, name)
            self._wait_for(action.server_is_ready, name)
            self._until_known('imagination')
            self._action = action
        failure: list[BaseException] = []

        def forward(message):
            try:
                on_feedback(message.feedback)
            except BaseException as error:  # raised again below, out of the executor's hands
                failure.append(error)

        goal = Imagine.Goal(**{'seed': -1, **fields})
        handle = self._finish(
            self._action.send_goal_async(goal, feedback_callback=forward if on_feedback else None),
            'the goal to be taken')
        if not handle.accepted:
            raise RobotError('the imagination node refused the goal; is it active?')
        result = handle.get_result_async()
        try:
            self._wait_for(lambda: failure or result.done(), 'the imagined result')
            if failure:
                raise failure[0]
        except BaseException:
            self._executor.spin_until_future_complete(handle.cancel_goal_async(), timeout_sec=2.0)
            raise
        outcome = result.result()
        if outcome.status == GoalStatus.STATUS_UNKNOWN:
            raise RobotError('the imagination node lost the goal')
        return outcome.result

    # The simulator

    def reset(self, seed: int) -> None:
        """Build the scene of a seed; raise RobotError if it cannot be built."""
        self._checked(self._call(Reset, 'sim_bridge/reset', Reset.Request(seed=seed)))

    def teleport(self, x: float, y: float, yaw: float, cameras: tuple[str, ...] = ()) -> int:
        """
        Put the robot there and wait until `cameras` have delivered from there.

        Returns a stamp (ns): frames from then on were taken at the new place.
        """
        request = Teleport.Request(x=float(x), y=float(y), yaw=float(yaw))
        self._checked(self._call(Teleport, 'sim_bridge/teleport', request))
        return self._arrival(x, y, yaw, cameras)

    def ground_truth(self, **fields) -> GroundTruth.Response:
        """Return the truth. fields: those of GroundTruth.srv; raise RobotError if refused."""
        return self._checked(self._call(
            GroundTruth, 'sim_bridge/ground_truth', GroundTruth.Request(**fields)))

    def wait_for_cameras(self, cameras: tuple[str, ...]) -> None:
        """Wait until each camera has delivered something."""
        self._newest_stamps(cameras, 0)

    def count_frames(self, cameras: tuple[str, ...], seconds: float) -> int:
        """Return how many frames arrived whole, colour and depth, within some seconds."""
        stamps = {(name, topic): set() for name in cameras for topic in _IMAGES}
        subscriptions = [
            self._node.create_subscription(
                Image, f'{self._namespace}/{name}/{topic}',
                lambda image, key=(name, topic): stamps[key].add(nanoseconds(image.header.stamp)),
                sensor_input('best_effort'))
            for name, topic in stamps]

        def arrived() -> int:
            return sum(
                len(set.intersection(*(stamps[name, topic] for topic in _IMAGES)))
                for name in cameras)

        try:
            # From the first frame on: finding each other takes its time.
            self._wait_for(lambda: arrived() > len(cameras), 'the first images', seconds=60.0)
            before = arrived()
            self._wait_for(lambda: False, 'images', seconds=seconds, must=False)
            return arrived() - before
        finally:
            for subscription in subscriptions:
                self._node.destroy_subscription(subscription)

    # Inside

    def _arrival(self, x: float, y: float, yaw: float, cameras: tuple[str, ...]) -> int:
        arrived: list[int] = []

        def look(odom: Odometry) -> None:
            pose = odom.pose.pose
            turned = 2 * math.atan2(pose.orientation.z, pose.orientation.w) - yaw
            near = math.hypot(pose.position.x - x, pose.position.y - y) < 0.01
            if near and abs(math.remainder(turned, math.tau)) < 0.01:
                arrived.append(nanoseconds(odom.header.stamp))

        subscription = self._node.create_subscription(
            Odometry, f'{self._namespace}/odom', look, reliable())
        try:
            self._wait_for(lambda: arrived, f'odometry at ({x:.2f}, {y:.2f})', seconds=20.0)
        finally:
            self._node.destroy_subscription(subscription)
        self._newest_stamps(cameras, arrived[0])
        return arrived[0]

    def _newest_stamps(self, cameras: tuple[str, ...], after: int) -> None:
        """Wait until each camera_info is stamped later than `after` (ns)."""
        newest = dict.fromkeys(cameras, -1)

        def note(camera: str) -> Callable[[CameraInfo], None]:
            return lambda info: newest.update({camera: nanoseconds(info.header.stamp)})

        subscriptions = [
            self._node.create_subscription(
                CameraInfo, f'{self._namespace}/{name}/camera_info', note(name),
                sensor_input('best_effort'))
            for name in cameras]
        try:
            self._wait_for(
                lambda: all(stamp > after for stamp in newest.values()),
                f"camera_info of {', '.join(cameras)}", seconds=60.0)
        finally:
            for subscription in subscriptions:
                self._node.destroy_subscription(subscription)

    def _call(self, kind: type, name: str, request: Any) -> Any:
        full_name = f'{self._namespace}/{name}'
        new = name not in self._clients
        client = self._node.create_client(kind, full_name) if new else self._clients[name]
        self._wait_for(client.service_is_ready, f'the service {full_name}', seconds=60.0)
        if new:
            self._until_known(name.split('/')[0])
            self._clients[name] = client
        return self._finish(client.call_async(request), f'an answer of {full_name}')

    def _until_known(self, node: str) -> None:
        """Wait until `node` knows all clients made so far; see the module."""
        name = f'{self._namespace}/{node}/get_parameters'
        probe = self._node.create_client(GetParameters, name)
        asked: list[Any] = []

        def answered() -> bool:
            if monotonic() - began >= len(asked) * _PROBE_SECONDS:
                asked.append(probe.call_async(GetParameters.Request()))
            return any(future.done() for future in asked)

        try:
            self._wait_for(probe.service_is_ready, f'the service {name}', seconds=60.0)
            began = monotonic()
            self._wait_for(answered, f'an answer of {name}')
        finally:
            self._node.destroy_client(probe)

    def _finish(self, future: Any, what: str) -> Any:
        self._wait_for(future.done, what)
        return future.result()

    def _wait_for(
        self,
        ready: Callable[[], Any],
        what: str,
        seconds: float | None = None,
        must: bool = True,
    ) -> None:
        """Spin until `ready()`; raise RobotError after `seconds` if it must."""
        limit = self._timeout if seconds is None else seconds
        began = monotonic()
        while not ready():
            waited = monotonic() - began
            if waited > limit:
                if not must:
                    return
                raise RobotError(
                    f'waited {limit:.0f} s for {what}; is the node running, in this ROS_DOMAIN_ID '
                    'and namespace?')
            self._waiting(waited)
            self._executor.spin_once(timeout_sec=0.1)

    @staticmethod
    def _checked(response: Any) -> Any:
        if not response.success:
            raise RobotError(response.message)
        return response
