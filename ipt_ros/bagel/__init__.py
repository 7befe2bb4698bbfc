# SPDX-License-Identifier: Apache-2.0
"""IPT-BAGEL in plain PyTorch: reads text and images, imagines images, answers."""

from .config import BagelConfig, Guidance, LlmConfig, ResizeRule, Sampling, VaeConfig, VitConfig
from .context import Context
from .errors import BagelError, Cancelled, CheckpointError, ConfigError, InputError
from .flow import sample_image
from .loss import Loss
from .model import Bagel
from .packing import Batch, Dropout, ImageSegment, pack, TextSegment
from .precision import fast_dtype
from .reasoning import Event, imagine, Prompt, read_prompt, reason, Reasoning
from .text import generate_text, score_texts, TextResult
from .tokenizer import Tokenizer
from .vae import Vae

__all__ = [
    'Bagel', 'BagelConfig', 'BagelError', 'Batch', 'Cancelled', 'CheckpointError', 'ConfigError',
    'Context', 'Dropout', 'Event', 'Guidance', 'ImageSegment', 'InputError', 'LlmConfig', 'Loss',
    'Prompt', 'Reasoning', 'ResizeRule', 'Sampling', 'TextResult', 'TextSegment', 'Tokenizer',
    'Vae', 'VaeConfig', 'VitConfig', 'fast_dtype', 'generate_text', 'imagine', 'pack',
    'read_prompt', 'reason', 'sample_image', 'score_texts',
]
