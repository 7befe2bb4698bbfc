# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Writing safetensors: whole or not at all, and nothing is left behind."""

import os
import signal
import subprocess
import sys
import time

from ipt_ros.bagel import tensor_files
from ipt_ros.bagel.tensor_files import write_tensors
import pytest
from safetensors import SafetensorError
from safetensors.torch import load_file
import torch

TENSORS = {'a': torch.arange(3.0)}


def test_others_may_read_what_is_written_if_the_umask_says_so(tmp_path):
    before = os.umask(0o027)
    try:
        write_tensors(tmp_path / 'new' / 'a.safetensors', TENSORS, {'format': 'pt'})
    finally:
        os.umask(before)
    path, = (tmp_path / 'new').iterdir()
    assert path.stat().st_mode & 0o777 == 0o640
    assert torch.equal(load_file(path)['a'], TENSORS['a'])


@pytest.mark.parametrize(('words', 'shown'), [
    ('I/O error: No space left on device (os error 28)', r'Errno 28.*a.safetensors'),
    ('I/O error: something else', r'Errno 5.*something else')])
def test_what_cannot_be_written_leaves_the_old_file_alone(words, shown, tmp_path, monkeypatch):
    path = tmp_path / 'a.safetensors'
    write_tensors(path, TENSORS)

    def broken(tensors, draft, metadata):
        draft.write_bytes(b'half')
        raise SafetensorError(words)

    monkeypatch.setattr(tensor_files, 'save_file', broken)
    with pytest.raises(OSError, match=shown):
        write_tensors(path, {'a': torch.zeros(3)})
    assert list(tmp_path.iterdir()) == [path]
    assert torch.equal(load_file(path)['a'], TENSORS['a'])


def test_what_a_killed_process_left_goes_with_the_next_writing(tmp_path):
    path = tmp_path / 'a.safetensors'
    write_tensors(path, TENSORS)
    code = ('import sys, torch\nfrom ipt_ros.bagel.tensor_files import write_tensors\n'
            'while True:\n    write_tensors(sys.argv[1], {"a": torch.ones(30_000_000)})\n')
    with subprocess.Popen([sys.executable, '-c', code, str(path)]) as process:
        folder = tmp_path / 'a.safetensors.draft'
        while process.poll() is None and not (folder.is_dir() and any(folder.iterdir())):
            time.sleep(0.0005)
        process.send_signal(signal.SIGKILL)
    assert len(load_file(path)['a']) in (3, 30_000_000)
    write_tensors(path, TENSORS)
    assert list(tmp_path.iterdir()) == [path]
