# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""A recipe in miniature, through all its stages to a checkpoint that loads, answers and draws."""

from dataclasses import replace
import json
import shutil
from unittest import mock

import cv2
from ipt_ros.bagel import Bagel, ImageSegment, imagine, read_prompt, TextSegment
from ipt_ros.spatial.prompts import before_image_text, THINK_PROMPT
from ipt_training import drawn_latents, evaluate, nano, train_model
from ipt_training.data import encode_images, load_tasks
from ipt_training.drawn_latents import add_drawn, draw_latents
from ipt_training.nano import Build, STAGES
from ipt_training.recipe import load_recipe, RecipeError, RECIPES
from ipt_training.train import main
from ipt_training.train_model import draw_samples
import numpy as np
import pytest
from safetensors.torch import load_file, save_file
import torch
import yaml

OPTIMIZER = {'learning_rate': 1e-3, 'warmup_steps': 1}


@pytest.fixture(scope='module')
def built(tmp_path_factory):
    """Return the recipe file, and the folder with the checkpoint that came of it."""
    folder = tmp_path_factory.mktemp('nano')
    values = yaml.safe_load((RECIPES / 'nano.yaml').read_text())
    values |= {'checkpoint': str(folder / 'checkpoint'), 'work_dir': str(folder / 'work')}
    values['data'] |= {'examples': 8, 'workers': 1}
    values['model']['llm'] |= {'hidden_size': 32, 'intermediate_size': 32, 'num_hidden_layers': 1,
                               'num_attention_heads': 1, 'num_key_value_heads': 1}
    values['model']['vit'] |= {'hidden_size': 16, 'intermediate_size': 16, 'num_hidden_layers': 2,
                               'num_attention_heads': 1}
    values['model']['sampling'] |= {'steps': 3}
    for stage in (
            'vae', 'decoder', 'encoder', 'maps', 'letters', 'answers', 'mixed', 'drawing',
            'trust'):
        values[stage] |= {'steps': 2, 'optimizer': OPTIMIZER}
    for stage in ('vae', 'decoder', 'encoder', 'maps', 'drawing'):
        values[stage]['batch_size'] = 2
    values['maps'] |= {'head_steps': 1, 'number': 4}
    for stage in ('letters', 'answers', 'mixed', 'trust'):
        values[stage]['samples'] = dict.fromkeys(values[stage]['samples'], 1)
    recipe = folder / 'recipe.yaml'
    recipe.write_text(yaml.safe_dump(values))
    assert main(['--recipe', str(recipe)]) == 0
    return recipe, folder / 'checkpoint'


@pytest.mark.slow
def test_all_stages_end_in_a_checkpoint_that_loads(built):
    _, checkpoint = built
    model = Bagel.from_checkpoint(checkpoint)
    assert model.config.llm.hidden_size == 32
    # The VAE's own statistics were measured and written down.
    assert model.config.vae.scale_factor != 0.3611


@pytest.mark.slow
def test_a_finished_recipe_trains_nothing_again(built, capsys):
    recipe, checkpoint = built
    kept = sorted(checkpoint.glob('*.safetensors'))
    before = [path.read_bytes() for path in kept]
    Build(load_recipe(recipe)).run(list(STAGES[1:]))
    assert len(kept) == 2 and [path.read_bytes() for path in kept] == before


def go_on(built, folder, stages):
    """Train the checkpoint that was built further; return it before and after."""
    recipe, checkpoint = built
    values = yaml.safe_load(recipe.read_text())
    data = f'{values["work_dir"]}/data'
    values |= {'checkpoint': str(folder / 'further'), 'work_dir': str(folder / 'work')}
    further = folder / 'recipe.yaml'
    further.write_text(yaml.safe_dump(values))
    assert main(['--recipe', str(further), '--stages', stages, '--start', str(checkpoint),
                 '--data', data]) == 0
    return Bagel.from_checkpoint(checkpoint), Bagel.from_checkpoint(folder / 'further')


