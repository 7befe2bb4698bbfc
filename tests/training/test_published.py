# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Small files in the layouts of published data sets become examples; damaged ones are named."""

from collections import Counter
from pathlib import Path

import cv2
from hypothesis import given, settings
from hypothesis import strategies as st
from ipt_ros.spatial import LETTERS
from ipt_ros.spatial.prompts import ANSWER_ONLY_PROMPT, THINK_PROMPT
from ipt_training.answers import answer_letter, AnswerError
from ipt_training.datasets.published import (
    BadRowError,
    LAYOUTS,
    load_published,
    PublishedError,
    Row,
)
from ipt_training.datasets.published.choices import choices_in, number_choices
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

EMBEDDED = pa.struct([('bytes', pa.binary()), ('path', pa.string())])
MVC_QUESTION = 'How many chair(s) are in this area? A) 1 B) 2 C) 3 D) 4'


def picture(value: int, extension: str = '.png') -> bytes:
    image = np.full((12, 16, 3), value, np.uint8)
    return cv2.imencode(extension, image)[1].tobytes()


def embedded(value: int) -> dict:
    return {'bytes': picture(value), 'path': f'{value}.png'}


def write(path: Path, columns: dict[str, tuple[list, pa.DataType]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({n: pa.array(v, kind) for n, (v, kind) in columns.items()}), path)
    return path


def pet_columns(rows: int = 2) -> dict:
    texts = {
        'question_no_arrow': 'Will the window be closer or further?',
        'question_with_arrow': 'The arrow shows where you look. Closer or further?',
        'question': 'Will the window be closer or further?',
        'answer': 'B',
        'answer_choices': '["Further", "Closer"]',
        'question_type': 'perspective_distance_change',
        'scene_name': 'ProcTHOR_House_0809',
        'trajectory_id': 'perspective_sample_3',
    }
    images = {'marked_image_no_arrow': 10, 'marked_image_with_arrow': 20, 'marked_image': 10,
              'new_perspective': 30}
    return {name: ([text] * rows, pa.string()) for name, text in texts.items()} | {
        name: ([embedded(value + k) for k in range(rows)], EMBEDDED)
        for name, value in images.items()}


def training_columns(instructions, outputs, images: int, inputs: int | None) -> dict:
    columns = {
        'image_list': ([[picture(k) for k in range(images)]], pa.list_(pa.binary())),
        'instruction_list': ([instructions], pa.list_(pa.string())),
        'output_text_list': ([outputs], pa.list_(pa.string())),
    }
    if inputs is not None:
        columns['num_input_images'] = ([inputs], pa.int64())
    return columns


def one(path: Path, **options):
    (example,) = load_published(path, **options)
    return example


def test_perspective_rows_get_the_choices_that_the_release_forgot(tmp_path):
    file = write(tmp_path / 'distance_change_closer-00000-of-00001.parquet', pet_columns())
    first, second = load_published(file)
    question = first.questions[0]
    assert question.text == 'Will the window be closer or further?\n(A) Further\n(B) Closer'
    assert (question.answer, question.answer_choice) == ('B', 'Closer')
    assert question.subtask == 'distance_change_closer'
    assert (first.task, first.variant) == ('pet', 'no_arrow')
    assert first.images[0].shape == (12, 16, 3) and (first.images[0] == 10).all()
    assert (first.target == 30).all() and (second.target == 31).all()
    assert first.metadata['scene'] == 'ProcTHOR_House_0809'


@pytest.mark.parametrize(('cell', 'fits'), [
    ("['Further', 'Closer']", True), ('Further, Closer', False), ('{"A": "Closer"}', False),
    ('[1, 2]', False), ('[]', False)])
def test_choices_may_be_a_list_in_a_text(tmp_path, cell, fits):
    columns = pet_columns(1) | {'answer_choices': ([cell], pa.string())}
    file = write(tmp_path / 'test.parquet', columns)
    if fits:
        assert one(file).questions[0].choices == ['Further', 'Closer']
    else:
        with pytest.raises(BadRowError, match="column 'answer_choices': expected a list of texts"):
            list(load_published(file))


def test_perspective_rows_with_the_arrow_are_asked_for_by_name(tmp_path):
    file = write(tmp_path / 'test.parquet', pet_columns(1))
    example = one(file, layout='pet_with_arrow')
    assert 'arrow' in example.questions[0].text and (example.images[0] == 20).all()
    assert example.questions[0].subtask == 'perspective_distance_change'


def test_habitat_names_of_sub_tasks_are_ours(tmp_path):
    file = write(tmp_path / 'position_left_right-00000-of-00002.parquet', pet_columns(1))
    assert one(file).questions[0].subtask == 'relative_position_left_right'


def test_first_perspective_release_keeps_the_choices_it_has(tmp_path):
    text = 'Will it get closer or further away?\nB) Closer\nA) Further'
    file = write(tmp_path / 'train.parquet', {
        'question': ([text], pa.string()), 'answer': (['Closer'], pa.string()),
        'choices': ([['Further', 'Closer']], pa.list_(pa.string())),
        'marked_image': ([embedded(1)], EMBEDDED),
        'new_perspective': ([embedded(2)], EMBEDDED)})
    question = one(file).questions[0]
    assert question.text == text and question.answer == 'B'


def path_columns() -> dict:
    return {
        'question_id': (['ithor_val_FloorPlan25_0001_td_reverse_left_t2_ego_dir'], pa.string()),
        'question': (['As shown in <image_1>. Which object is on your left at M1?'], pa.string()),
        'answer': (['C'], pa.string()),
        'choices': ([['a sponge', 'an apple', 'a burner', 'a cabinet']], pa.list_(pa.string())),
        'topdown_image': ([embedded(1)], EMBEDDED),
        'ego_images': ([[embedded(2), embedded(3)]], pa.list_(EMBEDDED)),
        'sideview_image': ([embedded(4)], EMBEDDED),
        'sideview_desc': (["Here's what's on my left at midpoint M1: <image_4>."], pa.string()),
    }


def test_path_tracing_rows_are_map_and_views_then_the_side_view(tmp_path):
    example = one(write(tmp_path / 'test.parquet', path_columns()))
    assert [int(image[0, 0, 0]) for image in example.images] == [1, 2, 3]
    assert (example.target == 4).all()
    assert (example.task, example.variant) == ('pt', 'td_ego_dir')
    assert example.questions[0].text.endswith('\n(C) a burner\n(D) a cabinet')
    assert 'As shown in <img><|image_1|></img>.' in example.questions[0].text
    assert example.think.startswith("Here's what's on my left") and '<image' not in example.think
    assert example.metadata['scene'] == 'FloorPlan25'


def test_real_path_tracing_has_one_image_and_nothing_to_imagine(tmp_path):
    columns = path_columns()
    file = write(tmp_path / 'td_path_arrow' / 'test.parquet', {
        'image': columns['topdown_image'],
        **{name: columns[name] for name in ('question', 'answer', 'choices')}})
    example = one(file)
    assert example.variant == 'td_path_arrow' and example.target is None
    assert 'left' in example.think
    assert len(example.images) == 1


def test_other_questions_with_the_same_columns_do_not_pass_for_path_tracing(tmp_path):
    columns = path_columns()
    file = write(tmp_path / 'vqa.parquet', {
        'image': columns['topdown_image'], 'answer': columns['answer'],
        'choices': columns['choices'], 'question': (['What is in the picture?'], pa.string())})
    with pytest.raises(BadRowError, match='expected a question about a waypoint'):
        list(load_published(file))


def mvc_columns(**changes) -> dict:
    columns = {
        'question': ([MVC_QUESTION], pa.string()), 'answer': (['C'], pa.string()),
        'movement_type': (['square'], pa.string()), 'scene_name': (['House_1'], pa.string()),
        'topdown_map': ([embedded(9)], EMBEDDED),
        **{f'frame_{k}': ([embedded(k) if k < 4 else None], EMBEDDED) for k in range(8)}}
    return columns | changes


def test_counting_rows_take_the_frames_that_are_there(tmp_path):
    example = one(write(tmp_path / 'train.parquet', mvc_columns()))
    assert [int(image[0, 0, 0]) for image in example.images] == [0, 1, 2, 3]
    question = example.questions[0]
    assert (question.text, question.choices) == (MVC_QUESTION, ['1', '2', '3', '4'])
    assert question.metadata == {'category': 'chair', 'count': 3}
    assert example.variant == 'multi_camera' and (example.target == 9).all()


def test_counting_rows_may_answer_in_words_and_keep_choices_apart(tmp_path):
    example = one(write(tmp_path / 'train.parquet', mvc_columns(
        question=(['How many lamp(s) are in this area?'], pa.string()),
        answer=(['4'], pa.string()), choices=([['2', '4', '3', '5']], pa.list_(pa.string())))))
    assert example.questions[0].text.endswith('A) 2 B) 4 C) 3 D) 5')
    assert example.questions[0].answer == 'B'


@pytest.mark.parametrize(('kind', 'answer', 'layout', 'views'), [
    (pa.int64(), 3, 'messytable', 7), (pa.string(), '12', 'scannet', 5)])
def test_counted_tables_and_rooms_get_four_choices(tmp_path, kind, answer, layout, views):
    file = write(tmp_path / 'train.parquet', {
        'images': ([[embedded(k) for k in range(views)]] * 2, pa.list_(EMBEDDED)),
        'question': (['Find the number of apple in this scene.'] * 2, pa.string()),
        'gt_answer': ([answer] * 2, kind),
        'reasoning_image_0': ([embedded(99), None], EMBEDDED)})
    first, second = load_published(file)
    question = first.questions[0]
    assert first.variant == layout and len(first.images) == views
    assert len(question.choices) == 4 and question.answer_choice == str(answer)
    assert question.text.startswith('Find the number of apple in this scene.\n(A) ')
    assert question.metadata == {'category': 'apple', 'count': int(answer)}
    assert (first.target == 99).all() and second.target is None
    assert second.questions[0].choices != question.choices  # drawn anew for every row


def test_camera_motion_rows_imagine_and_choose_nothing(tmp_path):
    example = one(write(tmp_path / 'train.parquet', {
        'image_0': ([embedded(1)], EMBEDDED), 'image_1': ([embedded(2)], EMBEDDED),
        'question': (['Generate the view after turning left.'], pa.string())}))
    question = example.questions[0]
    assert (question.answer, question.choices) == ('', [])
    assert question.metadata['truth'] == "I've generated the scene from the new perspective."
    assert (example.target == 2).all()


PT_QUESTION = ('You go from waypoint 2 to waypoint 1, see <image_1>. What is on your left at M1?\n'
               '(A) a lamp\n(B) a bed\n(C) a sofa\n(D) a sink')


def test_all_of_an_instruction_list_is_read(tmp_path):
    example = one(write(tmp_path / 'chunk_0.parquet', training_columns(
        [THINK_PROMPT, PT_QUESTION],
        ['<think>At M1, the view to my left:</think><image_start>',
         '<image_end><answer>C</answer>'], 4, 3)))
    assert (example.task, example.variant) == ('pt', 'ipt')
    assert example.questions[0].text == PT_QUESTION
    assert example.questions[0].answer_choice == 'a sofa'
    assert example.think == 'At M1, the view to my left:'
    assert len(example.images) == 3 and (example.target == 3).all()


def test_prompt_and_question_in_one_text_are_told_apart(tmp_path):
    example = one(write(tmp_path / 'chunk_0.parquet', training_columns(
        [THINK_PROMPT.rstrip('\n') + '\n' + MVC_QUESTION],
        ['<think></think><image_start>', '<image_end><answer>B</answer>'], 5, None)))
    assert example.questions[0].text == MVC_QUESTION and example.task == 'mvc'
    assert len(example.images) == 4 and (example.target == 4).all()


def test_text_chain_of_thought_and_answer_only_rows_have_nothing_to_imagine(tmp_path):
    chain = one(write(tmp_path / 'textcot.parquet', training_columns(
        [THINK_PROMPT + MVC_QUESTION], ['<think>One, two.</think><answer>B</answer>'], 4, 4)))
    assert chain.target is None and len(chain.images) == 4
    assert chain.metadata['chain_of_thought'] == 'One, two.' and chain.variant == 'text_cot'
    prompt = ('\nAnswer the question. Conclude with the final answer wrapped in <answer></answer> '
              'tags, i.e.<answer> answer here </answer>.\n')
    bare = one(write(tmp_path / 'answeronly.parquet', training_columns(
        [prompt, PT_QUESTION], ['<answer>A</answer>'], 3, 3)))
    assert bare.variant == 'answer_only' and bare.metadata['system_prompt'] == prompt.strip()
    assert bare.questions[0].text == PT_QUESTION and bare.questions[0].answer == 'A'
    ours = one(write(tmp_path / 'ours.parquet', training_columns(
        [ANSWER_ONLY_PROMPT, PT_QUESTION], ['<answer>A</answer>'], 3, None)))
    assert ours.questions[0].text == PT_QUESTION and len(ours.images) == 3


def test_text_after_the_image_is_kept(tmp_path):
    example = one(write(tmp_path / 'mmcot.parquet', training_columns(
        [THINK_PROMPT + MVC_QUESTION],
        ['<think>Look.</think><image_start>',
         '<image_end><think>Two chairs.</think><answer>B</answer>'], 5, 4)))
    assert example.think == 'Look.' and example.metadata['after_image'] == 'Two chairs.'


def test_an_answer_letter_without_choices_is_refused(tmp_path):
    file = write(tmp_path / 'chunk_0.parquet', training_columns(
        [THINK_PROMPT + "After moving to 'X', will the bed be closer or further?"],
        ['<think>Look.</think><image_start>', '<image_end><answer>B</answer>'], 2, 1))
    with pytest.raises(BadRowError, match="instruction_list.*choices that the answer 'B'"):
        list(load_published(file))
    skipped = Counter()
    assert list(load_published(file, skipped=skipped)) == []
    assert skipped == {'instruction_list: no choices for the answer': 1}


@pytest.mark.parametrize(('change', 'message'), [
    ({'answer': (['E'], pa.string())}, r"row 0, column 'answer': expected a letter.*'E'"),
    ({'topdown_map': ([{'bytes': b'\x89PNG broken', 'path': None}], EMBEDDED)},
     "column 'topdown_map': expected an image that decodes.*11 bytes"),
    ({'topdown_map': ([{'bytes': None, 'path': 'gone.png'}], EMBEDDED)},
     "column 'topdown_map': expected image bytes, or a file"),
    ({'question': (['How many?'], pa.string())}, "column 'question': expected choices"),
    ({'question': ([''], pa.string())}, "column 'question': expected a text"),
])
def test_a_bad_row_is_named_or_counted(tmp_path, change, message):
    file = write(tmp_path / 'bad.parquet', mvc_columns(**change))
    with pytest.raises(BadRowError, match=message) as caught:
        list(load_published(file))
    assert str(file) in str(caught.value)
    skipped = Counter()
    assert list(load_published(file, skipped=skipped)) == []
    assert sum(skipped.values()) == 1


def test_what_is_transparent_is_laid_onto_white(tmp_path):
    image = np.full((12, 16, 4), 90, np.uint8)
    image[:6, :, 3], image[6:, :, 3] = 0, 255
    data = cv2.imencode('.png', image)[1].tobytes()
    seen = Row(tmp_path / 'x', 0, {'image': {'bytes': data}}).image('image')
    assert seen.shape == (12, 16, 3)
    assert (seen[:6] == 255).all() and (seen[6:] == 90).all()


ASKED = 'How many chairs? A) 1 B) 2 C) 3 D) 4'
THOUGHT = '<think>Look.</think><image_start>'


def answered(answer: str) -> dict:
    return training_columns([ASKED], [f'<answer>{answer}</answer>'], 1, 1)


@pytest.mark.parametrize('answer', [
    'B', 'b', '(B)', 'B)', 'B.', ' b. ', 'B. 2', 'B) 2', '(B) 2', 'B: 2', '2', '2.', 'Answer: B',
    'The answer is (B)', '**B**', 'B. 2 chairs', 'B, because I can see one here and one there'])
def test_an_answer_is_the_choice_that_evaluation_would_take(tmp_path, answer):
    question = one(write(tmp_path / 'chunk.parquet', answered(answer))).questions[0]
    assert (question.answer, question.answer_choice) == ('B', '2')
    columns = mvc_columns(answer=([answer], pa.string()))
    assert one(write(tmp_path / 'mvc.parquet', columns)).questions[0].answer == 'B'


@pytest.mark.parametrize('answer', [
    'E', '5', 'two', 'B. 3', 'B) 7', '(B) 4', 'Answer: B. 1', 'B 3', 'A chair', 'I see B or C'])
def test_an_answer_that_is_no_choice_or_two_is_left_out(tmp_path, answer):
    for columns in (answered(answer), mvc_columns(answer=([answer], pa.string()))):
        file = write(tmp_path / 'chunk.parquet', columns)
        skipped = Counter()
        assert list(load_published(file, skipped=skipped)) == [] and skipped.total() == 1
        assert next(iter(skipped)).partition(': ')[2].strip()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.from_regex(r'[a-z]{2,6}( [a-z]{2,6})?', fullmatch=True), min_size=2,
                max_size=5, unique=True), st.data())
