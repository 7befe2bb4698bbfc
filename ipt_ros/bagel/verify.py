# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Compare the model with a folder of golden numbers: `python -m ipt_ros.bagel.verify FOLDER`.

A golden folder is a small checkpoint together with what the reference implementation computed from
it in float32: `golden.safetensors` and `golden.json`. One row is printed a case, with the largest
error relative to the case's largest number; the exit status is 1 if any is above the tolerance or
any token, size, position or mask differs.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
import json
from pathlib import Path
import sys
import traceback

from safetensors.torch import load_file
import torch
from torch import Tensor

from .config import BagelConfig, Guidance, VaeConfig
from .context import Context
from .errors import BagelError
from .flow import sample_latents, velocity
from .images import fit, fitted_size, grid_positions, normalise, patchify, to_tensor
from .model import Bagel
from .packing import ImageSegment, pack, shift_time, TextSegment
from .text import generate_text

TOLERANCE = 1e-4
# The cases `transform` and `resize_table` were made with the rules of the 7B.
VAE_RULE, VIT_RULE = BagelConfig().vae_transform, BagelConfig().vit_transform


class Mismatch(Exception):
    """Something that must be equal is not."""


@dataclass(frozen=True)
class Row:
    """One line of the report."""

    case: str
    error: float
    note: str
    passed: bool


def relative_error(found: Tensor, expected: Tensor) -> float:
    """Return the largest difference, relative to the largest expected number."""
    if found.shape != expected.shape:
        raise Mismatch(f'shape: expected {tuple(expected.shape)}, found {tuple(found.shape)}')
    scale = expected.double().abs().max().clamp(min=1e-12)
    return float((found.detach().double().cpu() - expected.double()).abs().max() / scale)


def must_equal(what: str, found, expected) -> None:
    found, expected = (x.tolist() if isinstance(x, Tensor) else x for x in (found, expected))
    if isinstance(found, tuple):
        found, expected = list(found), list(expected)
    if found != expected:
        raise Mismatch(f'{what}: expected {expected}, found {found}')


def _settings(cls: type, facts: dict) -> dict:
    """Keep the facts that are settings; others follow from them, such as the VAE's downsample."""
    return {field.name: facts[field.name] for field in fields(cls) if field.name in facts}