@pytest.mark.slow
def test_training_goes_on_from_a_checkpoint_alone(built, tmp_path):
    old, new = go_on(built, tmp_path, 'mixed')
    assert new.config == old.config
    difference = old.llm2vae.weight - new.llm2vae.weight
    assert 0 < difference.abs().max() < 0.01
    assert same_vae_parts(old, new) == {'encoder': True, 'decoder': True}


@pytest.mark.slow
def test_a_checkpoint_can_get_another_decoder_with_the_latents_that_it_knows(built, tmp_path):
    old, new = go_on(built, tmp_path, 'decoder,mixed')
    assert same_vae_parts(old, new) == {'encoder': True, 'decoder': False}


@pytest.mark.slow
@pytest.mark.parametrize('stage', ['mixed', 'trust'])
def test_a_checkpoint_can_get_an_encoder_that_has_learned_maps(built, tmp_path, stage):
    old, new = go_on(built, tmp_path, f'maps,{stage}')
    trained = load_file(tmp_path / 'work' / 'maps.safetensors')
    for name, value in new.vit_model.state_dict().items():
        torch.testing.assert_close(value.float(), trained[name], atol=0, rtol=1e-2)
    assert not all(value.equal(new.vit_model.state_dict()[name])
                   for name, value in old.vit_model.state_dict().items())


@pytest.mark.slow
def test_the_decoder_alone_learns_from_what_a_checkpoint_draws(built, tmp_path):
    old, new = go_on(built, tmp_path, 'drawing')
    assert same_vae_parts(old, new) == {'encoder': True, 'decoder': False}
    others = old.state_dict(), new.state_dict()
    assert all(value.equal(others[1][name]) for name, value in others[0].items()
               if not name.startswith('vae.'))


@pytest.mark.slow
def test_answers_are_trained_behind_what_the_model_drew_itself(built):
    recipe = load_recipe(built[0])
    data = load_tasks(recipe.work_dir / 'data', ['pt'])[0]['pt']
    model = Bagel.from_checkpoint(built[1], dtype=torch.float32)
    data.input_latents = encode_images(model.vae, data.inputs[:, 0])[:, None]
    add_drawn(data, model, 2, recipe.seed, recipe.work_dir / 'drawing-pt.safetensors')
    for sample in draw_samples('own-pt', data, 4, recipe.trust, 16, np.random.default_rng(0)):
        images = [segment for segment in sample if isinstance(segment, ImageSegment)]
        assert not any(image.noised for image in images)
        drawn = [image for image in images if not any(
            np.array_equal(image.image, own) for own in data.inputs[:, 0])]
        assert drawn and all(any(np.array_equal(image.image, own) for own in data.drawn)
                             for image in drawn)
        told = [segment for segment in sample if isinstance(segment, TextSegment)]
        assert any('<answer>' in segment.text and segment.loss for segment in told)


@pytest.mark.slow
def test_drawn_latents_are_kept_for_the_model_that_drew_them(built, tmp_path, monkeypatch):
    recipe = load_recipe(built[0])
    data = load_tasks(recipe.work_dir / 'data', ['pt'])[0]['pt']
    model = Bagel.from_checkpoint(built[1], dtype=torch.float32)
    kept = tmp_path / 'kept.safetensors'
    first = draw_latents(model, data, 2, 0, kept)
    calls = []
    draw = drawn_latents.sample_latents
    monkeypatch.setattr(drawn_latents, 'sample_latents',
                        lambda *given, **named: calls.append(1) or draw(*given, **named))
    with torch.no_grad():
        model.vae.net.decoder.conv_in.bias += 1  # draws the same latents
        assert torch.equal(draw_latents(model, data, 2, 0, kept), first) and not calls
        model.llm2vae.bias += 1
    assert not torch.equal(draw_latents(model, data, 2, 0, kept), first) and calls