def test_letter_and_choice_agree_or_are_refused(choices, data):
    right, beside = (data.draw(st.integers(0, len(choices) - 1)) for _ in range(2))
    form = data.draw(st.sampled_from(['{}. {}', '({}) {}', '{}) the {}', 'Answer: {}. {}']))
    said = form.format(LETTERS[right], choices[beside])
    if right == beside:
        assert answer_letter(said, choices) == LETTERS[right]
    else:
        with pytest.raises(AnswerError):
            answer_letter(said, choices)
    assert answer_letter(choices[right].upper(), choices) == LETTERS[right]


@pytest.mark.parametrize('answer', ['A', 'a', 'near'])
def test_a_right_choice_that_is_there_twice_is_refused(answer):
    with pytest.raises(AnswerError, match='twice'):
        answer_letter(answer, ['near', 'far', 'Near'])


def test_of_several_answers_in_one_text_the_last_one_counts(tmp_path):
    for number, text in enumerate((
            '<answer>A</answer> no, I see one more: <answer>B</answer>',
            '<think>One?</think><answer>A</answer> Wait. <answer> B </answer>')):
        file = write(tmp_path / f'{number}.parquet', training_columns([ASKED], [text], 1, 1))
        assert one(file).questions[0].answer == 'B'


TURNS = {
    'two turns': ([ASKED, 'And tables? A) 5 B) 6'], ['<answer>B</answer>', '<answer>A</answer>']),
    'a prompt, two turns': ([THINK_PROMPT, ASKED, 'And tables? A) 5 B) 6'],
                            ['<answer>B</answer>', '<answer>A</answer>']),
    'two answers to one text': ([ASKED], ['<answer>B</answer>', '<answer>A</answer>']),
    'two questions, one answer': ([ASKED, 'And tables? A) 5 B) 6'], ['<answer>B</answer>']),
    'open questions': (['How many chairs?', 'How many tables?'], ['<answer>two</answer>']),
    'two questions in one text': ([ASKED + ' And tables? A) 5 B) 6'], ['<answer>B</answer>']),
    'a question behind the choices': ([ASKED + '\nAnd how many tables?'], ['<answer>B</answer>']),
    'the same choices': (['How many chairs?\n(A) 1\n(B) 2\nHow many tables?\n(A) 1\n(B) 2'],
                         ['<answer>B</answer>']),
    'imagined twice': ([ASKED], [THOUGHT, '<image_end>' + THOUGHT,
                                 '<image_end><answer>B</answer>']),
    'answered before the image': ([ASKED], ['<answer>A</answer>' + THOUGHT,
                                            '<image_end><answer>B</answer>']),
    'no end of the image': ([ASKED], [THOUGHT, '<answer>B</answer>']),
    'no start of the image': ([ASKED], ['<think>Look.</think>', '<image_end><answer>B</answer>']),
    'the end before the start': ([ASKED], ['<image_end>' + THOUGHT, '<answer>B</answer>']),
    'a thought without end': ([ASKED], ['<think>One, two. <answer>B</answer>']),
    'a thought without start': ([ASKED], ['One, two.</think><answer>B</answer>']),
    'two thoughts': ([ASKED], ['<think>a</think><think>b</think><answer>B</answer>']),
    'a thought around the image': ([ASKED], ['<think>Look.<image_start>',
                                             '<image_end></think><answer>B</answer>']),
    'an answer without end': ([ASKED], ['<answer>A</answer> no: <answer>B']),
    'no answer': ([ASKED], ['<think>Two.</think>']),
}


