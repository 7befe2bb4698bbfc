# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The outcomes of the demo as one web page."""

from collections.abc import Mapping, Sequence
from html import escape
import math

from ipt_ros.demo.record import Outcome
from ipt_ros.webpage import document, figure, row

_LEAD = (
    'A simulated robot with four cameras was asked about space that it cannot see, over ROS 2. '
    'Pictures with a dashed frame were never measured: the model imagined them, then used them to '
    'answer. The true picture comes from the simulator.')
_FOOTER = (
    'The rooms were not part of the training data. The model is small and makes mistakes; how '
    'often, on hundreds of questions, is in the README.')
_TASKS = {
    'mvc': 'multi-view counting',
    'pet': 'perspective taking',
    'free': 'free question',
}


def page(outcomes: Sequence[Outcome], facts: Mapping[str, str]) -> str:
    """Return the page as HTML. facts: what is said once about the whole run, by name."""
    articles = '\n'.join(_article(number, item) for number, item in enumerate(outcomes, 1))
    return document('What the robot imagined', _LEAD, facts, articles, _FOOTER)


def _article(number: int, outcome: Outcome) -> str:
    request = outcome.request
    task = _TASKS.get(request.task, request.task)
    choices = ' &nbsp; '.join(
        f'{chr(ord("A") + i)}) {escape(choice)}' for i, choice in enumerate(request.choices))
    return f"""<article>
<header><h2>{number}. {escape(request.title)}</h2>
<span class="tag">{task} &middot; {escape(request.over)} &middot; mode {escape(request.mode)}
&middot; room {request.scene}</span></header>
<p class="question">{escape(request.question)}</p>
<p class="choices">{choices}</p>
{_verdict(outcome)}
{_pictures(outcome)}
{_times(outcome)}
{_reasoning(outcome)}
</article>"""


def _verdict(outcome: Outcome) -> str:
    truth = escape(outcome.request.truth)
    if outcome.error:
        return f'<p class="verdict wrong"><b>No answer: {escape(outcome.error)}</b></p>'
    kind = 'right' if outcome.correct else 'wrong'
    parts = [
        f'<span class="{kind}">Answer: <b>{escape(outcome.answer)}</b> ({kind})</span>',
        f'<span>Truth: <b>{truth}</b></span>']
    if not math.isnan(outcome.confidence):
        parts.append(f'<span>Confidence: <b>{outcome.confidence:.0%}</b></span>')
    return f'<p class="verdict">{"".join(parts)}</p>'


def _pictures(outcome: Outcome) -> str:
    """Return what the cameras saw, what was imagined, and the truth beside it."""
    marked = ', target marked' if outcome.request.target else ''
    seen = [
        figure(image, f'camera {name}{marked}', 'seen')
        for name, image in zip(outcome.request.cameras, outcome.inputs)]
    drawn = []
    if outcome.imagined is not None:
        drawn.append(figure(outcome.imagined, 'imagined by the model', 'imagined'))
        if outcome.truth_image is not None:
            drawn.append(figure(outcome.truth_image, 'truth', 'truth'))
    # One camera leaves room for the imagined picture in the same row.
    rows = [seen + drawn] if len(seen) == 1 else [seen, drawn]
    return ''.join(map(row, rows))


def _times(outcome: Outcome) -> str:
    total = sum(outcome.phases.values())
    if not total > 0:
        return ''
    bars = ''.join(
        f'<span style="width:{100 * seconds / total:.2f}%"></span>'
        for seconds in outcome.phases.values())
    words = ''.join(
        f'<span>{escape(name)} {seconds:.2f} s</span>'
        for name, seconds in outcome.phases.items())
    return f'<div class="phases">{bars}</div><p class="times">{words}</p>'


def _reasoning(outcome: Outcome) -> str:
    if not outcome.reasoning:
        return ''
    return (f'<details><summary>All that the model wrote</summary>'
            f'<pre>{escape(outcome.reasoning)}</pre></details>')