@pytest.mark.slow
def test_what_is_drawn_for_an_example_is_what_the_model_draws_when_asked(built):
    recipe = load_recipe(built[0])
    model = Bagel.from_checkpoint(built[1], dtype=torch.float32)
    data = load_tasks(recipe.work_dir / 'data', ['pt'])[0]['pt']
    with mock.patch.object(drawn_latents, 'fast_dtype', lambda device: torch.float32):
        drawn = draw_latents(model, data, 2, seed=5, batch=1)
        together = draw_latents(model, data, 2, seed=5)
    torch.testing.assert_close(drawn, together, rtol=1e-4, atol=1e-4)
    question = data.questions[1][0]
    prompt = read_prompt(model, system=THINK_PROMPT, images=list(data.inputs[1]),
                         question=question.text, mode='imagine')
    prompt.context.add_text(before_image_text(question.metadata.get('think', data.thinks[1])))
    seen = imagine(prompt, model.config.sampling, seed=6)
    found = model.vae.decode_image(drawn[1])
    assert np.abs(seen.astype(int) - found).max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize(('stage', 'result'), [('mixed', 'decoder'), ('drawing', 'drawing'),
                                               ('redrawing', 'redrawing')])
def test_a_decoder_for_other_latents_is_refused(stage, result, built, tmp_path, capsys):
    recipe, checkpoint = built
    work = tmp_path / 'work'
    work.mkdir()
    saved = load_file(load_recipe(recipe).work_dir / f'{result}.safetensors')
    save_file({name: value + 1 for name, value in saved.items()}, work / f'{result}.safetensors')
    arguments = ['--recipe', str(recipe), '--work-dir', str(work), '--stages', stage,
                 '--start', str(checkpoint), '--data', str(load_recipe(recipe).work_dir / 'data')]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert f'{result}.safetensors was trained for the latents of another checkpoint' in said


@pytest.mark.slow
def test_an_encoder_that_belongs_to_another_checkpoint_is_refused(built, tmp_path, capsys):
    recipe, checkpoint = built
    (tmp_path / 'maps.safetensors').write_bytes(
        (load_recipe(recipe).work_dir / 'maps.safetensors').read_bytes())  # of the one before
    arguments = ['--recipe', str(recipe), '--work-dir', str(tmp_path), '--stages', 'mixed',
                 '--start', str(checkpoint), '--data', str(load_recipe(recipe).work_dir / 'data')]
    assert main(arguments) == 1
    assert 'maps.safetensors was trained for another checkpoint' in capsys.readouterr().err


def same_vae_parts(one, other):
    """Return for encoder and decoder whether all weights of two models are equal."""
    tensors = one.vae.named_tensors(), other.vae.named_tensors()
    return {part: all(value.equal(tensors[1][name]) for name, value in tensors[0].items()
                      if name.startswith(part)) for part in ('encoder', 'decoder')}


@pytest.mark.slow
def test_evaluation_writes_what_it_promises(built, tmp_path):
    _, checkpoint = built
    code = evaluate.main([
        '--checkpoint', str(checkpoint), '--tasks', 'mvc', '--modes', 'answer,imagine',
        '--n', '2', '--seed', '1000000', '--workers', '1', '--reference-n', '4',
        '--out', str(tmp_path)])
    assert code == 0
    results = json.loads((tmp_path / 'results.json').read_text())
    for mode in ('answer', 'imagine'):
        row = results['mvc'][mode]
        low, high = row['ci95']
        assert row['n'] == 2 and row['chance'] == 0.25
        assert 0 <= low <= row['accuracy'] <= high <= 1


@pytest.mark.parametrize(('arguments', 'word'), [
    (['--seed', '5'], 'below 1000000'), (['--tasks', 'dance'], 'unknown tasks'),
    (['--modes', 'guess'], 'unknown modes'), (['--n', '0'], 'at least one')])
def test_evaluation_refuses_what_makes_no_sense(arguments, word, capsys):
    with pytest.raises(SystemExit) as stop:
        evaluate.main(arguments)
    assert stop.value.code == 2
    assert word in capsys.readouterr().err


