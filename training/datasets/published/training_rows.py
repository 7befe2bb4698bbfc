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
imagined one are inputs. Rows whose answer is a letter but whose question lists no choices, as the
released conversion of perspective taking makes them, teach nothing and are refused.
"""

import re

from ipt_ros.spatial import Example, guess_task, LETTERS, Question
from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, IMAGE_START, THINK_PROMPT
from ipt_training.datasets.published.choices import choices_in
from ipt_training.datasets.published.layout import Layout
from ipt_training.datasets.published.rows import Row

# Every published system prompt ends with one of these.
_PROMPT_ENDS = (
    'i.e.<answer> answer here </answer>.',
    'i.e. <answer> answer here </answer>. Do not think or generate any images.',
    'i.e. <answer> answer here </answer>.',
)
_ANSWER = re.compile(r'<answer>\s*(.*?)\s*</answer>', re.DOTALL)
_THOUGHT = re.compile(r'<think>(.*?)</think>', re.DOTALL)


def _example(row: Row) -> Example:
    prompt, text = split_prompt('\n'.join(row.texts('instruction_list')))
    if not text:
        raise row.bad('instruction_list', 'a question, after the system prompt', prompt,
                      'instruction_list: no question')
    outputs = row.texts('output_text_list')
    answer = _ANSWER.search(outputs[-1])
    if answer is None:
        raise row.bad('output_text_list', 'an answer in <answer></answer> at the end', outputs[-1])
    imagines = IMAGE_START in outputs[0]
    images = row.images('image_list')
    inputs = row.whole('num_input_images') if row.has('num_input_images') else (
        len(images) - imagines)
    if inputs < 0 or len(images) != inputs + imagines:
        raise row.bad(
            'image_list', f'{inputs} input image(s) and {int(imagines)} to imagine',
            f'{len(images)} image(s)', 'image_list: wrong number of images')
    thought = _THOUGHT.search(outputs[0])
    metadata = {'scene': '', 'form': _form(imagines, thought)}
    if prompt not in (THINK_PROMPT.strip(), ''):
        metadata['system_prompt'] = prompt
    if thought and not imagines:
        metadata['chain_of_thought'] = thought[1]
    later = _THOUGHT.search(outputs[-1]) if imagines else None
    if later and len(outputs) > 1:
        metadata['after_image'] = later[1]
    task = 'pt' if 'waypoint' in text.lower() else guess_task(text, inputs).name
    return Example(
        task=task,
        variant=metadata['form'],
        images=images[:inputs],
        target=images[-1] if imagines else None,
        think=thought[1] if thought and imagines else '',
        questions=[_question(row, text, answer[1])],
        metadata=metadata,
    )


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
    letter = answer.strip('().')
    if choices and letter in LETTERS[:len(choices)]:
        return Question(text, choices, letter)
    if len(letter) == 1 and letter in LETTERS:
        raise row.bad(
            'instruction_list', f"the choices that the answer '{letter}' belongs to", text,
            'instruction_list: no choices for the answer')
    return Question(text, choices, metadata={'truth': answer})


TRAINING_ROWS = Layout(
    'training_rows', 'interleaved training rows (pt-ipt, *-textcot, *-answeronly)',
    {'image_list': 'list of images', 'instruction_list': 'list of texts',
     'output_text_list': 'list of texts'},
    _example, {'num_input_images': 'whole number'})
