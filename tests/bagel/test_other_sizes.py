# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
The verification takes every size from the golden folder.

A golden folder of quite other sizes is made here, from this implementation's own numbers. It says
nothing about agreement with the reference, only that nothing is assumed of one folder's sizes.
"""

import json

from ipt_ros.bagel import (
    Bagel,
    BagelConfig,
    Context,
    generate_text,
    Guidance,
    ImageSegment,
    LlmConfig,
    pack,
    ResizeRule,
    TextSegment,
    VaeConfig,
    verify,
    VitConfig,
)
from ipt_ros.bagel.flow import sample_latents, velocity
from ipt_ros.bagel.images import fit, fitted_size, grid_positions, normalise, patchify, to_tensor
import numpy as np
import pytest
from safetensors.torch import save_file
import torch

CONFIG = BagelConfig(
    llm=LlmConfig(vocab_size=450, hidden_size=48, intermediate_size=80, num_hidden_layers=2,
                  num_attention_heads=6, num_key_value_heads=3),
    vit=VitConfig(hidden_size=36, intermediate_size=40, num_hidden_layers=4,
                  num_attention_heads=3, image_size=80, patch_size=8),
    vae=VaeConfig(ch=32, ch_mult=(1, 2), num_res_blocks=2, z_channels=3, scale_factor=0.5),
    latent_patch_size=1, max_latent_size=30, vit_max_num_patch_per_side=10, timestep_shift=2.0,
    vae_transform=ResizeRule(40, 12, 2), vit_transform=ResizeRule(48, 16, 8))
SIZE = 18, 24
TEXTS = 'Look.', 'Where is the lamp?'


@pytest.fixture(scope='module')
def folder(model, tmp_path_factory):
    """Write a checkpoint, golden.json and golden.safetensors."""
    folder = tmp_path_factory.mktemp('other')
    made = Bagel.from_config(CONFIG, model.tokenizer, seed=1).eval()
    made.save_checkpoint(folder)
    (folder / 'bagel.json').unlink()
    numbers, cases = make(made)
    tokenizer = made.tokenizer
    facts = {
        'new_token_ids': {
            'bos_token_id': tokenizer.text_start, 'eos_token_id': tokenizer.text_end,
            'start_of_image': tokenizer.image_start, 'end_of_image': tokenizer.image_end},
        'bagel': {name: getattr(CONFIG, name) for name in (
            'latent_patch_size', 'max_latent_size', 'vit_max_num_patch_per_side',
            'connector_act', 'timestep_shift')},
        'vae': {'resolution': 40, 'downsample': 2, **vars(CONFIG.vae)},
        'vit_layers_used': 3, 'vae_transform': [40, 12, 2], 'vit_transform': [48, 16, 8],
        'cases': cases}
    (folder / 'golden.json').write_text(json.dumps(facts))
    tensors = {name: torch.as_tensor(value).clone().contiguous()
               for name, value in numbers.items()}
    save_file(tensors, folder / 'golden.safetensors')
    return folder


@torch.no_grad()
def make(model) -> tuple[dict, dict]:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (*size, 3), dtype=np.uint8)
              for size in ((20, 30), (50, 40), (16, 16))]
    numbers = {f'image{i}': image for i, image in enumerate(images)}
    cases = {'resize_table': [], 'sample': {}}

    numbers['transform.image'] = images[0]
    cases['transform'] = {}
    sizes = []
    for name, rule in (('vae', verify.VAE_RULE), ('vit', verify.VIT_RULE)):
        pixels = normalise(to_tensor(fit(images[0], rule)))
        cases['transform'][f'{name}_shape'] = list(pixels.shape)
        numbers[f'transform.{name}_row'] = pixels[:, pixels.shape[1] // 2]
        sizes.append(list(fitted_size((20, 30), rule)[::-1]))
    cases['resize_table'].append([[30, 20], *sizes])

    numbers['vit.pixels'] = torch.rand(3, 16, 24) * 2 - 1
    cells = grid_positions((2, 3), 10)
    patches = patchify(numbers['vit.pixels'], 8)[None]
    numbers['vit.position_ids'] = cells
    numbers['vit.features'] = model.vit_model(patches, cells)[0]
    numbers['vit.embeds'] = model.embed_vit(patches, cells)[0]
    numbers['vae.pixels'] = torch.rand(3, 12, 8) * 2 - 1
    numbers['vae.latent'] = model.vae.encode(numbers['vae.pixels'][None])[0]
    numbers['vae.decoded'] = model.vae.decode(numbers['vae.latent'][None])[0]

    context, image_free, steps = Context(model), Context(model), []
    for kind, content in (('text', TEXTS[0]), ('image', 0), ('text', TEXTS[1])):
        if kind == 'text':
            text_free = context.fork()
            context.add_text(content)
            image_free.add_text(content)
        else:
            context.add_image(images[content])
        steps.append([kind, content, context.length, context.position])
    numbers['context.key_first'] = context.keys_values(0)[0]
    numbers['context.key_last'], numbers['context.value_last'] = context.keys_values(1)
    cases['context'] = {
        'steps': steps, 'system_ids': model.tokenizer.encode(TEXTS[0]),
        'question_ids': model.tokenizer.encode(TEXTS[1]),
        'cfg_text_kv': text_free.length, 'cfg_text_rope': text_free.position,
        'cfg_img_kv': image_free.length, 'cfg_img_rope': image_free.position}

    def greedy(name, reading, count):
        start = model.tokenizer.text_start
        numbers[f'{name}.tokens'] = torch.tensor(
            [start, *generate_text(reading, max_tokens=count - 1).tokens])
        rows = reading.fork().add_tokens(numbers[f'{name}.tokens'][:2].tolist())
        numbers[f'{name}.logits'] = model.logits(rows)

    greedy('text', context, 5)
    answering = Context(model)
    answering.add_image(images[2], vae=False)
    answering.add_text(TEXTS[1])
    greedy('answer_only', answering, 4)

    cells = grid_positions((SIZE[0] // 2, SIZE[1] // 2), 30)
    numbers['flow.noise'] = torch.randn(len(cells), 3)
    numbers['flow.velocity'] = velocity(
        context.batch, numbers['flow.noise'][None], 0.3, cells)[0]
    cases['flow'] = {'image_shape': list(SIZE), 'timestep': 0.3}
    case = {'num_timesteps': 3, 'timestep_shift': 2.0, 'cfg_interval': [0.0, 1.0],
            'cfg_renorm_min': 0.0, 'cfg_renorm_type': 'global', 'cfg_text_scale': 2.0,
            'cfg_img_scale': 1.5}
    cases['sample']['global'] = case
    latent, = sample_latents(
        context.batch, size=SIZE, steps=3, shift=2.0, text_free=text_free.batch,
        image_free=image_free.batch, guidance=Guidance(2.0, 1.5, renorm='global'),
        noise=numbers['flow.noise'][None])
    numbers['sample.global.latent'] = patchify(latent, 1)
    numbers['sample.global.image'] = model.vae.decode_image(latent)

    context.add_text('see')
    context.add_image(numbers['sample.global.image'])
    cases['interleave'] = {'script': 'see', 'kv_len': context.length, 'rope': context.position}
    greedy('interleave', context, 3)
    with torch.enable_grad():
        train(model, images, numbers, cases)
    return numbers, cases


def train(model, images, numbers, cases):
    # One image in the pack: there is nothing to pad.
    batch = pack([[ImageSegment(images[1], noised=True), TextSegment('yes', loss=True)]],
                 model.config, model.tokenizer, vae=model.vae)
    logits = torch.full((len(batch.times),), -torch.inf)
    logits[batch.noised] = 0.4
    numbers['train.packed_timesteps_logit'] = logits
    t = logits.sigmoid()
    batch.times = 2 * t / (1 + t)
    numbers['train.noise'] = torch.randn(len(batch.times), 3)
    batch.noise = numbers['train.noise'][batch.noised]
    loss = model.loss(batch)
    (loss.ce + loss.mse).backward()
    numbers['train.position_ids'] = batch.positions[batch.lines[0]]
    numbers['train.attention_mask0'] = batch.mask[0, 0]
    numbers['train.label_ids'] = batch.labels
    numbers['train.ce'], numbers['train.mse'] = loss.ce_tokens.detach(), loss.mse_values.detach()
    cases['train'] = {
        'samples': [[['image', 1, True], ['text', 'yes', True]]], 'sample_lens': [batch.tokens],
        'loss': (loss.ce + loss.mse).item(),
        'grad_norms': {name: p.grad.norm().item() for name, p in model.named_parameters()
                       if p.grad is not None}}


def test_a_golden_folder_of_other_sizes(folder, capsys):
    code = verify.main([str(folder)])
    assert code == 0, capsys.readouterr().out


@pytest.mark.parametrize(('place', 'value'), [
    (('bagel', 'timestep_shift'), 1.0), (('bagel', 'connector_act'), 'relu'),
    (('vae', 'scale_factor'), 0.4), (('vae_transform', 1), 20), (('vit_transform', 0), 32),
    (('cases', 'sample', 'global', 'cfg_text_scale'), 1.0)])
def test_every_stated_size_counts(folder, tmp_path, capsys, place, value):
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    facts = json.loads((folder / 'golden.json').read_text())
    inner = facts
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    (tmp_path / 'golden.json').write_text(json.dumps(facts))
    assert verify.main([str(tmp_path)]) == 1
    assert 'FAILED' in capsys.readouterr().out
