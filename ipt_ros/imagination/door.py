# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The class that serves requests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
import math
from pathlib import Path
from typing import TYPE_CHECKING

from ipt_ros.geometry import (
    compose,
    OPTICAL_IN_BODY,
    PinholeCamera,
    Pose2D,
    rotation_from_yaw_pitch,
)
from ipt_ros.imagination.data import (
    AskRequest,
    AUTO_MODE,
    BevRequest,
    Grid,
    Imagined,
    Options,
    Progress,
    Request,
    Result,
    View,
)
from ipt_ros.imagination.looking import heading
from ipt_ros.imagination.maps import MapWindow
from ipt_ros.imagination.prepare import prepare, Prepared
from ipt_ros.imagination.recommended import recommended_modes
from ipt_ros.spatial.imagined import agreement
import numpy as np

if TYPE_CHECKING:
    from ipt_ros.bagel.source import Source
    import torch


def placement(device: str = 'auto', dtype: str = 'auto') -> 'tuple[str, torch.dtype]':
    """Return the device and type that stand behind the names; see `from_checkpoint`."""
    import torch
    if device == 'auto':
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    if dtype == 'auto':
        dtype = 'bfloat16' if device.startswith('cuda') else 'float32'
    return device, getattr(torch, dtype)


def name_of(source: 'Source') -> str:
    """Return how answers name a model: by its folder, with the run's where that is `adapter`."""
    folder = Path(source.name)
    if not folder.is_dir():
        return source.name
    folder = folder.resolve()
    if source.adapter is not None and folder.name == 'adapter':
        return f'{folder.parent.name}/adapter'
    return folder.name


