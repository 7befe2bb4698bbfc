# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
System prompts, tags and target texts, to the letter.

Published weights and data depend on every character here. Note that the think prompt says
``</image_end>`` while the texts that the model writes use ``<image_end>``: both are as
published. The tags are plain text, not special tokens.
"""

THINK_PROMPT = (
    "\nLet's think step by step to answer the question. For text-based thinking, enclose the "
    'process within <think> </think>, e.g. <think> thinking process here </think>. For visual '
    'thinking, enclose the content within <image_start> </image_end>, e.g. <image_start> '
    'thinking image here </image_end>. Finally conclude with the final answer wrapped in '
    '<answer></answer> tags, i.e.<answer> answer here </answer>.\n'
)

ANSWER_ONLY_PROMPT = (
    'Answer the question directly. Wrap your answer in <answer></answer> tags, i.e. <answer> '
    'answer here </answer>. Do not think or generate any images.'
)

IMAGE_START = '<image_start>'
IMAGE_END = '<image_end>'
ANSWER_START = '<answer>'


def answer_text(letter: str) -> str:
    """Target of the answer mode: the letter in its tags."""
    return f'{ANSWER_START}{letter}</answer>'


def before_image_text(think: str) -> str:
    """Target up to the imagined image: the thought, then the request for an image."""
    return f'<think>{think}</think>{IMAGE_START}'


def after_image_text(letter: str) -> str:
    """Target that follows the imagined image."""
    return f'{IMAGE_END}{answer_text(letter)}'


def reasoned_text(thought: str, letter: str) -> str:
    """Target of the text-CoT mode: the thought in its tags, then the answer."""
    return f'<think>{thought}</think>{answer_text(letter)}'
