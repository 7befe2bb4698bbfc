# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""From what the model wrote to a letter, and from log-probabilities to a confidence."""

from collections.abc import Sequence
from dataclasses import dataclass
import math
import re

from ipt_ros.spatial.examples import LETTERS
from ipt_ros.spatial.prompts import ANSWER_START, answer_text, IMAGE_END

# In the order of the published evaluation; the first rule that yields a valid letter wins.
# A tag may hold a letter with decoration ('B', '(B)', 'B. left') or, see below, an option's text.
_TAGGED = re.compile(r'<answer>\s*(.*?)\s*(?:</answer>|</>|$)', re.IGNORECASE | re.DOTALL)
# A small letter before a word is an article: 'a chair'.
_LETTER_LED = re.compile(
    r'\(?([A-Z])\)?(?:[.):,\s].*)?|\(?([a-z])(?:\).*|[.:,].*)?', re.DOTALL)
_CONCLUDED = r'\s*\**\(?((?-i:[A-Z])\b|[a-z]\b(?!\s+[a-z]))\)?'
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    ('broken tag', re.compile(r'>\s*\(?([A-Za-z])\)?\s*</answer>', re.IGNORECASE)),
    ('boxed', re.compile(r'\\boxed\{\s*(?:\\text\{)?\s*\(?([A-Za-z])\)?\s*\}')),
    ('answer is', re.compile(r'\banswer\s+is:?' + _CONCLUDED, re.IGNORECASE)),
    ('answer colon', re.compile(r'\banswer\s*:' + _CONCLUDED, re.IGNORECASE)),
    ('leading', re.compile(r'^\s*\(?([A-Z])[.):]')),
    ('bold', re.compile(r'\*\*\s*\(?([A-Z])\)?[.:]?\s*\*\*')),
    ('last line', re.compile(r'(?:^|\n)\s*\(?([A-Za-z])\)?[.:]?\s*$')),
    # The article "A" opens many sentences, so a bare letter is the rule of last resort.
    ('bare letter', re.compile(r'(?<![A-Za-z\'<])([A-Z])(?![A-Za-z\'>])')),
)


@dataclass(frozen=True)
class Extraction:
    """The letter that was found ('' if none) and the name of the rule that found it."""

    letter: str
    rule: str


def extract_answer(text: str, choices: Sequence[str]) -> Extraction:
    """
    Find the chosen letter in the model's text.

    Only letters that belong to one of ``choices`` count. Where the answer tag holds the text of
    a choice in place of its letter, that choice's letter is returned. Within one rule the last
    match wins, since models conclude at the end.
    """
    valid = LETTERS[:len(choices)]
    for content in reversed(_TAGGED.findall(text)):
        match = _LETTER_LED.fullmatch(content)
        led = (match[1] or match[2]).upper() if match else ''
        letter = letter_of_choice(content, choices)
        # 'A chair' may be the text of a choice; 'A' alone is a letter, whatever the choices.
        if letter and len(content) > 1:
            return Extraction(letter, 'answer tag, option text')
        if led and led in valid:
            return Extraction(led, 'answer tag')
        if letter:
            return Extraction(letter, 'answer tag, option text')
    for name, pattern in _RULES:
        for letter in reversed(pattern.findall(text)):
            if letter.upper() in valid:
                return Extraction(letter.upper(), name)
    letter = letter_of_choice(text, choices)
    return Extraction(letter, 'option text' if letter else 'none')


def letter_of_choice(text: str, choices: Sequence[str]) -> str:
    """Return the letter of the choice that ``text`` spells out (case aside), or ''."""
    wanted = text.strip().rstrip('.').casefold()
    for letter, choice in zip(LETTERS, choices, strict=False):
        if wanted == choice.strip().casefold():
            return letter
    return ''


def answers_like(written: str, choices: Sequence[str], after_image: bool = False) -> list[str]:
    """
    Return what the model would have written for each of the choices, to score with the model.

    What stands before the answer in the ``written`` text, a thought for instance, is taken as
    given. But what was read off an image names what was chosen: for another choice that one
    stands there, so that a model which reads aloud is as doubtful as it was when it read.
    """
    before, tag, _ = written.rpartition(ANSWER_START)
    if not tag:
        before = IMAGE_END if after_image else ''
    thought, end, reading = before.rpartition(IMAGE_END)
    letter = extract_answer(written, choices).letter if end else ''
    said = rf'(?<!\w){re.escape(choices[LETTERS.index(letter)])}(?!\w)' if letter else '(?!)'
    return [thought + end + re.sub(said, lambda _, name=choice: name, reading) + answer_text(own)
            for own, choice in zip(LETTERS, choices, strict=False)]


def choice_probabilities(logprobs: Sequence[float]) -> list[float]:
    """
    Normalise log-probabilities of the tagged answers to probabilities over the choices.

    Raise ValueError when there is none or all are -inf or one is NaN: a confidence made from
    nothing would be a lie.
    """
    if not logprobs or any(math.isnan(value) for value in logprobs):
        raise ValueError(f'need one log-probability a choice, none of them NaN; got {logprobs}')
    top = max(logprobs)
    if top == -math.inf:
        raise ValueError('every choice has probability zero')
    weights = [math.exp(value - top) for value in logprobs]
    return [weight / sum(weights) for weight in weights]


def choose(logprobs: Sequence[float]) -> tuple[str, float]:
    """Return the most likely letter and its probability among the choices (the confidence)."""
    probabilities = choice_probabilities(logprobs)
    best = max(range(len(logprobs)), key=logprobs.__getitem__)
    return LETTERS[best], probabilities[best]