@pytest.mark.parametrize('name', TURNS)
@pytest.mark.parametrize('images', [1, 2, 3])
def test_rows_that_do_not_fit_a_question_and_an_answer_are_left_out(tmp_path, name, images):
    instructions, outputs = TURNS[name]
    for inputs in (1, None):
        file = write(tmp_path / 'chunk.parquet', training_columns(
            instructions, outputs, images, inputs))
        skipped = Counter()
        assert list(load_published(file, skipped=skipped)) == []
        assert skipped.total() == 1
        with pytest.raises(BadRowError, match='row 0, column'):
            list(load_published(file))


@pytest.mark.parametrize(('instructions', 'outputs', 'images'), [
    ([ASKED + '\nPlease select the correct answer.'], ['<answer>B</answer>'], 1),
    (['Question: ' + ASKED + '\nOptions:\nA. 1\nB. 2\nC. 3\nD. 4\nPlease select the correct '
      'answer from the options above. \n'], ['<answer>B</answer>'], 1),
    ([THINK_PROMPT, 'How many chairs?', 'Options:\n(A) 1\n(B) 2'], ['<answer>B</answer>'], 1),
    (['You stand at the door.', ASKED], ['<answer>B</answer>'], 1),
    (['You see <image_1>. Can you see the door? If so, where?\nA. 1\nB. 2'],
     ['<answer>B</answer>'], 1),
    ([ASKED], ['<think>Two.</think>', '<answer>B</answer>'], 1),
    ([ASKED], ['<think>Look.</think><image_start><image_end><answer>B</answer>'], 2),
    ([ASKED], ['<think>Look.</think><image_start>', '</image_end><answer>B</answer>'], 2),
])
def test_usual_forms_of_one_question_are_read(tmp_path, instructions, outputs, images):
    example = one(write(tmp_path / 'chunk.parquet', training_columns(
        instructions, outputs, images, None)))
    question = example.questions[0]
    assert (question.answer, question.answer_choice, len(example.images)) == ('B', '2', 1)
    assert (example.target is None) == (images == 1)


