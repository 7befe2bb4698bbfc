# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What the pages promise is there: files that they link to, commands, options."""

import contextlib
from pathlib import Path
import re
import runpy
import shlex
import sys

from ipt_ros import cli
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').glob('*.md')])
_LINK = re.compile(r'\]\(([^)#\s]+)')
_ANCHOR = re.compile(r'\]\(([^)#\s]*)#([^)\s]+)\)')
# Blocks between fences, what stands between backticks, indented lines.
_CODE = re.compile(r'```[^\n]*\n(.*?)```|`([^`]+)`|^    +(\S[^\n]*)$', re.DOTALL | re.MULTILINE)
_SUB_COMMANDS = {'dataset', 'bag', 'scene'}


def commands(name):
    """Return all commands of that name on pages: the page's name, and the words after it."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding='utf-8').replace('\\\n', ' ')
        for block, inline, indented in _CODE.findall(text):
            for line in block.splitlines() or [inline.replace('\n', ' ') or indented.strip()]:
                if line.startswith(f'{name} '):
                    found.append((page.name, shlex.split(
                        line.removeprefix(f'{name} '), comments=True)))
    return found


def shown_options(words):
    return {word.partition('=')[0] for word in words if word.startswith('--')}


def known_options(text):
    return set(re.findall(r'--[a-z][a-z-]*', text))


def anchors(page):
    """Return the names that headings of a page have, by GitHub's rule."""
    headings = re.findall(r'^#+ (.+)$', page.read_text(encoding='utf-8'), re.MULTILINE)
    return {re.sub(r'[^\w\- ]', '', heading.lower()).replace(' ', '-') for heading in headings}


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_files_that_a_page_links_to_are_there(page):
    links = _LINK.findall(page.read_text(encoding='utf-8'))
    missing = [link for link in links if '://' not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_sections_that_a_page_links_to_are_there(page):
    for name, anchor in _ANCHOR.findall(page.read_text(encoding='utf-8')):
        if '://' not in name:
            assert anchor in anchors(page.parent / name if name else page), f'{name}#{anchor}'


def test_every_page_can_be_found_from_the_readme():
    linked = set(_LINK.findall((ROOT / 'README.md').read_text(encoding='utf-8')))
    assert {f'docs/{page.name}' for page in PAGES if page.parent.name == 'docs'} <= linked


def test_commands_that_pages_show_exist_with_their_options(capsys):
    shown = commands('ipt')
    assert len(shown) > 20
    helps = {}
    for page, words in shown:
        command = tuple(words[:2 if words[0] in _SUB_COMMANDS else 1])
        if command not in helps:
            with pytest.raises(SystemExit) as end:
                cli.main([*command, '--help'])
            assert end.value.code == 0, f'{page}: ipt {shlex.join(words)}'
            helps[command] = known_options(capsys.readouterr().out)
        assert shown_options(words) <= helps[command], f'{page}: ipt {shlex.join(words)}'


def test_modules_that_pages_run_exist_with_their_options(capsys, monkeypatch):
    ours = [(page, words) for page, words in commands('python -m')
            if words[0].startswith('ipt_')]
    assert ours
    for page, (module, *words) in ours:
        monkeypatch.setattr(sys, 'argv', [module, '--help'])
        with contextlib.suppress(SystemExit):
            runpy.run_module(module, run_name='__main__')
        told = capsys.readouterr().out
        assert 'usage:' in told, f'{page}: python -m {module}'
        assert shown_options(words) <= known_options(told), f'{page}: python -m {module}'


def test_launch_files_that_pages_start_declare_the_arguments_they_are_given():
    shown = commands('ros2 launch ipt_ros')
    assert shown
    for page, (name, *words) in shown:
        text = (ROOT / 'launch' / name).read_text(encoding='utf-8')
        if name == 'demo.launch.py':  # includes the robot's
            text += (ROOT / 'launch' / 'robot.launch.py').read_text(encoding='utf-8')
        for word in words:
            argument = word.partition(':=')[0]
            assert re.search(rf"(DeclareLaunchArgument|switch)\(\s*'{argument}'", text), (
                f'{page}: {name} {word}')


def test_targets_that_pages_make_are_in_the_makefile():
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.MULTILINE))
    shown = commands('make')
    assert len(shown) > 5
    for page, (target, *_) in shown:
        assert target in targets, f'{page}: make {target}'
