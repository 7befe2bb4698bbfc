# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""``ipt ask --out``: pictures lie in the folder, whatever nodes call their cameras."""

from argparse import Namespace
from contextlib import contextmanager

from ipt_interfaces.action import Imagine
from ipt_interfaces.msg import Evidence, ImaginedImage
from ipt_ros import asking
from ipt_ros.ros.images import from_rgb
import numpy as np
import pytest
from sensor_msgs.msg import Image


def answered(*cameras: str, inputs: int | None = None, kinds=('bev',)) -> Imagine.Result:
    picture = from_rgb(np.zeros((4, 4, 3), np.uint8))
    result = Imagine.Result(success=True)
    result.answer.text, result.answer.letter = '3', 'C'
    result.answer.evidence = [Evidence(camera=camera) for camera in cameras]
    result.inputs = [picture] * (len(cameras) if inputs is None else inputs)
    result.imagined = [ImaginedImage(kind=kind, image=picture) for kind in kinds]
    return result


@pytest.mark.parametrize(('result', 'files'), [
    (answered('front', 'left'), ['front', 'imagined_1_bev', 'left']),
    (answered('sub/front', '/etc/x', '../../y', 'front'),
     ['_.._y', '_etc_x', 'front', 'imagined_1_bev', 'sub_front']),
    (answered('front', 'front', 'FRONT'), ['FRONT-3', 'front', 'front-2', 'imagined_1_bev']),
    (answered('front', inputs=3), ['front', 'imagined_1_bev', 'input_2', 'input_3']),
    (answered('front', 'left', inputs=1), ['front', 'imagined_1_bev']),
    (answered('', 'a\0b', kinds=('../bev', 'x' * 999)),
     ['a_b', 'imagined_1_.._bev', 'imagined_2_' + 'x' * 89, 'input_1']),
])
def test_pictures_lie_in_the_folder_whatever_nodes_call_them(tmp_path, result, files):
    asking.save_pictures(result, tmp_path / 'in' / 'here')
    assert sorted(path.stem for path in (tmp_path / 'in' / 'here').iterdir()) == sorted(files)
    assert [path.name for path in tmp_path.iterdir()] == ['in']


@pytest.fixture
def ask(monkeypatch):
    """Return a function that asks a robot which gives this result."""
    def asked(result, out) -> int:
        @contextmanager
        def robot(*arguments, **named):
            yield Namespace(imagine=lambda *arguments, **named: result)

        monkeypatch.setattr(asking, 'Robot', robot)
        return asking.ask(Namespace(
            target=None, path=[], frame='map', namespace='/ipt', timeout=1.0, question='How many?',
            choices=[], task='auto', mode='auto', cameras=[], seed=-1, json=False, out=out))
    return asked


def test_the_answer_is_printed_even_where_its_pictures_cannot_be_saved(tmp_path, ask, capsys):
    (tmp_path / 'file').touch()
    for place in (tmp_path / 'file', tmp_path / 'file' / 'x', type(tmp_path)('/proc/no')):
        assert ask(answered('front'), place) == 1
        said = capsys.readouterr()
        assert said.out.startswith('C) 3\n')
        assert said.err.count('the pictures are not saved: cannot write to') == 1
    broken = answered('front')
    broken.inputs = [Image(height=4, width=4, encoding='no such', step=4)]
    assert ask(broken, tmp_path / 'new') == 1
    said = capsys.readouterr()
    assert said.out.startswith('C) 3\n') and 'no such' in said.err


def test_pictures_that_can_be_saved_are(tmp_path, ask, capsys):
    assert ask(answered('front'), tmp_path / 'new') == 0
    assert (tmp_path / 'new' / 'front.png').is_file()
    assert ask(answered('front'), None) == 0
    assert capsys.readouterr().out.count('C) 3') == 2
