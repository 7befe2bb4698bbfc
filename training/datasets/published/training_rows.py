# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Rows as trainers eat them: ``image_list``, ``instruction_list``, ``output_text_list``.

One layout, four forms, told apart by what the model is to write:

- IPT: a thought, the imagined image (the last one of the list), the answer;
- with text on both sides of the image: the second text is kept as ``after_image``;
- text chain of thought: ``<think>...</think><answer>A</answer>`` and no image to imagine;
- answer only: ``<answer>A</answer>``.

The elements of ``instruction_list`` belong together: path-tracing rows have the system prompt in
the first and the question in the second. Where ``num_input_images`` is missing, all images but the
imagined one are inputs. Of several answers in one text the last one counts, as in evaluation.

Refused are rows that would teach something else than they say: conversations of several turns,
since a later question ('And tables?') means nothing without those before it; answers that are none
of the question's choices; tags of images and thoughts that do not fit the images or each other;
and answers by letter to questions that list no choices, as the released conversion of perspective
taking makes them.
"""

import re

from ipt_ros.spatial import Example, guess_task, Question
from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, THINK_PROMPT
from ipt_training.answers import answer_letter, AnswerError
from ipt_training.datasets.published.choices import asks_again, choices_in
from ipt_training.datasets.published.layout import Layout
from ipt_training.row import Row

# Every published system prompt ends with one of these.
_PROMPT_ENDS = (
    'i.e.<answer> answer here </answer>.',
    'i.e. <answer> answer here </answer>. Do not think or generate any images.',
    'i.e. <answer> answer here </answer>.',
)
_ANSWER = re.compile(r'<answer>\s*((?:(?!<answer>).)*?)\s*</answer>', re.DOTALL)
_THOUGHT = re.compile(r'<think>(.*?)</think>', re.DOTALL)
# The prompt writes the second tag with a slash, published rows without.
_IMAGE = re.compile(r'(<image_start>)|(</?image_end>)')
_THINK = re.compile(r'(<think>)|(</think>)')
# 'B', '(B)', 'b.', 'B. left': an answer by letter.
_LETTERED = re.compile(r'\(?([A-Za-z])\)?[.:)]?|\(?([A-Z])(?:\)|[.:)])\s.*', re.DOTALL)


def _example(row: Row) -> Example:
    prompt, text = _asked(row)
    before, after = _written(row)
    imagines = after is not None
    last = after if imagines else before
    answers = _ANSWER.findall(last)
    if not answers or '<answer>' in last.rpartition('</answer>')[2]:
        raise row.bad('output_text_list', 'an answer in <answer></answer> at the end', last)
    images = row.images('image_list')
    inputs = row.whole('num_input_images') if row.has('num_input_images') else (
        len(images) - imagines)
    if inputs < 1 or len(images) != inputs + imagines:
        raise row.bad(
            'image_list', f'{inputs} input image(s) and {int(imagines)} to imagine',
            f'{len(images)} image(s)', 'image_list: wrong number of images')
    thought = _THOUGHT.search(before)
    metadata = {'scene': '', 'form': _form(imagines, thought)}
    if prompt not in (THINK_PROMPT.strip(), ''):
        metadata['system_prompt'] = prompt
    if thought and not imagines:
        metadata['chain_of_thought'] = thought[1]
    later = _THOUGHT.search(after) if imagines else None
    if later:
        metadata['after_image'] = later[1]
    task = 'pt' if 'waypoint' in text.lower() else guess_task(text, inputs).name
    return Example(
        task=task,
        variant=metadata['form'],
        images=images[:inputs],
        target=images[-1] if imagines else None,
        think=thought[1] if thought and imagines else '',
        questions=[_question(row, text, answers[-1])],
        metadata=metadata,
    )


def _asked(row: Row) -> tuple[str, str]:
    """Return system prompt and question. Raise BadRowError for none, or for several questions."""
    parts = row.texts('instruction_list')
    prompt, text = split_prompt('\n'.join(parts))
    if not text:
        raise row.bad('instruction_list', 'a question, after the system prompt', prompt,
                      'instruction_list: no question')
    if sum('?' in split_prompt(part)[1] for part in parts) > 1 or asks_again(text):
        raise row.refused(
            'instruction_list', 'expected one question, found several, as in a conversation; make '
            f'a row of each: {text[:160]!r}', 'instruction_list: several questions')
    return prompt, text


def _written(row: Row) -> tuple[str, str | None]:
    """
    Return what is to be written before the imagined image, and after it; None for no image.

    Raise BadRowError where tags do not fit each other or the texts.
    """
    texts = row.texts('output_text_list')
    whole = '\n'.join(texts)
    if sum('<answer>' in text for text in texts) > 1:
        raise row.refused(
            'output_text_list', 'expected one text with an answer, found several, as in a '
            f'conversation; make a row of each: {whole[:160]!r}',
            'output_text_list: several answers')
    tags = ''.join('s' if start else 'e' for start, _ in _IMAGE.findall(whole))
    if tags not in ('', 'se'):
        raise row.refused(
            'output_text_list', 'expected <image_start> and <image_end> once each, for the one '
            f'image to imagine, or not at all, found: {" ".join(_tags(_IMAGE, whole))}',
            'output_text_list: image tags do not match')
    parts = re.split('<image_start>', whole) if tags else [whole]
    for part in parts:
        if ''.join('s' if start else 'e' for start, _ in _THINK.findall(part)) not in ('', 'se'):
            raise row.refused(
                'output_text_list', 'expected at most one thought between <think> and </think> '
                f'on each side of the image, found: {" ".join(_tags(_THINK, part))}',
                'output_text_list: thought tags do not match')
    return (parts[0], parts[1]) if tags else (whole, None)


def _tags(pattern: re.Pattern[str], text: str) -> list[str]:
    return [match[0] for match in pattern.finditer(text)]


def split_prompt(text: str) -> tuple[str, str]:
    """Return system prompt ('' if there is none) and question, both without blanks around."""
    for prompt in (THINK_PROMPT.strip(), ANSWER_ONLY_PROMPT):
        if text.strip().startswith(prompt):
            return prompt, text.strip().removeprefix(prompt).strip()
    for end in _PROMPT_ENDS:
        head, found, tail = text.partition(end)
        if found:
            return (head + end).strip(), tail.strip()
    return '', text.strip()


def _form(imagines: bool, thought: re.Match | None) -> str:
    if imagines:
        return 'ipt'
    return 'text_cot' if thought and thought[1].strip() else 'answer_only'


def _question(row: Row, text: str, answer: str) -> Question:
    choices = choices_in(text)
    if choices and answer:
        try:
            return Question(text, choices, answer_letter(answer, choices))
        except AnswerError as error:
            raise row.refused(
                'output_text_list', f'expected an answer that is one of the choices {choices}, '
                f'found {answer[:80]!r}: {error}', f'output_text_list: answer: {error}') from None
    letter = _LETTERED.fullmatch(answer)
    if letter:
        raise row.bad(
            'instruction_list', f"the choices that the answer '{answer[:40]}' belongs to", text,
            'instruction_list: no choices for the answer')
    return Question(text, choices, metadata={'truth': answer})


TRAINING_ROWS = Layout(
    'training_rows', 'interleaved training rows (pt-ipt, *-textcot, *-answeronly)',
    {'image_list': 'list of images', 'instruction_list': 'list of texts',
     'output_text_list': 'list of texts'},
    _example, {'num_input_images': 'whole number'})
