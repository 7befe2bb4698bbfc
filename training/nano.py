# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
From nothing to a checkpoint folder: scenes, tokens, encoder, letters, answers, VAE, images.

``ipt train`` (``make train-nano``) follows such a recipe through all its stages. Each resumes
where it was stopped, and a finished one is passed over.
"""

from collections.abc import Callable, Mapping
import json
from pathlib import Path

from ipt_ros.bagel import Bagel, BagelConfig, Tokenizer, Vae
from ipt_ros.bagel.config import from_dict
from ipt_ros.bagel.tensor_files import kept_tensors, write_tensors
from ipt_ros.outputs import check_folder
from ipt_ros.spatial.prompts import (
    after_image_text,
    ANSWER_ONLY_PROMPT,
    answer_text,
    THINK_PROMPT,
)
import numpy as np
from safetensors.torch import load_file
import torch

from .align import align_connector, tie_first_head
from .data import add_latents, load_tasks, TaskData
from .drawn_latents import add_drawn, draw_latents
from .examples import scene_seeds
from .finetune.latents import mark
from .generate import generate
from .generate_maps import generate_maps
from .listings import COMPASS_HEADING, turned_heading, TURNS
from .locking import only_one
from .map_store import load_maps, map_classes
from .places import where_question
from .recipe import Recipe, RecipeError
from .relations import answer_in_words, compass_words, on_map, relations
from .store import class_names, load_examples
from .tokenizer import build_tokenizer
from .train_decoder import train_decoder
from .train_encoder import encode_pixels, joined, train_encoder
from .train_maps import count_grid, train_maps
from .train_model import train_model
from .train_vae import latent_statistics, train_vae

STAGES = ('data', 'tokenizer', 'encoder', 'maps', 'letters', 'answers', 'vae', 'decoder',
          'mixed', 'drawing', 'trust', 'redrawing')


class Build:
    """One run of a recipe; every stage is a method, every result a file in ``work_dir``."""

    def __init__(self, recipe: Recipe, data: Path | None = None, start: Path | None = None):
        self.recipe = recipe
        self.start = start
        self.work = recipe.work_dir
        self.data = data or self.work / 'data'
        self._finished: Path | None = None  # what this run made, of ``start`` or of nothing
        self._loaded: tuple[dict[str, TaskData], list[str]] | None = None

    def run(self, stages: list[str]) -> None:
        """Run the stages in order. Raises StoreError while another process does so."""
        check_folder(self.recipe.checkpoint.parent)
        with only_one(self.work):
            for stage in STAGES:
                if stage in stages:
                    print(f'--- {self.recipe.name}: {stage}', flush=True)
                    getattr(self, f'make_{stage}')()

    def make_data(self) -> None:
        """Generate the examples that the recipe asks for."""
        data = self.recipe.data
        generate(list(data.tasks), data.examples // len(data.tasks), data.seed, self.data,
                 data.workers)
        if 'mvc' in data.tasks and self.recipe.maps.number:
            first = scene_seeds(data.seed, data.examples // len(data.tasks))[-1] + 1
            generate_maps(self.recipe.maps.number, first, self._maps_folder, data.workers)

    def make_tokenizer(self) -> None:
        """Learn the vocabulary from the training texts."""
        if (self.work / 'tokenizer' / 'tokenizer.json').exists():
            return
        texts = [THINK_PROMPT, ANSWER_ONLY_PROMPT] * 50
        for name in class_names(self.data):
            texts += [where_question(name)] * 20
        for example in load_examples(self.data):
            texts.append(example.think)
            for question in example.questions:
                texts += [question.text, after_image_text(question.answer),
                          answer_text(question.answer_choice)]
            for relation in relations(example):
                texts += [f'{turned_heading(example.task, turn)} {relation.name} '
                          f'{answer_in_words(relation, turn)},' for turn in TURNS[example.task]]
                if relation.heading is not None:
                    texts.append(f'{COMPASS_HEADING} {relation.name} {on_map(relation)}, way '
                                 f'{compass_words(relation.heading)}')
        size = build_tokenizer(texts, self.recipe.tokenizer['vocabulary'],
                               self.work / 'tokenizer')
        print(f'{size} tokens from {len(texts)} texts')

    def make_vae(self) -> None:
        """Train the VAE and measure its latents."""
        if (self.work / 'vae.safetensors').exists():
            return
        torch.manual_seed(self.recipe.seed)
        vae = Vae(self.config().vae)
        vae.requires_grad_(True)
        stage = self.recipe.vae
        groups = self._image_groups()
        train_vae(vae.net, groups, steps=stage.steps, batch_size=stage.batch_size,
                  crop=stage.crop, kl_weight=stage.kl_weight, settings=stage.optimizer,
                  folder=self.work, seed=self.recipe.seed)
        mean, spread = latent_statistics(vae.net, groups)
        factors = {'shift_factor': round(mean, 4), 'scale_factor': round(1 / spread, 4)}
        (self.work / 'vae.json').write_text(json.dumps(factors))
        self._save_vae(vae, 'vae')

    def make_decoder(self) -> None:
        """Train the VAE's decoder on whole images, and on latents that are a little off."""
        if (self.work / 'decoder.safetensors').exists():
            return
        if self.start:
            vae = Bagel.from_checkpoint(self.start, dtype=torch.float32).vae
        else:
            vae = Vae(self.config().vae)
            vae.load(self._saved_vae('vae'))
        stage = self.recipe.decoder
        train_decoder(vae, self._image_groups(), steps=stage.steps, batch_size=stage.batch_size,
                      noise=stage.noise, settings=stage.optimizer, folder=self.work,
                      seed=self.recipe.seed)
        self._save_vae(vae, 'decoder')

    def make_encoder(self) -> None:
        """Train the image encoder on the dense truth."""
        if (self.work / 'encoder.safetensors').exists():
            return
        model = self.new_model()
        tasks, classes = self.loaded()
        stage, vit = self.recipe.encoder, model.config.vit
        train_encoder(
            model.vit_model, lambda pixels: encode_pixels(model, pixels),
            [group for data in tasks.values() for group in data.dense_groups()],
            width=vit.hidden_size, patch=vit.patch_size, classes=len(classes), cell=stage.cell,
            steps=stage.steps, batch_size=stage.batch_size, settings=stage.optimizer,
            folder=self.work, seed=self.recipe.seed)
        write_tensors(self.work / 'encoder.safetensors', model.vit_model.state_dict())

    def make_maps(self) -> None:
        """Train the image encoder on maps, other images look to it as before."""
        result = self.work / 'maps.safetensors'
        if result.exists():
            return
        if self.start:
            model = Bagel.from_checkpoint(self.start, dtype=torch.float32)
        else:
            model = self.new_model()
            model.vit_model.load_state_dict(load_file(self.work / 'encoder.safetensors'))
        known = encoder_mark(model)
        if 'mvc' in self.recipe.data.tasks:  # no other task has maps without a path on them
            self._train_maps(model)
        write_tensors(result, model.vit_model.state_dict(), known)

    def make_letters(self) -> None:
        """Train the model to read choices, and give it the trained image encoder."""
        self._make('letters', self._take_encoder)

    def make_answers(self) -> None:
        """Train the decoder to find things in images by their names."""
        def prepare(model: Bagel) -> None:
            model.load_state_dict(load_file(self.work / 'letters.safetensors'))
            tasks, names = self.loaded()
            groups = [group for data in tasks.values() for group in data.dense_groups()]
            error = align_connector(model, groups, names, seed=self.recipe.seed)
            tie_first_head(model)
            print(f'connector aligned, mean squared error {error:.3f} of 1', flush=True)

        self._make('answers', prepare)

    def make_mixed(self) -> None:
        """Train it to imagine as well, and write the checkpoint folder."""
        if self.start:
            model = Bagel.from_checkpoint(self.start, dtype=torch.float32)
        else:
            model = self.new_model()
            model.load_state_dict(load_file(self.work / 'answers.safetensors'))
        if (self.work / 'decoder.safetensors').exists() or not self.start:
            saved = self._saved_vae('decoder')
            if self.start:
                check_same_encoder(saved, model.vae, self.start, self.work, 'decoder')
            model.vae.load(saved)
        if self.start:
            self._take_encoder(model)
        self._add_latents(model)
        self._train('mixed', model)
        self._save_checkpoint(model)

    def make_drawing(self) -> None:
        """Train the decoder on what the model draws, and write the checkpoint folder again."""
        self._train_drawing('drawing')

    def make_redrawing(self) -> None:
        """Do so again, for a model that was trained since draws a little otherwise."""
        self._train_drawing('redrawing')

    def make_trust(self) -> None:
        """Train answers behind what the model draws itself; write the checkpoint folder again."""
        model = Bagel.from_checkpoint(self._source(), dtype=torch.float32)
        if self.start and not self._finished:
            self._take_encoder(model)
        self._add_latents(model)
        stage = self.recipe.trust
        for task, data in self.loaded()[0].items():
            if f'own-{task}' in stage.samples:
                add_drawn(data, model, min(stage.drawn, len(data)), self.recipe.seed,
                          self._drawn_file('drawing', task))
        self._train('trust', model)
        self._save_checkpoint(model)

    def _source(self) -> Path:
        """Return the checkpoint that a stage after the mixed one goes on from."""
        return self._finished or self.start or self.recipe.checkpoint

    def _save_checkpoint(self, model: Bagel) -> None:
        model.save_checkpoint(self.recipe.checkpoint, dtype=torch.bfloat16)
        print(f'wrote {self.recipe.checkpoint}')
        self._finished = self.recipe.checkpoint

    def _train_maps(self, model: Bagel) -> None:
        tasks, classes = self.loaded()
        counting, vit = tasks['mvc'], model.config.vit
        rows, columns = (side // vit.patch_size for side in counting.targets.shape[1:3])
        images, middles = counting.dense_groups()[1], counting.target_middles
        if counting.maps is not None:
            images = joined(images, counting.maps.truth)
            middles = [*middles, *counting.maps.middles]
        train_maps(
            model.vit_model, lambda encoder, pixels: encode_pixels(model, pixels, encoder),
            images, np.stack([count_grid(found, rows, columns, classes) for found in middles]),
            [group for data in tasks.values() for group in data.image_groups()
             if group is not counting.targets],
            names=classes, width=vit.hidden_size, patch=vit.patch_size,
            settings=self.recipe.maps, folder=self.work, seed=self.recipe.seed)

    def _train_drawing(self, name: str) -> None:
        source = self._source()
        model = Bagel.from_checkpoint(source, dtype=torch.float32)
        if not (self.work / f'{name}.safetensors').exists():
            stage = self.recipe.drawing
            tasks = self.loaded()[0]
            drawn = [draw_latents(model, data, min(stage.examples, len(data)), self.recipe.seed,
                                  self._drawn_file(name, task)) for task, data in tasks.items()]
            train_decoder(
                model.vae, [data.targets[:len(own)] for data, own in zip(tasks.values(), drawn)],
                drawn=drawn, stage=name, steps=stage.steps, batch_size=stage.batch_size,
                noise=stage.noise, settings=stage.optimizer, folder=self.work,
                seed=self.recipe.seed)
            self._save_vae(model.vae, name)
        saved = self._saved_vae(name)
        check_same_encoder(saved, model.vae, source, self.work, name)
        model.vae.load(saved)
        self._save_checkpoint(model)

    def _drawn_file(self, stage: str, task: str) -> Path:
        return self.work / f'{stage}-{task}.safetensors'

    def _take_encoder(self, model: Bagel) -> None:
        """Give a model the encoder that learned maps; with a start, if it was that one's own."""
        result = self.work / 'maps.safetensors'
        if self.start and result.exists():
            learned = kept_tensors(result, encoder_mark(model))
            if learned is None:
                raise RecipeError(
                    f"{result} was trained for another checkpoint than '{self.start}'; delete it "
                    'and maps.pt, or give another work_dir')
            model.vit_model.load_state_dict(learned)
        elif not self.start:
            model.vit_model.load_state_dict(load_file(result))

    def _add_latents(self, model: Bagel) -> None:
        for task, data in self.loaded()[0].items():
            if data.input_latents is None:
                add_latents(data, model.vae, self.work / f'latents-{task}.safetensors')

    def _image_groups(self) -> list[np.ndarray]:
        return [group for data in self.loaded()[0].values() for group in data.image_groups()]

    def _save_vae(self, vae: Vae, stage: str) -> None:
        # As it will be shipped: these very latents are what the model has to learn.
        write_tensors(
            self.work / f'{stage}.safetensors',
            {k: v.bfloat16().contiguous() for k, v in vae.named_tensors().items()})

    def _saved_vae(self, stage: str) -> dict[str, torch.Tensor]:
        # What is trained or computed with is float32; rounding to bfloat16 eats small steps.
        return {name: value.float()
                for name, value in load_file(self.work / f'{stage}.safetensors').items()}

    def _make(self, stage: str, prepare: Callable[[Bagel], object]) -> None:
        """Train a new model that ``prepare`` gave its first weights, and keep its weights."""
        result = self.work / f'{stage}.safetensors'
        if result.exists():
            return
        model = self.new_model()
        prepare(model)
        self._train(stage, model)
        write_tensors(result, model.state_dict())

    def _train(self, stage: str, model: Bagel) -> None:
        train_model(stage, model, self.loaded()[0], getattr(self.recipe, stage),
                    folder=self.work, seed=self.recipe.seed)

    @property
    def _maps_folder(self) -> Path:
        return self.data / 'maps'

    def loaded(self) -> tuple[dict[str, TaskData], list[str]]:
        """Return the examples, read once."""
        if self._loaded is None:
            # A map may show what no example does.
            self._loaded = tasks, classes = load_tasks(
                self.data, list(self.recipe.data.tasks), map_classes(self._maps_folder))
            if 'mvc' in tasks and self._maps_folder.exists():
                tasks['mvc'].maps = load_maps(self._maps_folder, classes)
        return self._loaded

    def config(self, vocabulary: int = 512) -> BagelConfig:
        """Return the model's sizes; those that stages measured are filled in once they ran."""
        values = {**self.recipe.model}
        values['llm'] = {**values['llm'], 'vocab_size': -(-vocabulary // 64) * 64}
        if (self.work / 'vae.json').exists():
            values['vae'] = {**values['vae'], **json.loads((self.work / 'vae.json').read_text())}
        return from_dict(BagelConfig, values)

    def new_model(self) -> Bagel:
        """Return a model with random weights and the tokenizer of the earlier stage."""
        tokenizer = Tokenizer.from_folder(self.work / 'tokenizer')
        return Bagel.from_config(self.config(len(tokenizer)), tokenizer, seed=self.recipe.seed)


def encoder_mark(model: Bagel) -> dict[str, str]:
    """Return what tells a model's image encoder from others, for the metadata of a file."""
    return {'encoder': mark(str(model.config.vit), model.vit_model.state_dict())}


def check_same_encoder(saved: Mapping[str, torch.Tensor], vae: Vae, start: Path,
                       work: Path, stage: str) -> None:
    """Raise RecipeError where a decoder was trained on other latents than those of ``vae``."""
    ours = vae.named_tensors()
    if not all(torch.equal(value, ours[name].float()) for name, value in saved.items()
               if name.startswith('encoder.')):
        raise RecipeError(
            f'{work / stage}.safetensors was trained for the latents of another checkpoint than '
            f"'{start}'; delete it and {stage}.pt, or give another work_dir")
