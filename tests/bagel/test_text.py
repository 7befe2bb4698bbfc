# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from ipt_ros.bagel import Cancelled, Context, generate_text, InputError, score_texts
import pytest
import torch


@pytest.fixture
def context(model):
    context = Context(model)
    context.add_text('How many chairs are in the room?')
    return context


class Script:
    """Makes the model's logits favour given tokens, one after the other."""

    def __init__(self, model, ids):
        self.size, self.ids = model.config.llm.vocab_size, iter(ids)

    def __call__(self, hidden):
        logits = torch.zeros(1, self.size)
        logits[0, next(self.ids)] = 50
        return logits


def test_greedy_repeats_and_leaves_the_context(context):
    length = context.length
    one, two = (generate_text(context, max_tokens=5) for _ in range(2))
    assert one == two
    assert len(one.tokens) == len(one.logprobs) == 5
    assert not one.finished
    assert context.length == length


def test_seed_decides_at_a_temperature(context):
    texts = [generate_text(context, max_tokens=8, temperature=1.0, seed=s) for s in (1, 1, 2)]
    assert texts[0] == texts[1] != texts[2]


def test_end_token_ends(model, context, monkeypatch):
    words = model.tokenizer.encode('left')
    monkeypatch.setattr(model, 'logits', Script(model, [*words, model.tokenizer.text_end]))
    result = generate_text(context, max_tokens=50)
    assert (result.text, result.tokens, result.finished) == ('left', words, True)


def test_stop_string_ends_right_after_it(model, context, monkeypatch):
    script = model.tokenizer.encode('<answer>A</answer> and on and on')
    monkeypatch.setattr(model, 'logits', Script(model, script))
    result = generate_text(context, max_tokens=len(script), stop=('</nothing>', '</answer>'))
    assert result.finished
    assert result.text.startswith('<answer>A</answer>')
    # The token that completes the stop string may hold more, the next one must not be there.
    assert len(result.text) < len('<answer>A</answer> and')


def test_progress_and_cancel(context):
    seen = []

    def on_token(text):
        seen.append(text)
        if len(seen) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        generate_text(context, max_tokens=10, on_token=on_token)
    assert len(seen) == 3


def test_written_log_probabilities_are_the_scored_ones(model, context):
    """Scoring a text gives the sum of what writing it gave, and the end's."""
    result = generate_text(context, max_tokens=6)
    again = context.fork()
    rows = again.add_tokens([model.tokenizer.text_start, *result.tokens])
    with torch.no_grad():
        logprobs = model.logits(rows).log_softmax(-1)
    expected = [float(row[token]) for row, token in zip(logprobs, result.tokens)]
    assert result.logprobs == pytest.approx(expected, abs=1e-3)


def test_scores_are_teacher_forced_log_probabilities(model, context):
    length = context.length
    texts = ['<answer>A</answer>', 'left', '']
    tokenizer = model.tokenizer
    expected = []
    for text in texts:
        ids = [tokenizer.text_start, *tokenizer.encode(text), tokenizer.text_end]
        total = 0.0
        reading = context.fork()
        for token, target in zip(ids, ids[1:]):
            with torch.no_grad():
                row = model.logits(reading.add_tokens([token]))[0].log_softmax(-1)
            total += float(row[target])
        expected.append(total)
    assert score_texts(context, texts) == pytest.approx(expected, rel=1e-4)
    assert context.length == length


def test_text_ends_with_the_models_positions(model, context, monkeypatch):
    llm = replace(model.config.llm, max_position_embeddings=context.position + 4)
    monkeypatch.setattr(model, 'config', model.config.replace(llm=llm))
    result = generate_text(context, max_tokens=50)
    assert (len(result.tokens), result.finished) == (3, False)


@pytest.mark.parametrize('options', [{'max_tokens': 0}, {'max_tokens': 1, 'temperature': -1}])
def test_what_is_refused(context, options):
    with pytest.raises(InputError):
        generate_text(context, **options)