def test_a_row_without_an_image_to_look_at_is_refused(tmp_path):
    file = write(tmp_path / 'chunk.parquet', training_columns(
        [ASKED], [THOUGHT, '<image_end><answer>B</answer>'], 1, None))
    with pytest.raises(BadRowError, match='0 input image'):
        list(load_published(file))


def test_wrong_number_of_images_is_refused(tmp_path):
    file = write(tmp_path / 'chunk.parquet', training_columns(
        [THINK_PROMPT + MVC_QUESTION],
        ['<think></think><image_start>', '<image_end><answer>B</answer>'], 4, 4))
    with pytest.raises(BadRowError, match='4 input image.s. and 1 to imagine.*4 image'):
        list(load_published(file))


def test_images_beside_the_file_and_as_jpeg_are_read(tmp_path):
    (tmp_path / 'images').mkdir()
    (tmp_path / 'images' / 'map.jpg').write_bytes(picture(200, '.jpg'))
    example = one(write(tmp_path / 'train.parquet', mvc_columns(
        topdown_map=([{'bytes': None, 'path': 'images/map.jpg'}], EMBEDDED))))
    assert abs(int(example.target[0, 0, 0]) - 200) <= 2


def cut(path: Path) -> str:
    path.write_bytes(path.read_bytes()[:-40])
    return 'cut off; download it again'


