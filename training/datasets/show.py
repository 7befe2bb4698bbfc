# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Examples of a data set as one web page to look at."""

from collections.abc import Sequence
from html import escape
import json
from pathlib import Path

from ipt_ros.spatial import Example, LETTERS, Question
from ipt_ros.spatial.chains import chain_of_thought, ChainError
from ipt_ros.webpage import document, figure, row
from ipt_training.datasets.reading import Shard
import numpy as np

_LEAD = (
    'Examples as a model gets them: pictures with their marks, a question, and with a dashed '
    'frame what it should imagine before it answers. The right answer is bold.')
# Said elsewhere on the page, or too long for it.
_NOT_SHOWN = ('questions', 'cameras', 'classes', 'think', 'objects', 'chain_of_thought')


def page(
    name: str, examples: Sequence[tuple[Shard, int, Example]], total: int,
) -> str:
    """Return the page as HTML. examples: (file, row, example); total: how many there are."""
    facts = {'data set': name, 'examples': str(total), 'shown': str(len(examples))}
    articles = '\n'.join(_article(*item) for item in examples)
    return document('A look into a data set', _LEAD, facts, articles)


def _article(shard: Shard, index: int, example: Example) -> str:
    scene = example.metadata.get('place') or example.metadata.get('scene', '')
    tags = [example.variant, shard.split, str(scene), f'{shard.path.name} row {index}']
    questions = '\n'.join(_question(example, question) for question in example.questions)
    return f"""<article>
<header><h2>{escape(example.task.upper())}</h2>
<span class="tag">{' &middot; '.join(escape(tag) for tag in tags if tag)}</span></header>
{_pictures(example)}
{questions}
{_details(example)}
</article>"""


def _pictures(example: Example) -> str:
    seen = [figure(image, f'input {number}', 'seen')
            for number, image in enumerate(example.images, 1)]
    if example.target is None:
        return row(seen)
    target = figure(example.target, example.think or 'to imagine', 'imagined')
    return row([*seen, target]) if len(seen) == 1 else row(seen) + row([target])


def _question(example: Example, question: Question) -> str:
    """Return the whole text as the model gets it, then what is right, and why."""
    text = '<br>'.join(escape(line) for line in question.text.splitlines())
    choices = ' &nbsp; '.join(
        f'<b>{letter}) {escape(choice)}</b>' if letter == question.answer else
        f'{letter}) {escape(choice)}' for letter, choice in zip(LETTERS, question.choices))
    truth = question.metadata.get('truth', '')
    answer = choices or f'<b>{escape(str(truth))}</b>'
    subtask = f' <span class="tag">{escape(question.subtask)}</span>' if question.subtask else ''
    return (f'<p class="question">{text}{subtask}</p>\n<p class="choices">{answer}</p>'
            + _folded('Chain of thought', _chain(example, question)))


def _chain(example: Example, question: Question) -> str:
    """Return the chain of thought that came with the data, else one from the scene, else ''."""
    given = example.metadata.get('chain_of_thought')
    if given:
        return given
    try:
        return chain_of_thought(example, question, np.random.default_rng(0)).thought
    except ChainError:
        return ''


def _details(example: Example) -> str:
    shown = {k: v for k, v in example.metadata.items() if k not in _NOT_SHOWN}
    return _folded('Metadata', json.dumps(shown, indent=1, ensure_ascii=False))


def _folded(title: str, text: str | None) -> str:
    if not text:
        return ''
    return (f'<details><summary>{escape(title)}</summary>'
            f'<pre>{escape(str(text))}</pre></details>\n')


def write_page(path: Path, html: str) -> None:
    """Write the page, making its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(html, encoding='utf-8')