def test_evaluation_names_a_missing_checkpoint(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        evaluate.main(['--checkpoint', str(tmp_path / 'nothing'), '--n', '1'])
    assert stop.value.code == 1
    assert 'nothing' in capsys.readouterr().err


def test_a_broken_recipe_is_named(tmp_path):
    with pytest.raises(RecipeError, match='no such recipe'):
        load_recipe(tmp_path / 'none.yaml')
    path = tmp_path / 'bad.yaml'
    path.write_text('name: [')
    with pytest.raises(RecipeError, match='not valid YAML'):
        load_recipe(path)
    values = yaml.safe_load((RECIPES / 'nano.yaml').read_text())
    del values['decoder']
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(RecipeError, match="no section 'decoder'"):
        load_recipe(path)
    values = yaml.safe_load((RECIPES / 'nano.yaml').read_text())
    values['answers']['stepz'] = 3
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(RecipeError, match='stepz'):
        load_recipe(path)


@pytest.mark.slow
def test_a_dry_run_tells_every_stage_and_draws_first_batches(built, tmp_path, capsys):
    recipe, _ = built
    data = load_recipe(recipe).work_dir / 'data'
    before = sorted(path.name for path in data.parent.iterdir())
    assert main(['--recipe', str(recipe), '--dry-run']) == 0
    said = capsys.readouterr().out
    for words in ('encoder: 2 steps of 2 images', 'vae: 2 steps of 2 crops, 32 pixels a side',
                  'decoder: 2 steps of 2 images, at most 96 x 96 pixels',
                  'drawing: 2 steps of 2 images, at most 96 x 96 pixels',
                  f'letters: 2 steps of {len(load_recipe(recipe).letters.samples)} samples (1 ',
                  'tokens', 'TFLOP', 'parameters are trained', 'memory: about',
                  'memory of the examples'):
        assert words in said
    made = sorted({path.name for path in data.parent.iterdir()} - set(before))
    assert made == [  # letters has no images
        'first_batch_answers.png', 'first_batch_mixed.png', 'first_batch_trust.png']
    assert cv2.imread(str(data.parent / made[1])).std() > 10


@pytest.mark.slow
def test_a_dry_run_without_data_makes_a_little_and_throws_it_away(
        built, tmp_path, capsys, monkeypatch):
    recipe, _ = built
    there = load_recipe(recipe).work_dir / 'data'
    monkeypatch.setattr(nano, 'generate', lambda tasks, number, seed, out, workers:
                        shutil.copytree(there, out))
    work = tmp_path / 'work'
    assert main(['--recipe', str(recipe), '--dry-run', '--work-dir', str(work),
                 '--stages', 'answers']) == 0
    assert 'are made to look at, and thrown away' in capsys.readouterr().out
    assert [path.name for path in work.iterdir()] == ['first_batch_answers.png']


@pytest.mark.slow
def test_training_tells_the_speed_of_the_step_before(built, tmp_path, monkeypatch):
    recipe = load_recipe(built[0])
    model = Bagel.from_checkpoint(built[1])
    tasks, _ = load_tasks(recipe.work_dir / 'data', list(recipe.data.tasks))
    steps = []
    monkeypatch.setattr(train_model, 'run_stage', lambda name, module, losses_at, **options:
                        steps.extend(losses_at(step) for step in range(2)))
    train_model.train_model('answers', model, tasks, recipe.answers, folder=tmp_path, seed=0)
    assert not steps[0].keys() & {'samples_per_s', 'mfu'}
    assert all(steps[1][name] > 0 for name in ('samples_per_s', 'tokens_per_s', 'mfu'))


@pytest.mark.slow
def test_letters_weigh_what_the_recipe_says_beside_their_part_in_the_text(
        built, tmp_path, monkeypatch):
    build = Build(load_recipe(built[0]))
    found = {}
    monkeypatch.setattr(train_model, 'run_stage', lambda name, model, losses_at, **settings:
                        found.update({name: losses_at(0)}))
    tasks, _ = build.loaded()
    for name, weight in (('plain', 0.0), ('letters', 2.0)):
        stage = replace(build.recipe.letters, letter_weight=weight)
        train_model.train_model(name, build.new_model(), tasks, stage, folder=tmp_path, seed=0)
    total = sum(stage.weights.values())
    added = sum(2.0 * share / total * found['plain'][f'ce_{kind}']
                for kind, share in stage.weights.items())
    assert found['letters']['loss'] - found['plain']['loss'] == pytest.approx(added, rel=1e-3)