def pointer(path: Path) -> str:
    path.write_text('version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n')
    return 'git lfs pull'


def foreign(path: Path) -> str:
    path.write_bytes(b'{"question": "csv?"}' * 30)
    return 'only parquet is read'


@pytest.mark.parametrize('damage', [cut, pointer, foreign])
def test_a_file_that_is_no_parquet_is_refused_with_its_name(tmp_path, damage):
    file = write(tmp_path / 'train.parquet', mvc_columns())
    message = damage(file)
    with pytest.raises(PublishedError, match=message) as caught:
        list(load_published(file, skipped=Counter()))
    assert str(file) in str(caught.value)


def test_unknown_columns_are_refused_with_what_is_missing(tmp_path):
    columns = mvc_columns()
    del columns['topdown_map']
    file = write(tmp_path / 'train.parquet', columns)
    with pytest.raises(PublishedError) as caught:
        list(load_published(file))
    message = str(caught.value)
    assert "nearest to 'mvc'" in message
    assert "column 'topdown_map': expected image, found no such column" in message
    with pytest.raises(PublishedError, match="column 'frame_0': expected image, found string"):
        list(load_published(
            write(tmp_path / 'b.parquet', mvc_columns(frame_0=(['a.png'], pa.string()))),
            layout='mvc'))
    with pytest.raises(PublishedError, match='there are: training_rows, pet'):
        list(load_published(file, layout='chess'))
    with pytest.raises(PublishedError, match='no parquet file'):
        list(load_published(tmp_path / 'nothing'))


