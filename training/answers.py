# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which of its choices the answer of a row stands for."""

from collections.abc import Sequence
import re

from ipt_ros.spatial import LETTERS
from ipt_ros.spatial.answers import extract_answer, letter_of_choice

_ARTICLE = re.compile(r'(?:the|an?)\s+')
# The last resort in what a model writes; a truth is not guessed.
_GUESSED = ('bare letter', 'none')


class AnswerError(ValueError):
    """An answer that stands for none of the choices, or for two; says it in a few words."""


def answer_letter(text: str, choices: Sequence[str]) -> str:
    """
    Return the letter of the choice that is said to be right.

    What is accepted is what `extract_answer` finds in a model's answer: 'b', '(B)', 'B. 2',
    'Answer: B', or the text of a choice. Raise AnswerError where nothing is found, where what
    stands beside the letter is not its choice ('B. 3' where B is 2), and where another choice is
    the same as the right one.
    """
    said = text.strip()
    found = extract_answer(f'<answer>{said}</answer>', choices)
    if found.rule in _GUESSED:
        raise AnswerError('none of the choices')
    alike = [_plain(choice) for choice in choices]
    own = alike[LETTERS.index(found.letter)]
    if alike.count(own) > 1:
        raise AnswerError('the right choice is there twice')
    if not letter_of_choice(said, choices):
        _check_agrees(said, found.letter, own, alike)
    return found.letter


def _check_agrees(said: str, letter: str, own: str, choices: Sequence[str]) -> None:
    """Raise AnswerError where the words beside a letter are not those of its choice."""
    mark = re.search(rf'(?<![^\W_]){letter}(?![^\W_])(.?)(.*)', said, re.IGNORECASE | re.DOTALL)
    beside = _plain(mark[2]) if mark else ''
    if not beside:
        return
    named = [choice for choice in choices if _holds(beside, choice)]
    if own in named and (beside == own or beside not in choices):
        return
    # A few words beside a letter are meant as a choice; many are an explanation. And 'A' before a
    # blank is an article.
    longest = max(len(choice.split()) for choice in choices)
    if named or mark[1].isspace() or len(beside.split()) <= longest + 1:
        raise AnswerError('letter and words of different choices')


def _holds(text: str, choice: str) -> bool:
    return re.search(rf'(?<!\w){re.escape(choice)}(?!\w|\.\d)', text) is not None


def _plain(text: str) -> str:
    """Return a choice as it is compared: without case, article and marks around it."""
    return _ARTICLE.sub('', text.casefold().strip(' \t\n.:,;()*{}"\''), count=1)
