# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Lifecycle node `imagination`: asks the model over services and an action.

One thread spins, another one computes. Every callback that needs the model is a coroutine that
awaits a job of the second thread, so timers, cancels and transitions are served meanwhile. A third
one loads the model that is to replace the present one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
import gc
import sys
import time
import traceback
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from geometry_msgs.msg import TransformStamped
from ipt_interfaces.action import Imagine
from ipt_interfaces.msg import Answer, ErrorCode, ImaginedImage
from ipt_interfaces.srv import Ask, ImagineBev, ImagineView, LoadModel
from ipt_ros.imagination import Code, Imagination, ImaginationError, Progress, Result, View
from ipt_ros.nodes.imagination_messages import (
    ask_plan,
    bev_plan,
    note_of,
    phases,
    Plan,
    Replies,
    view_plan,
)
from ipt_ros.nodes.imagination_settings import CameraNames, Settings
from ipt_ros.ros import qos
from ipt_ros.ros.bond import Bond
from ipt_ros.ros.cameras import CameraFrame, Cameras, CameraSettings, Observation
from ipt_ros.ros.diagnostics import Diagnostics, ERROR, OK, status, WARN
from ipt_ros.ros.images import from_rgb, ImageError
from ipt_ros.ros.lifecycle import SteadyLifecycleNode
from ipt_ros.ros.parameters import ParameterError, ParameterGroups, Parameters
from ipt_ros.ros.running import run_node
from ipt_ros.ros.sync import (
    CameraSilentError,
    NoFrameError,
    NotSynchronisedError,
    StaleFrameError,
    UnknownCameraError,
)
from ipt_ros.ros.top_down import NoTopDownError, TopDown
from ipt_ros.ros.transforms import TransformBuffer, TransformError
from ipt_ros.ros.worker import Job, JobCancelledError, QueueFullError, Worker
from nav_msgs.msg import OccupancyGrid
import numpy as np
from rclpy.action import ActionServer, CancelResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.clock import Clock, ClockType, JumpThreshold
from rclpy.duration import Duration
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage


class NotActiveError(RuntimeError):
    """The node is not in the state active."""


_SET_BACK = 0.5  # s; a clock that jumps back by this shows another run of a bag or simulator
_CODES = {
    NotActiveError: ErrorCode.NOT_ACTIVE,
    NoFrameError: ErrorCode.NO_FRAME,
    StaleFrameError: ErrorCode.STALE_FRAME,
    CameraSilentError: ErrorCode.CAMERA_SILENT,
    UnknownCameraError: ErrorCode.UNKNOWN_CAMERA,
    NotSynchronisedError: ErrorCode.NOT_SYNCHRONISED,
    ImageError: ErrorCode.BAD_IMAGE,
    TransformError: ErrorCode.NO_TRANSFORM,
    NoTopDownError: ErrorCode.NO_MAP,
    QueueFullError: ErrorCode.BUSY,
    JobCancelledError: ErrorCode.CANCELLED,
}


@dataclass(frozen=True)
class Outcome:
    """What a request came to: replies, or an error code; the message is for people."""

    code: int
    message: str
    seconds: dict[str, float]
    replies: Replies | None = None

    def fill(self, response: Any) -> Any:
        """Write what every response and result has, and return it."""
        response.success = self.code == ErrorCode.NONE
        response.error_code = self.code
        response.message = self.message
        return response


@dataclass(frozen=True)
class Seen:
    """
    What a request is about, and where the robot was then: /tf forgets before a slow model is done.

    fixed_from_base: 4x4, None where /tf did not know.
    """

    observation: Observation
    fixed_from_base: np.ndarray | None


