# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The sizes of an IPT-BAGEL model, and how it is sampled by default.

A checkpoint folder states them in three JSON files: `llm_config.json` (Qwen2), `vit_config.json`
(SigLIP) and, for everything else, `bagel.json`. Published folders have no `bagel.json`; the
defaults below are those of the published 7B. `config.json` is never read: the published one is
not valid JSON.
"""

from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
import json
from pathlib import Path
from typing import Any, get_args

from .errors import ConfigError
from .foreign_configs import llm_settings, vit_settings
from .json_files import read_object
from .setting_types import fits, hint, in_words

RENORMS = ('global', 'channel', 'text_channel')


@dataclass(frozen=True)
class LlmConfig:
    """Qwen2 decoder; every layer holds an understanding and a generation expert."""

    vocab_size: int = 152064
    hidden_size: int = 3584
    intermediate_size: int = 18944
    num_hidden_layers: int = 28
    num_attention_heads: int = 28
    num_key_value_heads: int = 4
    max_position_embeddings: int = 32768
    rms_norm_eps: float = 1e-6
    rope_theta: float = 1e6
    initializer_range: float = 0.02

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.num_attention_heads


@dataclass(frozen=True)
class VitConfig:
    """SigLIP vision tower. The model uses ONE LAYER FEWER than the file says; see `layers`."""

    hidden_size: int = 1152
    intermediate_size: int = 4304
    num_hidden_layers: int = 27
    num_attention_heads: int = 16
    num_channels: int = 3
    image_size: int = 980
    patch_size: int = 14
    hidden_act: str = 'gelu_pytorch_tanh'
    layer_norm_eps: float = 1e-6

    @property
    def layers(self) -> int:
        return self.num_hidden_layers - 1

    @property
    def num_positions(self) -> int:
        return (self.image_size // self.patch_size) ** 2


@dataclass(frozen=True)
class VaeConfig:
    """
    FLUX autoencoder. A latent that the model sees is scale_factor * (z - shift_factor).

    `norm_groups`: groups of its normalisation, 32 in the original. With few channels that would
    be one channel a group, which takes the picture's own brightness and colour away.
    """

    in_channels: int = 3
    out_ch: int = 3
    ch: int = 128
    ch_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    z_channels: int = 16
    norm_groups: int = 32
    scale_factor: float = 0.3611
    shift_factor: float = 0.1159

    @property
    def downsample(self) -> int:
        return 2 ** (len(self.ch_mult) - 1)


@dataclass(frozen=True)
class ResizeRule:
    """Longest side at most `max_side`, shortest at least `min_side`, multiples of `stride`."""

    max_side: int
    min_side: int
    stride: int


@dataclass(frozen=True)
class Guidance:
    """
    Classifier-free guidance of the flow.

    A scale of 1 or less switches that branch off. `interval` is the (low, high] range of the time
    t in which guidance acts. `renorm` says how the guided velocity is held to the plain one's
    length: over the whole image ('global'), per token ('channel'), or per token on the text term
    alone ('text_channel'); it is never scaled below `renorm_min`.
    """

    text: float = 4.0
    image: float = 2.0
    interval: tuple[float, float] = (0.0, 1.0)
    renorm: str = 'text_channel'
    renorm_min: float = 0.0

    def __post_init__(self):
        if self.renorm not in RENORMS:
            raise ConfigError(f'guidance renorm must be one of {RENORMS}, got {self.renorm!r}')


@dataclass(frozen=True)
class Sampling:
    """
    How imagined images and texts are drawn, unless a caller says otherwise.

    `steps` counts time points, as the reference does: N points are N - 1 Euler steps.
    `image_size` is (height, width) in pixels; None takes the size of the last resized input.
    """

    steps: int = 50
    shift: float = 3.0
    guidance: Guidance = field(default_factory=Guidance)
    image_size: tuple[int, int] | None = (1024, 1024)
    max_images: int = 1
    max_tokens: int = 4096
    temperature: float = 0.3


@dataclass(frozen=True)
class BagelConfig:
    """Everything that decides the shape and the defaults of a model."""

    llm: LlmConfig = field(default_factory=LlmConfig)
    vit: VitConfig = field(default_factory=VitConfig)
    vae: VaeConfig = field(default_factory=VaeConfig)
    latent_patch_size: int = 2
    max_latent_size: int = 64
    vit_max_num_patch_per_side: int = 70
    connector_act: str = 'gelu_pytorch_tanh'
    timestep_shift: float = 1.0
    vae_transform: ResizeRule = ResizeRule(1024, 512, 16)
    vit_transform: ResizeRule = ResizeRule(980, 224, 14)
    # Of imagined images, before the encoder sees them, too; None: those of `vae_transform`.
    imagined_transform: ResizeRule | None = None
    # Several input images are shrunk to this longest side first; None leaves them alone.
    multi_image_max: int | None = 512
    sampling: Sampling = field(default_factory=Sampling)

    def __post_init__(self):
        if self.llm.hidden_size % self.llm.num_attention_heads:
            raise ConfigError(
                f'llm hidden_size {self.llm.hidden_size} is not a multiple of '
                f'num_attention_heads {self.llm.num_attention_heads}')
        if self.llm.num_attention_heads % self.llm.num_key_value_heads:
            raise ConfigError(
                f'llm num_attention_heads {self.llm.num_attention_heads} is not a multiple of '
                f'num_key_value_heads {self.llm.num_key_value_heads}')
        if self.vae.ch_mult[0] != 1:
            raise ConfigError(f'vae ch_mult must begin with 1, got {self.vae.ch_mult}')
        if self.llm.hidden_size % 4:
            raise ConfigError(f'llm hidden_size must be a multiple of 4 for the sin-cos tables, '
                              f'got {self.llm.hidden_size}')
        for name, rule, stride in (
            ('vae_transform', self.vae_transform, self.latent_stride),
            ('vit_transform', self.vit_transform, self.vit.patch_size),
            ('imagined_transform', self.imagined_transform, self.latent_stride),
        ):
            if rule is not None and rule.stride % stride:
                raise ConfigError(
                    f'{name}.stride {rule.stride} must be a multiple of the patch, {stride} px')

    @property
    def latent_stride(self) -> int:
        """Pixels along one side of a generation token."""
        return self.vae.downsample * self.latent_patch_size

    @property
    def latent_dim(self) -> int:
        """Numbers in a generation token."""
        return self.latent_patch_size ** 2 * self.vae.z_channels

    def latent_rule(self, imagined: bool) -> ResizeRule:
        """Return the rule for images that are read as latents: given ones, or imagined ones."""
        return imagined and self.imagined_transform or self.vae_transform

    @classmethod
    def from_folder(cls, folder: str | Path, adapter: str | Path | None = None,
                    **overrides: Any) -> 'BagelConfig':
        """
        Read the JSON files of a checkpoint folder.

        If an `adapter` folder has a `bagel.json`, that one counts. `overrides` replace fields of
        the result, after `bagel.json`; nested ones may be given as dicts. Raises ConfigError.
        """
        folder = Path(folder)
        files = [Path(place) / 'bagel.json' for place in (adapter, folder) if place is not None]
        extras = next(
            (read_object(path, ConfigError) for path in files if path.exists()), {})
        return from_dict(cls, {
            **extras,
            'llm': _known(LlmConfig, llm_settings(folder / 'llm_config.json')),
            'vit': _known(VitConfig, vit_settings(folder / 'vit_config.json')),
            **overrides,
        })

    def save(self, folder: str | Path) -> None:
        """Write the three JSON files that `from_folder` reads."""
        folder = Path(folder)
        extras = asdict(self)
        llm = {'model_type': 'qwen2', 'tie_word_embeddings': False, **extras['llm']}
        vit = {'model_type': 'siglip_vision_model', **extras['vit']}
        for name, content in (('llm_config', llm), ('vit_config', vit)):
            (folder / f'{name}.json').write_text(json.dumps(content, indent=1) + '\n')
        self.save_extras(folder)

    def save_extras(self, folder: str | Path) -> None:
        """Write `bagel.json` alone: what an adapter may have other than its base."""
        extras = asdict(self)
        del extras['llm'], extras['vit']
        (Path(folder) / 'bagel.json').write_text(json.dumps(extras, indent=1) + '\n')

    def replace(self, **changes: Any) -> 'BagelConfig':
        return replace(self, **changes)


def from_dict(cls: type, values: Any) -> Any:
    """
    Build a (nested) configuration dataclass.

    Raises ConfigError: unknown or missing names, values of another type.
    """
    if isinstance(values, cls):
        return values
    if cls is ResizeRule and isinstance(values, (list, tuple)):
        values = dict(zip(('max_side', 'min_side', 'stride'), values))
    if not isinstance(values, dict):
        raise ConfigError(f'{cls.__name__}: expected an object of settings, got '
                          f'{values!r:.60}')
    by_name = {f.name: f for f in fields(cls)}
    unknown = sorted(map(str, set(values) - set(by_name)))
    if unknown:
        raise ConfigError(f'{cls.__name__}: unknown settings {unknown}; known: {sorted(by_name)}')
    built = {}
    for name, value in values.items():
        kind = by_name[name].type
        nested = [one for one in (kind, *get_args(kind)) if is_dataclass(one)]
        if nested and (value is not None or nested == [kind]):
            value = from_dict(nested[0], value)
        elif not fits(kind, value):
            raise ConfigError(f'{cls.__name__}: {name} is {value!r:.60}; give {in_words(kind)}'
                              f'{hint(value, kind)}')
        elif isinstance(value, list):
            value = tuple(value)
        built[name] = value
    try:
        return cls(**built)
    except TypeError as error:
        raise ConfigError(f'{cls.__name__}: {error}') from error


def _known(cls: type, values: dict) -> dict:
    """Keep what we use of a Hugging Face configuration file, which holds much more."""
    names = {f.name for f in fields(cls)}
    return {name: value for name, value in values.items() if name in names}