def test_every_layout_says_what_it_is_for():
    assert all(layout.about and layout.columns for layout in LAYOUTS.values())


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 40), st.integers(0, 10**6), st.sampled_from([None, 8]))
def test_number_choices_hold_the_truth_and_three_near_numbers(count, row, highest):
    choices = number_choices(count, row, highest)
    numbers = [int(choice) for choice in choices]
    assert len(set(numbers)) == 4 and count in numbers
    assert all(abs(number - count) <= 3 and (number >= 1 or number == count) for number in numbers)
    assert highest is None or max(numbers) <= max(highest, count)
    assert number_choices(count, row, highest) == choices


@settings(max_examples=60, deadline=None)
@given(st.lists(st.from_regex(r'[a-z][a-z ]{0,8}[a-z]', fullmatch=True), min_size=2, max_size=6),
       st.sampled_from(['({}) {}', '{}) {}', '{}. {}']), st.randoms())
def test_choices_are_found_in_any_order_of_lines(choices, form, random):
    lines = [form.format(letter, choice) for letter, choice in zip(LETTERS, choices)]
    random.shuffle(lines)
    assert choices_in('\n'.join(['Which (if any)?', *lines])) == choices


@pytest.mark.parametrize('text', [
    'Look at point A) and say.', 'A) 1 C) 3', 'How many (A or B)?', ''])
def test_letters_with_gaps_are_no_choices(text):
    assert choices_in(text) == []
