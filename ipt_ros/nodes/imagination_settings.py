# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The parameters of the imagination node."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from ipt_ros.camera_drivers import DRIVERS, DriverTopics, PLAIN
from ipt_ros.imagination import MODES, Options
from ipt_ros.ros import qos
from ipt_ros.ros.cameras import CameraSettings, PICTURES
from ipt_ros.ros.parameters import parameter, ParameterError
from rclpy.exceptions import InvalidTopicNameException
from rclpy.validate_full_topic_name import validate_full_topic_name
from rclpy.validate_topic_name import validate_topic_name

_AUTO = ('', *MODES[1:])


@dataclass(frozen=True)
class CameraNames:
    """The parameters of one camera, 'front.driver' ...: where it publishes."""

    driver: str = parameter(
        '', "Driver whose names its topics have; '': image_raw, camera_info, depth/image_raw.",
        choices=('', *DRIVERS))
    namespace: str = parameter(
        '', "Namespace of the driver's node; '': the camera's name, below this node's namespace.")
    image: str = parameter('', "Topic of the pictures, in the namespace; '': the driver's.")
    camera_info: str = parameter('', "Topic of the calibration, likewise; '': the driver's.")
    depth: str = parameter('', "Topic of the depth images, likewise; '': the driver's.")

    def topics(self, camera: str) -> DriverTopics | None:
        """Return where a camera publishes, None where nothing is said; raise ParameterError."""
        if self == CameraNames():
            return None
        known = DRIVERS.get(self.driver, PLAIN)
        topics = DriverTopics(
            self.image or known.image, self.camera_info or known.info, self.depth or known.depth,
        ).within(self.namespace or camera)
        for parameter_name, topic in (
                ('image', topics.image), ('camera_info', topics.info), ('depth', topics.depth)):
            try:
                validate_full_topic_name(topic if topic.startswith('/') else f'/{topic}')
            except InvalidTopicNameException as error:
                raise ParameterError(
                    f"'{camera}.namespace' and '{camera}.{parameter_name}' make '{topic}', which "
                    f'is no name of a topic: {error}') from error
        return topics