class Golden:
    """A golden folder with its model; a method a case, each returning its largest error."""

    def __init__(self, folder: Path, device: str = 'cpu'):
        self.facts = json.loads((folder / 'golden.json').read_text())
        self.numbers = load_file(folder / 'golden.safetensors')
        self.cases = self.facts['cases']
        config = BagelConfig.from_folder(
            folder, **_settings(BagelConfig, self.facts['bagel']),
            vae=_settings(VaeConfig, self.facts['vae']),
            vae_transform=self.facts['vae_transform'], vit_transform=self.facts['vit_transform'])
        self.model = Bagel.from_checkpoint(folder, device, torch.float32, config)
        self.config = config
        must_equal('ViT layers', config.vit.layers, self.facts['vit_layers_used'])
        self.images = {int(name[5:]): tensor.numpy() for name, tensor in self.numbers.items()
                       if name.startswith('image') and name[5:].isdigit()}

    def runs(self) -> Iterator[tuple[str, Callable[[], float]]]:
        """List the cases that the folder holds."""
        yield 'tokenizer', self.tokenizer
        yield 'transform', self.transform
        yield 'resize_table', self.resize_table
        yield 'vit', self.vit
        yield 'vae', self.vae
        yield 'context', self.context
        yield 'text', self.text
        yield 'answer_only', self.answer_only
        yield 'flow', self.flow
        for name in self.cases['sample']:
            yield f'sample.{name}', lambda name=name: self.sample(name)
        yield 'interleave', self.interleave
        yield 'train', self.train

    def tokenizer(self) -> float:
        tokenizer, case = self.model.tokenizer, self.cases['context']
        texts = [step[1] for step in case['steps'] if step[0] == 'text']
        must_equal('system text', tokenizer.encode(texts[0]), case['system_ids'])
        must_equal('question', tokenizer.encode(texts[-1]), case['question_ids'])
        ids = self.facts['new_token_ids']
        must_equal('special tokens',
                   [tokenizer.text_start, tokenizer.text_end, tokenizer.image_start,
                    tokenizer.image_end],
                   [ids[name] for name in ('bos_token_id', 'eos_token_id', 'start_of_image',
                                           'end_of_image')])
        return 0.0

    def transform(self) -> float:
        image = self.numbers['transform.image'].numpy()
        errors = []
        for name, rule in (('vae', VAE_RULE), ('vit', VIT_RULE)):
            pixels = normalise(to_tensor(fit(image, rule)))
            must_equal(f'{name} shape', list(pixels.shape),
                       self.cases['transform'][f'{name}_shape'])
            middle = pixels[:, pixels.shape[1] // 2]
            errors.append(relative_error(middle, self.numbers[f'transform.{name}_row']))
        return max(errors)

    def resize_table(self) -> float:
        for size, vae, vit in self.cases['resize_table']:  # as (width, height)
            for name, rule, expected in (('vae', VAE_RULE, vae), ('vit', VIT_RULE, vit)):
                must_equal(f'{name} size of {size}',
                           list(fitted_size((size[1], size[0]), rule)[::-1]), expected)
        return 0.0

    @torch.no_grad()
    def vit(self) -> float:
        pixels, patch = self.numbers['vit.pixels'], self.config.vit.patch_size
        cells = grid_positions((pixels.shape[1] // patch, pixels.shape[2] // patch),
                               self.config.vit_max_num_patch_per_side).to(self.model.device)
        must_equal('position ids', cells, self.numbers['vit.position_ids'])
        patches = patchify(pixels, patch)[None].to(self.model.device)
        return max(
            relative_error(self.model.vit_model(patches, cells)[0], self.numbers['vit.features']),
            relative_error(self.model.embed_vit(patches, cells)[0], self.numbers['vit.embeds']))

    def vae(self) -> float:
        latent = self.model.vae.encode(self.numbers['vae.pixels'][None])[0]
        decoded = self.model.vae.decode(self.numbers['vae.latent'][None])[0]
        return max(relative_error(latent, self.numbers['vae.latent']),
                   relative_error(decoded, self.numbers['vae.decoded']))

    def _read(self) -> tuple[Context, Context, Context]:
        """Return the context of the case `context`, and its text-free and image-free branches."""
        context, image_free = Context(self.model), Context(self.model)
        text_free = context
        for kind, content, length, position in self.cases['context']['steps']:
            if kind == 'text':
                text_free = context.fork()
                context.add_text(content)
                image_free.add_text(content)
            else:
                context.add_image(self.images[content])
            must_equal(f'length and position after {content!r}',
                       [context.length, context.position], [length, position])
        return context, text_free, image_free

    def context(self) -> float:
        context, text_free, image_free = self._read()
        case = self.cases['context']
        for name, branch in (('cfg_text', text_free), ('cfg_img', image_free)):
            must_equal(f'length and position of {name}', [branch.length, branch.position],
                       [case[f'{name}_kv'], case[f'{name}_rope']])
        first, _ = context.keys_values(0)
        key, value = context.keys_values(self.config.llm.num_hidden_layers - 1)
        return max(relative_error(first, self.numbers['context.key_first']),
                   relative_error(key, self.numbers['context.key_last']),
                   relative_error(value, self.numbers['context.value_last']))

    def _greedy(self, name: str, context: Context) -> float:
        """Compare greedy tokens, which begin with <|im_start|>, and the first steps' logits."""
        tokens, logits = self.numbers[f'{name}.tokens'], self.numbers[f'{name}.logits']
        start = self.model.tokenizer.text_start
        written = generate_text(context, max_tokens=max(1, len(tokens) - 1)).tokens
        must_equal('tokens', [start, *written], tokens)
        rows = context.fork().add_tokens(tokens[:len(logits)].tolist())
        with torch.no_grad():
            return relative_error(self.model.logits(rows), logits)

    def text(self) -> float:
        return self._greedy('text', self._read()[0])

    def answer_only(self) -> float:
        context = Context(self.model)
        context.add_image(self.images[2], vit=True, vae=False)
        context.add_text(self.cases['context']['steps'][-1][1])
        return self._greedy('answer_only', context)

    def _grid(self) -> tuple[int, int]:
        height, width = self.cases['flow']['image_shape']
        return height // self.config.latent_stride, width // self.config.latent_stride

    def flow(self) -> float:
        cells = grid_positions(self._grid(), self.config.max_latent_size).to(self.model.device)
        noise = self.numbers['flow.noise'].to(self.model.device)
        found = velocity(self._read()[0].batch, noise[None], self.cases['flow']['timestep'], cells)
        return relative_error(found[0], self.numbers['flow.velocity'])

    def sample(self, name: str) -> float:
        case = self.cases['sample'][name]
        context, text_free, image_free = (one.batch for one in self._read())
        latent = sample_latents(
            context, size=tuple(self.cases['flow']['image_shape']), steps=case['num_timesteps'],
            shift=case['timestep_shift'], text_free=text_free, image_free=image_free,
            noise=self.numbers['flow.noise'][None],
            guidance=Guidance(case['cfg_text_scale'], case['cfg_img_scale'],
                              tuple(case['cfg_interval']), case['cfg_renorm_type'],
                              case['cfg_renorm_min']))[0]
        rows = patchify(latent, self.config.latent_patch_size)
        error = relative_error(rows, self.numbers[f'sample.{name}.latent'])
        if f'sample.{name}.image' in self.numbers:
            # 8-bit images cut fractions off: a difference of one level is rounding, not error.
            image = torch.from_numpy(self.model.vae.decode_image(latent)).int()
            expected = self.numbers[f'sample.{name}.image'].int()
            must_equal('image shape', list(image.shape), list(expected.shape))
            error = max(error, ((image - expected).abs().max().item() - 1) / 255)
        return error

    def interleave(self) -> float:
        context, case = self._read()[0], self.cases['interleave']
        context.add_text(case['script'])
        context.add_image(self.numbers['sample.global.image'].numpy())
        must_equal('length and position', [context.length, context.position],
                   [case['kv_len'], case['rope']])
        return self._greedy('interleave', context)

    def train(self) -> float:
        """Compare losses and gradients of a packed batch."""
        case, numbers, model = self.cases['train'], self.numbers, self.model
        latents = self._latents_padded()
        samples = [
            [TextSegment(content, loss=learned) if kind == 'text' else
             ImageSegment(self.images[content], noised=learned, latent=latents[content])
             for kind, content, learned in sample]
            for sample in case['samples']]
        batch = pack(samples, self.config, model.tokenizer)
        lengths = case['sample_lens']
        in_order = torch.cat([line[:n] for line, n in zip(batch.lines, lengths)])
        must_equal('tokens', batch.tokens, sum(lengths))
        must_equal('positions', batch.positions[in_order], numbers['train.position_ids'])
        must_equal('mask of sample 0', batch.mask[0, 0, :lengths[0], :lengths[0]],
                   numbers['train.attention_mask0'])
        must_equal('labels', batch.labels, numbers['train.label_ids'])
        batch.times = shift_time(numbers['train.packed_timesteps_logit'].sigmoid(),
                                 self.config.timestep_shift)
        batch.noise = numbers['train.noise'][batch.noised]
        model.zero_grad()
        loss = model.loss(batch.to(model.device))
        total = loss.ce + loss.mse
        total.backward()
        norms = {name: parameter.grad.norm().item()
                 for name, parameter in model.named_parameters() if parameter.grad is not None}
        must_equal('parameters with gradients', sorted(norms), sorted(case['grad_norms']))
        # The floor is for gradients that are zero but for rounding.
        gradients = max(abs(norms[name] - expected) / (expected + 1e-3)
                        for name, expected in case['grad_norms'].items())
        return max(relative_error(loss.ce_tokens, numbers['train.ce']),
                   relative_error(loss.mse_values, numbers['train.mse']),
                   abs(total.item() - case['loss']) / abs(case['loss']), gradients)

    def _latents_padded(self) -> dict[int, Tensor]:
        """
        Encode the images the way the reference's training does, padded to a common size.

        Zeros beside an image do change its latent a little; `pack` encodes images as they are,
        which is what inference does.
        """
        pixels = {i: normalise(to_tensor(fit(image, self.config.vae_transform)))
                  for i, image in self.images.items()}
        used = {content for sample in self.cases['train']['samples']
                for kind, content, _ in sample if kind == 'image'}
        height, width = (max(pixels[i].shape[side] for i in used) for side in (1, 2))
        factor = self.config.vae.downsample
        latents = {}
        for i in used:
            h, w = pixels[i].shape[1:]
            padded = torch.zeros(1, 3, height, width)
            padded[0, :, :h, :w] = pixels[i]
            latents[i] = self.model.vae.encode(padded)[0, :, :h // factor, :w // factor].cpu()
        return latents


def verify(folder: str | Path, tolerance: float = TOLERANCE, device: str = 'cpu',
           on_row: Callable[[Row], None] | None = None) -> list[Row]:
    """Run every case of a golden folder. Raises BagelError if its checkpoint cannot be loaded."""
    golden = Golden(Path(folder), device)
    rows = []
    for case, run in golden.runs():
        try:
            error, note = run(), ''
        except Mismatch as mismatch:
            error, note = float('inf'), str(mismatch)
        except Exception as failure:  # one broken case must not hide the others
            error, note = float('inf'), f'{failure!r}'
            traceback.print_exc()
        rows.append(Row(case, error, note, error <= tolerance))
        if on_row is not None:
            on_row(rows[-1])
    return rows


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog='python -m ipt_ros.bagel.verify',
                                     description='Compare the model with golden numbers.')
    parser.add_argument('folder', type=Path, help='checkpoint folder with golden.json beside it')
    parser.add_argument('--tolerance', type=float, default=TOLERANCE)
    parser.add_argument('--device', default='cpu')
    options = parser.parse_args(arguments)

    def show(row: Row) -> None:
        verdict = 'ok' if row.passed else 'FAILED'
        print(f'{row.case:22}  {row.error:9.2e}  {verdict:6}  {row.note[:300]}'.rstrip(),
              flush=True)

    print(f'{"case":22}  {"error":>9}')
    try:
        rows = verify(options.folder, options.tolerance, options.device, show)
    except (BagelError, Mismatch, OSError, KeyError, ValueError) as error:
        print(f'cannot verify {options.folder}: {error}', file=sys.stderr)
        return 1
    failed = sum(not row.passed for row in rows)
    print(f'{len(rows) - failed} of {len(rows)} cases within {options.tolerance:g}')
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
