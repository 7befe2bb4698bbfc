# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Check examples once more, by other means than those that made them.

In the spirit of TIFA (Hu et al. 2023, arXiv 2303.11897), which asks a vision-language model if a
picture shows what a text says. Here the truth of the simulator answers: class and depth of every
pixel, and where the objects are. What is asked: is the evidence for the answer in the
imagination, and that for a wrong answer not; are the marks to be seen; can one context view alone
give the answer away; and does the answer, worked out again from pixels and geometry, agree.

Works on generated examples and on stored ones alike. A rule that needs what an example does not
carry (a robot's own pictures have no truth a pixel) does not judge it, see `unjudged`.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from ipt_ros.spatial import Example, LETTERS, Question, TASKS
from ipt_training.verification.counting import COUNTING_RULES
from ipt_training.verification.evidence import Evidence
from ipt_training.verification.path_tracing import PATH_TRACING_RULES
from ipt_training.verification.perspective import PERSPECTIVE_RULES

# True: holds. False: broken. None: the example does not carry what it takes to say.
Rule = Callable[[Evidence, Question], bool | None]


def _has_one_right_choice(evidence: Evidence, question: Question) -> bool | None:
    if not question.answer:
        return None
    task = TASKS[evidence.example.task]
    choices = question.choices
    return (
        question.answer in LETTERS[:len(choices)]
        and len({choice.strip().casefold() for choice in choices}) == len(choices)
        and question.text.endswith(task.format_question('', choices))
    )


RULES: dict[str, dict[str, Rule]] = {
    task: {'choices do not hold one right answer': _has_one_right_choice, **rules}
    for task, rules in (
        ('pet', PERSPECTIVE_RULES),
        ('mvc', COUNTING_RULES),
        ('pt', PATH_TRACING_RULES),
    )
}


def verify_example(example: Example) -> list[str]:
    """
    Return the names of the rules that an example breaks, by any of its questions; empty: fine.

    Names say what is wrong; each is given once, in the order of the rules. Examples of tasks
    without rules pass.
    """
    return _broken(example, example.questions)


def keep_fair(example: Example, failed: Counter) -> Example | None:
    """
    Return the example with the questions that pass, or None where its first one does not.

    Data sets are balanced by first questions, so another one cannot take its place. ``failed``
    counts questions by rule, as 'pet: verification: mark is not seen'.
    """
    kept = []
    for question in example.questions:
        broken = _broken(example, [question])
        failed.update(f'{example.task}: verification: {rule}' for rule in broken)
        if not broken:
            kept.append(question)
        elif not kept:
            return None
    return example if len(kept) == len(example.questions) else replace(example, questions=kept)


def unjudged(example: Example) -> list[str]:
    """Return the rules that cannot judge an example for want of what they need."""
    evidence = Evidence.of(example)
    return [
        name for name, rule in RULES.get(example.task, {}).items()
        if all(_verdict(rule, evidence, question) is None for question in example.questions)
    ]


def _broken(example: Example, questions: Sequence[Question]) -> list[str]:
    evidence = Evidence.of(example)
    return [
        name for name, rule in RULES.get(example.task, {}).items()
        if any(_verdict(rule, evidence, question) is False for question in questions)
    ]


def _verdict(rule: Rule, evidence: Evidence, question: Question) -> bool | None:
    try:
        verdict = rule(evidence, question)
    except KeyError:  # of metadata that other makers of examples do not write
        return None
    return None if verdict is None else bool(verdict)


__all__ = ['RULES', 'Evidence', 'Rule', 'keep_fair', 'unjudged', 'verify_example']