class Imagination:
    """
    Serves requests with one model, one at a time.

    Every request goes two steps: `prepare` checks it against the cameras' views (quick, without
    the model) and `run` computes; `ask` does both.
    """

    def __init__(self, model, model_id: str, options: Options | None = None,
                 recommended: Mapping[str, str] | None = None):
        """
        Serve with a loaded `ipt_ros.bagel.Bagel`, which answers name by `model_id`.

        recommended: the mode that 'auto' stands for by task, where the options do not say.
        """
        self._model = model
        self._recommended = dict(recommended or {})
        self.model_id = model_id
        options = options or Options()
        chosen = {task: mode for task, mode in options.auto_mode.items() if mode}
        self.options = replace(
            options, auto_mode={**AUTO_MODE, **self._recommended, **chosen})

    @classmethod
    def from_checkpoint(cls, source: 'str | Path | Source', device: str = 'auto',
                        dtype: str = 'auto', options: Options | None = None, base: str = '',
                        beside: 'Imagination | None' = None) -> 'Imagination':
        """
        Load a checkpoint folder, that of a LoRA adapter, or a Hugging Face id.

        device: 'auto' (a GPU if there is one), 'cpu', 'cuda', 'cuda:1' ... dtype: 'auto' (bfloat16
        on a GPU, float32 otherwise), 'float32' or 'bfloat16'. base: where else the base of an
        adapter may be. beside: one whose model shares the tensors that are the same in both.
        The model is tried before it is returned, see `ipt_ros.bagel.trial`. Raises
        ipt_ros.bagel.BagelError.
        """
        # torch takes seconds to import: who only needs the types of this package does not pay.
        from ipt_ros.bagel import Bagel
        from ipt_ros.bagel.source import find, Source
        from ipt_ros.bagel.trial import try_out
        where, kind = placement(device, dtype)
        if not isinstance(source, Source):
            source = find(source, base)
        model = Bagel.from_checkpoint(
            source, device=where, dtype=kind, beside=beside and beside.model)
        try_out(model)
        return cls(model, name_of(source), options, recommended_modes(source))

    @property
    def model(self):
        """Return the loaded `ipt_ros.bagel.Bagel`, for what no request covers."""
        return self._model

    def with_options(self, options: Options) -> 'Imagination':
        """Return one that serves with the same model and other options."""
        return Imagination(self._model, self.model_id, options, self._recommended)

    def prepare(self, views: Sequence[View], request: Request) -> Prepared:
        """
        Check a request; views are the frames of one moment, in the order of configuration.

        Raises ImaginationError.
        """
        return prepare(views, request, self.options)

    def ask(self, views: Sequence[View], request: Request,
            on_progress: Callable[[Progress], None] | None = None,
            cancelled: Callable[[], bool] | None = None) -> Result:
        """Prepare and run."""
        return self.run(self.prepare(views, request), on_progress, cancelled)

    def run(self, prepared: Prepared,
            on_progress: Callable[[Progress], None] | None = None,
            cancelled: Callable[[], bool] | None = None) -> Result:
        """
        Let the model work on a checked request.

        on_progress is called on the way; when cancelled() turns true, the work stops at the next
        token or flow step with ImaginationError (Code.CANCELLED).
        """
        from ipt_ros.imagination.model_run import ModelRun
        request = prepared.request
        seed = self.options.seed if request.seed is None else request.seed
        run = ModelRun(self._model, self.options, seed, on_progress, cancelled)
        answer, grid = None, None
        if isinstance(request, AskRequest):
            answer, pictures = run.answer(prepared)
            imagined = tuple(self._placed(prepared, picture)[0] for picture in pictures)
        else:
            pictures = run.imagine(prepared)
            placed, grid = self._placed(prepared, *pictures)
            imagined = (replace(placed, confidence=agreement(pictures[0], pictures[1:])),)
        return Result(
            seed=seed, cameras=tuple(view.name for view in prepared.views),
            inputs=prepared.images, answer=answer, imagined=imagined, grid=grid,
            note=prepared.note, phases=run.phases)

    def _placed(self, prepared: Prepared, picture: np.ndarray,
                *others: np.ndarray) -> tuple[Imagined, Grid | None]:
        """Say where an imagined picture would have been taken, as far as that is known."""
        if prepared.task.imagination == 'bev':
            return self._map(prepared, picture, others)
        if prepared.side_pose is not None:
            return self._side_view(prepared.side_pose, picture), None
        if prepared.task.imagination == 'view' and prepared.turn:
            return self._view(prepared, picture), None
        return Imagined(prepared.task.imagination or 'view', picture), None

    def _view(self, prepared: Prepared, picture: np.ndarray) -> Imagined:
        """Place the picture above the target: height and tilt of the camera that was turned."""
        view = prepared.views[0]
        turn = rotation_from_yaw_pitch(math.radians(90 if prepared.turn == 'left' else -90))
        target = prepared.request.target
        position = (target[0], target[1], view.base_from_optical[2, 3])
        camera = view.camera.resized(picture.shape[1], picture.shape[0])
        return Imagined('view', picture, camera,
                        compose(turn @ view.base_from_optical[:3, :3], position))

    def _side_view(self, pose: Pose2D, picture: np.ndarray) -> Imagined:
        """Place the picture beside a path, taken by a camera as in training."""
        height, width = picture.shape[:2]
        return Imagined(
            'view', picture, PinholeCamera.from_hfov(width, height, self.options.side_view_hfov),
            pose.matrix @ compose(OPTICAL_IN_BODY, (0.0, 0.0, self.options.side_view_height)))

    def _map(self, prepared: Prepared, picture: np.ndarray,
             others: Sequence[np.ndarray]) -> tuple[Imagined, Grid | None]:
        """Place a map around the robot; a request for a map gets the part that it asked for."""
        first = prepared.views[0]
        if first.base_from_optical is None:
            return Imagined('bev', picture), None
        asked = isinstance(prepared.request, BevRequest)
        request = prepared.request if asked else BevRequest()
        window = MapWindow(request, self.options.map_size, picture.shape[0], heading(first))
        cut = window.picture(picture) if asked else picture
        grid = window.grid([picture, *others]) if asked else None
        return Imagined('bev', cut, window.camera, window.base_from_optical), grid