class ImaginationNode(SteadyLifecycleNode):
    """The node; see the module."""

    def __init__(self, **options):
        """Declare parameters and open the doors; `options` go to rclpy's node."""
        super().__init__('imagination', **options)
        again = 'clean the node up, set it, and configure the node'
        self._parameter_table = Parameters(self, Settings, again)
        self._camera_names = ParameterGroups(self, CameraNames, again)
        self._settings: Settings | None = None
        self._imagination: Imagination | None = None
        self._cameras: Cameras | None = None
        self._top_down: TopDown | None = None
        self._bond: Bond | None = None
        self._worker: Worker | None = None
        self._loader: Worker | None = None
        self._loading = ''
        self._transforms = TransformBuffer()
        self._active = False
        self._problem = 'it has not been configured'
        self._jobs: dict[bytes, Job] = {}
        self._last: dict[str, float] = {}
        self._served = self._refused = 0

        # Services exist in every state: a client learns why nothing can be asked instead of
        # waiting for a service that is not there.
        group = ReentrantCallbackGroup()
        self.create_service(Ask, '~/ask', self._on_ask, callback_group=group)
        self.create_service(
            ImagineView, '~/imagine_view', self._on_imagine_view, callback_group=group)
        self.create_service(
            ImagineBev, '~/imagine_bev', self._on_imagine_bev, callback_group=group)
        self.create_service(
            LoadModel, '~/load_model', self._on_load_model, callback_group=group)
        self._action = ActionServer(
            self, Imagine, '~/imagine', self._on_imagine, callback_group=group,
            cancel_callback=self._on_cancel)
        self._diagnostics = Diagnostics(
            self, self.get_parameter('hardware_id').value,
            {'model': self._check_model, 'cameras': self._check_cameras})
        if self.get_parameter('autostart').value:
            # Not in the node's time: a simulator may be waiting for us before it starts its clock.
            self._autostart = self.create_timer(
                0.0, self._on_autostart, clock=Clock(clock_type=ClockType.STEADY_TIME))

    # -- lifecycle ------------------------------------------------------------------------------

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters, load the model, open the outputs."""
        try:
            self._settings = settings = self._parameter_table.use(self._on_settings)
            self._diagnostics.hardware_id = settings.hardware_id
            camera_settings = settings.camera_settings(self._camera_names.use)
            self._imagination = self._load(settings)
            self._open(settings, camera_settings)
        except Exception as error:
            # rclpy would swallow it without a word, and go to a state of its own choice.
            self._problem = f'configuring failed: {error}'
            self.get_logger().error(self._problem)
            self._release()
            return TransitionCallbackReturn.FAILURE
        self._problem = 'it is configured, but not active'
        return TransitionCallbackReturn.SUCCESS

    def _on_settings(self, settings: Settings) -> None:
        """Put to use what may change while the node serves; requests that run keep what was."""
        self._settings = settings
        if self._imagination is not None:
            self._imagination = self._imagination.with_options(settings.options())

    def _open(self, settings: Settings, camera_settings: CameraSettings) -> None:
        """Open what the node hears and says."""
        self._transforms = TransformBuffer(
            self.get_logger().warning, tolerance=settings.tf_tolerance)
        self._cameras = Cameras(self, camera_settings, self._transforms)
        self._top_down = TopDown(self, self._transforms, settings.base_frame)
        self._bond = Bond(self, settings.bond_heartbeat_period)
        self._tf = [
            self.create_subscription(
                TFMessage, '/tf', self._transforms.add_message, qos.reliable(100)),
            self.create_subscription(
                TFMessage, '/tf_static',
                lambda message: self._transforms.add_message(message, static=True),
                qos.latched(100)),
        ]
        self._outputs = {
            'answer': self.create_lifecycle_publisher(Answer, '~/answer', qos.latched()),
            'view': self.create_lifecycle_publisher(Image, '~/imagined/image', qos.latched()),
            'info': self.create_lifecycle_publisher(
                CameraInfo, '~/imagined/camera_info', qos.latched()),
            'bev': self.create_lifecycle_publisher(Image, '~/imagined/bev', qos.latched()),
            'grid': self.create_lifecycle_publisher(
                OccupancyGrid, '~/imagined/bev_grid', qos.latched()),
            'tf': self.create_lifecycle_publisher(TFMessage, '/tf_static', qos.latched()),
        }
        self._placed: dict[str, TransformStamped] = {}
        self._worker = Worker(self.executor, settings.queue_limit)
        self._loader = Worker(self.executor, queue_limit=0)
        self._jump = self.get_clock().create_jump_callback(
            JumpThreshold(min_forward=None, min_backward=Duration(seconds=-_SET_BACK),
                          on_clock_change=False),
            post_callback=self._on_clock_set_back)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Listen to the cameras and take requests."""
        try:
            self._cameras.start()
            self._top_down.start()
            self._bond.start()
        except Exception as error:
            self._pause(f'activating failed: {error}')
            self.get_logger().error(self._problem)
            return TransitionCallbackReturn.FAILURE
        self._active = True
        self.get_logger().info(
            f"ready: model '{self._imagination.model_id}', cameras "
            f"{', '.join(self._cameras.names)}")
        return super().on_activate(state)

    def _on_clock_set_back(self, jump: Any) -> None:
        """Forget what was stamped by the time before, as of a bag that begins anew."""
        self._transforms.forget_moving()
        if self._cameras is not None:
            self._cameras.forget()

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Refuse further requests and stop the ones that run."""
        self._pause('it was deactivated')
        return super().on_deactivate(state)

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Free the model and close the outputs."""
        self._problem = 'it has not been configured'
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop and free everything."""
        self._pause('it was shut down')
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Go back to unconfigured."""
        self._pause('a transition failed; see the log')
        self._release()
        return TransitionCallbackReturn.SUCCESS

    def _on_autostart(self) -> None:
        self._autostart.cancel()
        self.start_up()

    def _load(self, settings: Settings, beside: bool = False) -> Imagination:
        """Return the model of the settings; beside: while another one goes on serving."""
        if not settings.checkpoint:
            raise ParameterError(
                "the parameter 'checkpoint' is empty; set it to a checkpoint folder, that of a "
                'LoRA adapter, or a Hugging Face id')
        began = time.monotonic()
        if settings.threads:
            import torch
            torch.set_num_threads(settings.threads)
        if beside:
            # Here, because torch takes seconds to import and the services exist before it has.
            from ipt_ros.imagination.loading import load_beside as load
        else:
            load = Imagination.from_checkpoint
        imagination = load(
            settings.checkpoint, settings.device, settings.dtype, settings.options(),
            settings.base_checkpoint, beside=self._imagination)
        self.get_logger().info(
            f"loaded '{imagination.model_id}' in {time.monotonic() - began:.1f} s")
        return imagination

    def _pause(self, problem: str) -> None:
        self._active = False
        self._problem = problem
        if self._worker is not None:
            self._worker.cancel_all()
        if self._cameras is not None:
            self._cameras.stop()
            self._top_down.stop()
            self._bond.stop()

    def _release(self) -> None:
        if self._worker is not None:
            if not self._worker.close():
                self.get_logger().warning('the model is still busy with its last step')
            if not self._loader.close():
                self.get_logger().warning(f"'{self._loading}' is still being loaded, in vain")
            self._jump.unregister()
            for subscription in self._tf:
                self.destroy_subscription(subscription)
            for publisher in self._outputs.values():
                self.destroy_lifecycle_publisher(publisher)
        self._worker = self._cameras = self._top_down = self._bond = self._imagination = None
        self._loader = None
        self._parameter_table.release()
        self._camera_names.release()
        _free_memory()

    def close(self) -> None:
        """Stop the thread and free the model, whatever the state."""
        self._pause('it is going down')
        self._release()

    # -- services and action --------------------------------------------------------------------

    async def _on_ask(self, request: Ask.Request, response: Ask.Response) -> Ask.Response:
        outcome = await self._serve(ask_plan(request))
        response.answer.phases = phases(outcome.seconds)
        if outcome.replies is not None:
            response.answer = outcome.replies.answer
            if request.return_images:
                response.inputs = outcome.replies.inputs
                response.imagined = outcome.replies.imagined
        return outcome.fill(response)

    async def _on_imagine_view(
        self, request: ImagineView.Request, response: ImagineView.Response,
    ) -> ImagineView.Response:
        outcome = await self._serve(view_plan(request.target, request.camera, request.seed))
        return self._with_picture(outcome, response)

    async def _on_imagine_bev(
        self, request: ImagineBev.Request, response: ImagineBev.Response,
    ) -> ImagineBev.Response:
        outcome = await self._serve(bev_plan(
            request.centre, request.size, request.resolution, request.seed, request.cameras))
        if outcome.replies is not None:
            response.grid = outcome.replies.grid
        return self._with_picture(outcome, response)

    async def _on_load_model(
        self, request: LoadModel.Request, response: LoadModel.Response,
    ) -> LoadModel.Response:
        began = time.monotonic()
        try:
            code, message = ErrorCode.NONE, await self._change_model(request.source)
            self.get_logger().info(message)
        except Exception as error:  # one that left this coroutine would end the node
            code, message = _code_of(error), str(error)
            if self._imagination is not None:
                message += f"; the model is still '{self._imagination.model_id}'"
            # What lies in the folders of this machine is for its own log alone.
            reason = str(error.__cause__ or '')
            self.get_logger().error(
                f'no other model: {message}' + (f' ({reason})' if reason not in message else ''))
        _free_memory()
        response.seconds = time.monotonic() - began
        if self._imagination is not None:
            response.model_id = self._imagination.model_id
        return Outcome(code, message, {}).fill(response)

    async def _on_imagine(self, handle: ServerGoalHandle) -> Imagine.Result:
        goal, key = handle.request, bytes(handle.goal_id.uuid)
        plans = {
            Imagine.Goal.ASK: ask_plan(goal),
            Imagine.Goal.VIEW: view_plan(goal.view_target, goal.view_camera, goal.seed),
            Imagine.Goal.BEV: bev_plan(
                goal.bev_centre, goal.bev_size, goal.bev_resolution, goal.seed, goal.cameras),
        }
        kind = goal.kind or Imagine.Goal.ASK
        if kind in plans:
            outcome = await self._serve(plans[kind], handle)
        else:
            outcome = Outcome(ErrorCode.BAD_REQUEST, (
                f"unknown kind '{kind:.40}'; expected one of: {', '.join(plans)}"), {})
        self._jobs.pop(key, None)
        result = Imagine.Result()
        result.answer.phases = phases(outcome.seconds)
        if outcome.replies is not None:
            result.answer = outcome.replies.answer
            result.grid = outcome.replies.grid
            if goal.return_images or kind != Imagine.Goal.ASK:
                result.imagined = outcome.replies.imagined
            if goal.return_images:
                result.inputs = outcome.replies.inputs
        if outcome.code == ErrorCode.NONE:
            handle.succeed()
        elif handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return outcome.fill(result)

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        job = self._jobs.get(bytes(handle.goal_id.uuid))
        if job is not None and self._worker is not None:
            self._worker.cancel(job)
        return CancelResponse.ACCEPT

    def _with_picture(self, outcome: Outcome, response: Any) -> Any:
        response.phases = phases(outcome.seconds)
        if outcome.replies is not None:
            response.imagined = outcome.replies.imagined[0]
            response.evidence = outcome.replies.evidence
        return outcome.fill(response)

    # -- serving --------------------------------------------------------------------------------

    async def _serve(self, plan: Plan, handle: ServerGoalHandle | None = None) -> Outcome:
        """Check, observe, let the model work, publish; never raises."""
        seconds: dict[str, float] = {}
        try:
            result, seen, model_id = await self._work(plan, handle, seconds)
            replies = Replies(
                plan, result, seen.observation, self._settings.base_frame, model_id,
                self._settings.frame_prefix(self.get_namespace()), seconds)
            self._publish(replies, seen.fixed_from_base, answered=result.answer is not None)
            self._show_cameras(replies, seen.fixed_from_base)
        except Exception as error:  # one that left this coroutine would end the node
            self._refused += 1
            return self._failed(error, seconds)
        self._served += 1
        self._last = seconds
        note = note_of(plan, result, seen.observation)
        return Outcome(ErrorCode.NONE, note, seconds, replies)

    async def _work(self, plan: Plan, handle: ServerGoalHandle | None,
                    seconds: dict[str, float]) -> tuple[Result, Seen, str]:
        """Return the result, what from and by which model; fill in the seconds on the way."""
        self._require_active()
        plan.check(self._settings.max_question)
        began = time.monotonic()
        observation = (
            self._top_down.observe() if plan.on_map else self._cameras.observe(plan.cameras))
        seen = Seen(observation, self._fixed_from_base(observation.stamp))
        imagination = self._imagination  # to the end, though another one may take over meanwhile
        prepared = imagination.prepare(
            [_view(frame) for frame in observation.frames],
            plan.make(lambda frame, stamp: self._cameras.base_from(
                frame, stamp or observation.stamp, observation.stamp)))
        queued = time.monotonic()
        seconds['observe'] = queued - began

        on_progress = self._feedback(handle)

        def run(job: Job) -> Result:
            seconds['queue'] = time.monotonic() - queued
            result = imagination.run(prepared, on_progress, lambda: job.cancelled)
            seconds.update(result.phases)
            return result

        job = self._worker.submit(run)
        if handle is not None:
            self._jobs[bytes(handle.goal_id.uuid)] = job
            if handle.is_cancel_requested:  # it came before there was a job to cancel
                self._worker.cancel(job)
            elif self._worker.waiting:
                handle.publish_feedback(Imagine.Feedback(phase='queued', step=1))
        result = await job.future
        self._require_active()
        return result, seen, imagination.model_id

    def _fixed_from_base(self, stamp: int) -> np.ndarray | None:
        """Return where the robot is in the fixed frame; None where /tf does not know."""
        try:
            return self._transforms.lookup(
                self._settings.fixed_frame, self._settings.base_frame, stamp)
        except TransformError:
            return None

    async def _change_model(self, source: str) -> str:
        """Let the model of `source` take over once it is loaded; return what to tell people."""
        if self._loader is None:
            raise NotActiveError(
                f"there is no model to replace: {self._problem}; set the parameter 'checkpoint' "
                'and configure the node')
        if not source.strip():
            raise ImaginationError(Code.BAD_REQUEST, (
                'the source is empty; expected a checkpoint folder or a Hugging Face id'))
        settings = replace(self._settings, checkpoint=source)
        loader = self._loader
        try:
            job = loader.submit(lambda job: self._load(settings, beside=True))
        except QueueFullError:
            raise QueueFullError(
                f"'{self._loading}' is being loaded; try again when that is done") from None
        self._loading = source
        imagination = await job.future
        # It may have been done before, and this been told after, the node was cleaned up.
        if job.cancelled or self._loader is not loader:
            raise JobCancelledError(f"'{source}' is not used: the node was cleaned up meanwhile")
        # Between two requests: those that wait keep the old model, those that come get the new.
        before, self._imagination = self._imagination, imagination
        origin, used = imagination.model.origin.source, {'checkpoint': source}
        if origin.adapter is not None:  # its base may have been that of the model before
            used['base_checkpoint'] = str(origin.folder.resolve())
        self._on_settings(self._parameter_table.replace(**used))
        return f"'{imagination.model_id}' serves in place of '{before.model_id}'"

    def _require_active(self) -> None:
        if not self._active:
            raise NotActiveError(
                f'the imagination node takes no requests: {self._problem}; configure and activate '
                'it')

    def _failed(self, error: Exception, seconds: dict[str, float]) -> Outcome:
        """Return what a client is told about an exception; log the ones that nobody foresaw."""
        if not self._active:  # whatever it was, this is why
            code = ErrorCode.NOT_ACTIVE
            error = error if isinstance(error, NotActiveError) else NotActiveError(
                f'the request was stopped: {self._problem}')
        else:
            code = _code_of(error)
        if code == ErrorCode.INTERNAL:
            self.get_logger().error(''.join(traceback.format_exception(error)))
            return Outcome(code, (
                f'a fault of the node: {type(error).__name__}: {error}; its log has more'),
                seconds)
        self.get_logger().info(f'refused: {error}')
        return Outcome(code, str(error), seconds)

    def _feedback(self, handle: ServerGoalHandle | None) -> Callable[[Progress], None] | None:
        """Return what the model's thread calls on its way."""
        if handle is None:
            return None
        period = self._settings.preview_period

        def publish(progress: Progress) -> None:
            message = Imagine.Feedback(
                phase=progress.phase, step=progress.step, steps_total=progress.total)
            if progress.preview is not None and period and progress.step % period == 0:
                message.preview = from_rgb(progress.preview())
            if handle.is_active:
                handle.publish_feedback(message)
        return publish

    def _publish(self, replies: Replies, fixed_from_base: np.ndarray | None,
                 answered: bool) -> None:
        """Publish on the topics what a client has got, too; grids where they stay."""
        if answered:
            self._outputs['answer'].publish(replies.answer)
        for item in replies.imagined:
            if item.kind == ImaginedImage.BEV:
                self._outputs['bev'].publish(item.image)
            else:
                self._outputs['view'].publish(item.image)
                self._outputs['info'].publish(item.camera_info)
        grid = replies.grid
        if grid.data:
            if fixed_from_base is not None:
                grid = replies.grid_in(self._settings.fixed_frame, fixed_from_base)
            self._outputs['grid'].publish(grid)

    def _show_cameras(self, replies: Replies, fixed_from_base: np.ndarray | None) -> None:
        """Put the imagined cameras into /tf, where they stay while the robot drives on."""
        if fixed_from_base is None:
            return  # nothing is known that does not move with the robot
        placed = replies.transforms(self._settings.fixed_frame, fixed_from_base)
        self._placed |= {item.child_frame_id: item for item in placed}
        if placed:
            self._outputs['tf'].publish(TFMessage(transforms=list(self._placed.values())))

    # -- health ---------------------------------------------------------------------------------

    def _check_model(self) -> DiagnosticStatus:
        values = {'served': self._served, 'refused': self._refused}
        if self._imagination is not None:
            values |= {
                'model': self._imagination.model_id, 'checkpoint': self._settings.checkpoint,
                'loading': self._loading if self._loader.busy else '',
                **{f'auto_mode.{task}': mode
                   for task, mode in self._imagination.options.auto_mode.items()}}
        if self._imagination is None or not self._active:
            failed = self._problem.startswith('configuring failed')
            return status(ERROR if failed else OK, self._problem, values)
        values |= {
            'busy': self._worker.busy, 'waiting': self._worker.waiting,
            **{f'last {name} (s)': f'{value:.3f}' for name, value in self._last.items()}}
        return status(OK, 'working' if self._worker.busy else 'ready', values)

    def _check_cameras(self) -> DiagnosticStatus:
        if not self._active:
            return status(OK, 'not listening')
        problems, values = self._cameras.health()
        if problems:
            return status(WARN, '; '.join(problems), values)
        blind = self._cameras.without_depth
        return status(OK, 'all cameras deliver' + (
            f"; no depth image of {', '.join(blind)}" if blind else ''), values)


def _code_of(error: Exception) -> int:
    if isinstance(error, ImaginationError):
        return getattr(ErrorCode, error.code.name)
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)),
                ErrorCode.INTERNAL)


def _free_memory() -> None:
    """Give back what models that are gone have left."""
    gc.collect()  # a model that was refused hangs in the traceback of its error
    if 'torch' in sys.modules and sys.modules['torch'].cuda.is_initialized():
        sys.modules['torch'].cuda.empty_cache()


def _view(frame: CameraFrame) -> View:
    return View(frame.name, frame.rgb, frame.camera, frame.base_from_optical, frame.depth,
                frame.problem)


def main(args: Sequence[str] | None = None) -> int:
    """Run the node until SIGINT or SIGTERM; both end it with exit code 0."""
    return run_node('imagination', ImaginationNode, args)


if __name__ == '__main__':
    sys.exit(main())
