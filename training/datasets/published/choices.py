# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Choices: found in the text of a question, or made for a counted number."""

from collections.abc import Callable, Sequence
from itertools import pairwise
import random
import re

from ipt_ros.spatial import LETTERS
from ipt_ros.spatial.tasks.base import lettered_lines

# A line each: '(A) Closer', 'B) Further', 'C. left'.
_LINES = re.compile(r'^[ \t]*\(?([A-Z])[).][ \t]+(.+?)[ \t]*$', re.MULTILINE)
# In the sentence: 'A) 1 B) 2 C) 3 D) 4'. The last one ends with its line.
_INLINE = re.compile(
    r'(?<![\w(])([A-Z])\)\s*((?s:.+?)(?=\s+[A-Z]\))|.+?(?=[ \t]*(?:\n|$)))')

# What may stand between a list and the same once more.
_HEADING = re.compile(
    r'\W*(?:(?:the )?(?:answer )?(?:options|choices)(?: are)?)?\W*', re.IGNORECASE)
# Either of the two kinds of choices.
_MARKS = re.compile(r'^[ \t]*\(?([A-Z])[).](?=[ \t])|(?<![\w(])([A-Z])\)', re.MULTILINE)


def choices_in(text: str) -> list[str]:
    """
    Return the choices that a question lists, ordered by letter; [] where it lists none.

    They count as such only when their letters are A, B and so on without a gap, in any order.
    """
    for pattern in (_LINES, _INLINE):
        found = dict(pattern.findall(text))
        if len(found) >= 2 and sorted(found) == list(LETTERS[:len(found)]):
            return [found[letter] for letter in sorted(found)]
    return []


def asks_again(text: str) -> bool:
    """
    Tell whether a text that lists choices asks more than one question.

    That is so where it lists other choices for the same letters, or goes on with a question. The
    same list once more, as of a prompt that repeats it below the word 'Options', is none.
    """
    marks = [*_MARKS.finditer(text), None]
    found: dict[str, str] = {}
    choice = ''
    for mark, after in pairwise(marks):
        choice = text[mark.end():after.start() if after else len(text)].strip()
        before = found.setdefault(mark[1] or mark[2], choice)
        again = choice.partition('\n')[0]
        if before is not choice and not (
                before.startswith(again) and _HEADING.fullmatch(before[len(again):])):
            return True
    return len(found) > 1 and re.search(r'\s.*\?', choice, re.DOTALL) is not None


def number_choices(count: int, row: int, highest: int | None = None) -> list[str]:
    """
    Return four numbers in a drawn order: ``count`` and three others within 3 of it, none below 1.

    The same row always gets the same, by the published rule: seed 42 + ``row``. ``highest``
    bounds the numbers, unless the count itself is beyond. Raise ValueError for a count below 0.
    """
    if count < 0:
        raise ValueError(f'a count is 0 or more, got {count}')
    top = count + 3 if highest is None else max(count, min(highest, count + 3))
    rng = random.Random(42 + row)
    others = [n for n in range(max(1, count - 3), top + 1) if n != count]
    numbers = [*rng.sample(others, 3), count]
    rng.shuffle(numbers)
    return [str(number) for number in numbers]


def with_choices(
    text: str,
    choices: Sequence[str],
    append: Callable[[str, Sequence[str]], str] = lettered_lines,
) -> str:
    """Return a question with its choices: appended, unless it lists them already."""
    return text if choices_in(text) else append(text, choices)
