# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt bag` as a user types it."""

from ipt_ros.bags import BagWriter
from ipt_ros.cli import main
import pytest

from .conftest import cdr_string, messages, STRING


@pytest.fixture
def killed(folder):
    """Return a bag whose writer was killed after three messages."""
    writer = BagWriter(folder)
    topic = writer.add_topic(STRING)
    for number in range(3):
        writer.write(topic, cdr_string('a'), number * 1_000_000_000, 0)
    writer.flush()
    content = (folder / 'bag_0.mcap').read_bytes()
    writer.close()
    (folder / 'metadata.yaml').unlink()
    (folder / 'bag_0.mcap').write_bytes(content + b'torn')
    return folder


def test_repair_and_info(killed, capsys):
    assert main(['bag', 'info', str(killed)]) == 1
    assert 'ipt bag repair' in capsys.readouterr().err
    assert main(['bag', 'repair', str(killed)]) == 0
    assert 'repaired: 3 messages, 2.0 s, 1 file(s); 4 bytes of torn' in capsys.readouterr().out
    assert len(messages(killed)['/chatter']) == 3
    assert main(['bag', 'repair', str(killed)]) == 0
    assert 'whole, nothing to do' in capsys.readouterr().out
    assert main(['bag', 'info', str(killed)]) == 0
    assert '/chatter         3  std_msgs/msg/String' in capsys.readouterr().out


def test_bag_that_cannot_be_saved_does_not_stop_the_others(killed, tmp_path, capsys):
    (tmp_path / 'empty').mkdir()
    assert main(['bag', 'repair', str(tmp_path / 'empty'), str(killed)]) == 1
    said = capsys.readouterr()
    assert 'no .mcap file' in said.err and 'repaired: 3 messages' in said.out
