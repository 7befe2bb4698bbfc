# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""IPT-BAGEL in plain PyTorch: reads text and images, imagines images, answers."""

from .config import BagelConfig, Guidance, LlmConfig, ResizeRule, Sampling, VaeConfig, VitConfig
from .context import Context, ContextBatch
from .errors import (
    BagelError,
    Cancelled,
    CheckpointError,
    ConfigError,
    InputError,
    NoCheckpointError,
)
from .flow import sample_image, sample_images
from .loss import Loss
from .model import Bagel
from .packing import Batch, Dropout, ImageSegment, pack, TextSegment
from .precision import fast_dtype
from .reasoning import (
    Event,
    imagine,
    imagine_together,
    Prompt,
    PromptBatch,
    read_prompt,
    read_prompts,
    reason,
    reason_together,
    Reasoning,
)
from .text import generate_text, generate_texts, score_each, score_texts, TextResult
from .tokenizer import Tokenizer
from .vae import Vae

__all__ = [
    'Bagel', 'BagelConfig', 'BagelError', 'Batch', 'Cancelled', 'CheckpointError', 'ConfigError',
    'Context', 'ContextBatch', 'Dropout', 'Event', 'Guidance', 'ImageSegment', 'InputError',
    'LlmConfig', 'Loss', 'NoCheckpointError', 'Prompt', 'PromptBatch', 'Reasoning', 'ResizeRule',
    'Sampling', 'TextResult', 'TextSegment', 'Tokenizer', 'Vae', 'VaeConfig', 'VitConfig',
    'fast_dtype', 'generate_text', 'generate_texts', 'imagine', 'imagine_together', 'pack',
    'read_prompt', 'read_prompts', 'reason', 'reason_together', 'sample_image', 'sample_images',
    'score_each', 'score_texts',
]
