# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The layouts for RViz and Foxglove show topics that the nodes have."""

import json
from pathlib import Path
import re

from ipt_ros.nodes.imagination_settings import Settings
import pytest
import yaml

ROOT = Path(__file__).parents[1]
NODE = (ROOT / 'ipt_ros' / 'nodes' / 'imagination_node.py').read_text(encoding='utf-8')
IMAGINED = {f'/ipt/imagination/{name}' for name in re.findall(r"'~/([\w/]+)', qos", NODE)}
SEEN = {f'/ipt/{camera}/{name}' for camera in Settings().cameras
        for name in ('image_raw', 'camera_info')}
OTHERS = {'/diagnostics', '/clicked_point'}


def strings(node):
    """Yield every text in a tree of dicts and lists, keys included."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield from (key, *strings(value))
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


def topics(name):
    text = (ROOT / 'config' / name).read_text(encoding='utf-8')
    tree = yaml.safe_load(text) if name.endswith('.rviz') else json.loads(text)
    return {text for text in strings(tree) if re.fullmatch(r'(/\w+)+', text)}


@pytest.mark.parametrize('name', ['ipt.rviz', 'foxglove.json'])
def test_a_layout_shows_topics_that_exist_and_everything_that_is_imagined(name):
    shown = topics(name)
    assert shown <= IMAGINED | SEEN | OTHERS
    assert {f'/ipt/imagination/imagined/{kind}' for kind in ('image', 'bev', 'bev_grid')} <= shown
    assert {f'/ipt/{camera}/image_raw' for camera in Settings().cameras} <= shown


def test_rviz_asks_for_latched_topics_as_they_are_offered():
    tree = yaml.safe_load((ROOT / 'config' / 'ipt.rviz').read_text(encoding='utf-8'))
    for display in tree['Visualization Manager']['Displays']:
        topic = display.get('Topic')
        if topic:
            latched = topic['Value'] in IMAGINED
            assert topic['Durability Policy'] == ('Transient Local' if latched else 'Volatile')


def test_every_panel_of_foxglove_has_its_place():
    tree = json.loads((ROOT / 'config' / 'foxglove.json').read_text(encoding='utf-8'))
    placed = [text for text in strings(tree['layout']) if '!' in text]
    assert sorted(placed) == sorted(tree['configById'])
