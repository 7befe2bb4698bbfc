# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Contexts: what was read is what counts, however it was forked, sampled and cut."""

from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.bagel import cache as cache_module
from ipt_ros.bagel import Context, InputError
from ipt_ros.bagel import context as context_module
from ipt_ros.bagel.images import grid_positions
import pytest
import torch

TEXTS = ('a chair', 'left or right?', 'x')


def read(model, images, history) -> Context:
    context = Context(model)
    for kind, index in history:
        apply(context, images, kind, index)
    return context


def apply(context, images, kind, index):
    if kind == 'text':
        context.add_text(TEXTS[index])
    else:
        context.add_image(images[index], vit=kind != 'vae', vae=kind != 'vit')


def assert_same(one: Context, two: Context):
    assert (one.length, one.position, one.segments) == (two.length, two.position, two.segments)
    for layer in (0, 2):
        for a, b in zip(one.keys_values(layer), two.keys_values(layer)):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def imagine_a_step(context, size=(4, 6)):
    """Do what the sampler does: look, without reading."""
    cells = grid_positions(size, context.model.config.max_latent_size)
    rows = torch.ones(1, len(cells), context.model.config.latent_dim)
    return context.batch.decode_latents(rows, torch.full((1,), 0.5), cells)


STEPS = st.lists(st.tuples(
    st.sampled_from(['text', 'image', 'vit', 'vae', 'fork', 'drop', 'look']),
    st.integers(0, 2), st.integers(0, 5)), min_size=4, max_size=14)


@given(steps=STEPS)
@settings(max_examples=15)
def test_forks_never_disturb_each_other(model, images, steps):
    """Whatever is done to a family of contexts, each holds exactly its own history."""
    family = [(Context(model), [])]
    for action, index, who in steps:
        context, history = family[who % len(family)]
        if action == 'fork':
            family.append((context.fork(), list(history)))
        elif action == 'drop':
            if len(family) > 1:
                del family[who % len(family)]
            del context  # a dropped context must not keep its room
        elif action == 'look':
            imagine_a_step(context)
        else:
            apply(context, images, action, index)
            history.append((action, index))
    for context, history in family:
        assert_same(context, read(model, images, history))


def buffer(context):
    return context.batch.cache.data.data_ptr()


def test_fork_costs_nothing_until_ways_part(model):
    context = Context(model)
    context.add_text('a chair')
    twin = context.fork()
    assert buffer(twin) == buffer(context)
    twin.add_text('x')
    assert buffer(twin) == buffer(context)
    context.add_text('x')
    assert buffer(twin) != buffer(context)


def test_dropped_fork_leaves_its_room(model):
    context = Context(model)
    context.add_text('a chair')
    before = buffer(context)
    for _ in range(3):
        context.fork().add_text('x')
    context.add_text('x')
    assert buffer(context) == before


def test_looking_changes_nothing(model, images):
    context = read(model, images, [('image', 0), ('text', 0)])
    twin = context.fork()
    imagine_a_step(context)
    imagine_a_step(twin, (8, 8))
    assert_same(context, read(model, images, [('image', 0), ('text', 0)]))


def test_buffer_grows(model, monkeypatch):
    monkeypatch.setattr(cache_module, 'MIN_CAPACITY', 4)
    one, two = Context(model), Context(model)
    for _ in range(6):
        one.add_text('a chair')
    monkeypatch.undo()
    for _ in range(6):
        two.add_text('a chair')
    assert_same(one, two)


def test_long_texts_in_pieces_are_the_same(model, monkeypatch):
    text = 'How many chairs are in the room? ' * 5
    whole = Context(model)
    whole.add_text(text)
    monkeypatch.setattr(context_module, 'PREFILL', 7)
    pieces = Context(model)
    pieces.add_text(text)
    assert_same(whole, pieces)


def test_positions(model, images):
    """Texts count tokens, each copy of an image counts one."""
    context = Context(model)
    context.add_image(images[0])
    assert context.position == 2
    assert [s.kind for s in context.segments] == ['vae', 'vit']
    before = context.position
    context.add_tokens([5, 6, 7])
    assert context.position == before + 3
    # 32x32 px: 4x4 latent patches and 2x2 encoder patches, two tokens around each.
    assert context.length == 18 + 6 + 3


def test_too_long_text_is_refused(model):
    context = Context(model)
    limit = model.config.llm.max_position_embeddings
    with pytest.raises(InputError, match=f'within the {limit} positions'):
        context.add_tokens([5] * (limit + 1))
    assert context.length == 0


def test_empty_text_is_a_frame(model):
    context = Context(model)
    context.add_text('')
    assert context.length == 2
    with pytest.raises(InputError, match='at least one'):
        context.add_tokens([])
