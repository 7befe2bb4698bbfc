# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The texts that published weights depend on, to the letter."""

import hashlib

from ipt_ros.spatial import prompts


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def test_system_prompts_are_unchanged():
    # Digests of the published texts, so that a slip of the editor shows.
    assert digest(prompts.THINK_PROMPT) == '85c1385d54725046'
    assert digest(prompts.ANSWER_ONLY_PROMPT) == '092da9b4455c3506'


def test_think_prompt_is_framed_by_newlines_and_names_the_slashed_tag():
    assert prompts.THINK_PROMPT.startswith("\nLet's think")
    assert prompts.THINK_PROMPT.endswith('</answer>.\n')
    assert '<image_start> thinking image here </image_end>' in prompts.THINK_PROMPT


def test_target_texts():
    assert prompts.before_image_text('Look.') == '<think>Look.</think><image_start>'
    assert prompts.after_image_text('B') == '<image_end><answer>B</answer>'
    assert prompts.answer_text('B') == '<answer>B</answer>'