@dataclass(frozen=True)
class Settings:
    """The node's parameters, read when it is configured; config/imagination.yaml explains them."""

    checkpoint: str = parameter(
        '', "Model: a checkpoint folder, a LoRA adapter's, or a Hugging Face id.")
    base_checkpoint: str = parameter(
        '', 'Base of an adapter, where it is not where the adapter says.', applies='at once')
    device: str = parameter('auto', 'auto, cpu, cuda, cuda:1 ...')
    dtype: str = parameter(
        'auto', 'Type of the weights in memory.', choices=('auto', 'float32', 'bfloat16'))
    threads: int = parameter(0, 'CPU threads of the model; 0: all.', low=0, high=256)
    cameras: tuple = parameter(
        ('front', 'left', 'back', 'right'),
        'Names of the cameras; topics begin with them where no parameter says otherwise.')
    image_transport: str = parameter(
        'raw', 'Topic of the images: image_raw or image_raw/compressed.',
        choices=('raw', 'compressed'))
    pictures: str = parameter(
        'auto', 'Whether the images are raw or rectified; auto: by their topic and camera_info.',
        choices=PICTURES)
    reliability: str = parameter(
        'best_effort', 'QoS of the camera subscriptions.', choices=qos.RELIABILITIES)
    use_depth: bool = parameter(True, 'Listen to depth images: tells whether a target is hidden.')
    slop: float = parameter(
        0.05, 'Most seconds between the frames of one observation.', low=0.0, high=10.0)
    max_age: float = parameter(
        1.0, 'Frames older than this (s) are refused.', low=0.01, high=3600.0)
    base_frame: str = parameter('base_link', 'Frame of the robot; its origin is on the floor.')
    fixed_frame: str = parameter('odom', 'Frame that the robot moves in.')
    tf_tolerance: float = parameter(
        0.2, 'Seconds by which an image may be ahead of /tf.', low=0.0, high=10.0)
    imagined_frame_prefix: str = parameter(
        '', "Frames of the imagined cameras: this and 'view' or 'bev'; '': the node's namespace "
        "and 'imagined_', so that robots do not share them.")
    queue_limit: int = parameter(
        4, 'Requests that may wait while one runs; more are refused.', low=0, high=1000)
    max_question: int = parameter(
        4096, 'Most bytes of a question and its choices.', low=1, high=1_000_000,
        applies='at once')
    seed: int = parameter(42, 'Of everything random, where a request names none.', low=0,
                          high=2**62, applies='at once')
    steps: int = parameter(
        0, "Time points of an imagined image; 0: the checkpoint's own.", low=0, high=1000,
        applies='at once')
    max_tokens: int = parameter(
        0, "Longest text that the model may write; 0: the checkpoint's own.", low=0, high=100_000,
        applies='at once')
    temperature: float = parameter(
        0.0, 'Of the text; 0: always the likeliest.', low=0.0, high=2.0, applies='at once')
    confidence_samples: int = parameter(
        2, 'Further samples for the confidence of views and maps.', low=0, high=32,
        applies='at once')
    confidence_steps: int = parameter(
        8, 'Time points of these samples.', low=2, high=1000, applies='at once')
    map_size: float = parameter(
        8.0, 'Side (m) of the map that the checkpoint was trained on.', low=0.1, high=1000.0,
        applies='at once')
    path_map_size: float = parameter(
        6.0, 'Side (m) of the map on which the checkpoint was trained to see paths.', low=1.0,
        high=1000.0, applies='at once')
    preview_period: int = parameter(
        5, 'Steps from preview to preview in the feedback; 0: no previews.', low=0, high=1000,
        applies='at once')
    auto_mode_pet: str = parameter(
        '', "What mode 'auto' means for PET; '': what the checkpoint recommends, else imagine.",
        choices=_AUTO, name='auto_mode.pet', applies='at once')
    auto_mode_pt: str = parameter(
        '', "What mode 'auto' means for PT; '': what the checkpoint recommends, else imagine.",
        choices=_AUTO, name='auto_mode.pt', applies='at once')
    auto_mode_mvc: str = parameter(
        '', "What mode 'auto' means for MVC; '': what the checkpoint recommends, else imagine.",
        choices=_AUTO, name='auto_mode.mvc', applies='at once')
    auto_mode_free: str = parameter(
        '', "What mode 'auto' means otherwise; '': what the checkpoint recommends, else answer.",
        choices=_AUTO, name='auto_mode.free', applies='at once')
    bond_heartbeat_period: float = parameter(
        0.25, 'Seconds between heartbeats for a lifecycle manager that watches the node; 0: none.',
        low=0.0, high=60.0)
    autostart: bool = parameter(
        False, 'Configure and activate without a lifecycle manager.', applies='at start')
    hardware_id: str = parameter('', 'Name of the robot in /diagnostics.')

    def frame_prefix(self, namespace: str) -> str:
        """Return what the frames of imagined cameras begin with, for a node's namespace."""
        return self.imagined_frame_prefix or f"{namespace.rstrip('/')}/imagined_".lstrip('/')

    def camera_settings(
        self, of_cameras: Callable[[Iterable[str]], Mapping[str, CameraNames]] = lambda names: {},
    ) -> CameraSettings:
        """
        Return what the cameras need; raise ParameterError for names that are no use.

        of_cameras: returns the parameters of each camera of these names.
        """
        if not self.cameras or len(set(self.cameras)) != len(self.cameras) or not all(
                self.cameras):
            raise ParameterError(
                f"'cameras' must name one or more different cameras, got {list(self.cameras)}")
        for name in self.cameras:
            try:
                validate_topic_name(f'{name}/image_raw')
            except InvalidTopicNameException as error:
                raise ParameterError(
                    f"'cameras': '{name}' is no beginning of a topic name: {error}. Use letters, "
                    "digits, '_' and '/', and say with '<name>.driver' and '<name>.namespace' "
                    'where it publishes') from error
        topics = {name: own.topics(name) for name, own in of_cameras(self.cameras).items()}
        return CameraSettings(
            names=self.cameras, topics={name: own for name, own in topics.items() if own},
            transport=self.image_transport, pictures=self.pictures,
            reliability=self.reliability, depth=self.use_depth, slop=self.slop,
            max_age=self.max_age, base_frame=self.base_frame, fixed_frame=self.fixed_frame)

    def options(self) -> Options:
        """Return what the model's door needs."""
        return Options(
            seed=self.seed, steps=self.steps, max_tokens=self.max_tokens,
            temperature=self.temperature, confidence_samples=self.confidence_samples,
            confidence_steps=self.confidence_steps, map_size=self.map_size,
            path_map_size=self.path_map_size, max_question=self.max_question,
            auto_mode={'pet': self.auto_mode_pet, 'pt': self.auto_mode_pt,
                       'mvc': self.auto_mode_mvc, 'free': self.auto_mode_free})
