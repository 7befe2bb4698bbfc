# SPDX-License-Identifier: Apache-2.0
"""What the pages promise is there: files that they link to, commands, options."""

from pathlib import Path
import re
import shlex

from ipt_ros import cli
import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob('*.md'), *(ROOT / 'docs').glob('*.md')])
_LINK = re.compile(r'\]\(([^)#\s]+)')
# In a line of a block, or between backticks.
_COMMAND = re.compile(r'(?:^ *|`)ipt ([^`\n]+)', re.MULTILINE)
_SUB_COMMANDS = {'dataset', 'bag', 'scene'}


def commands():
    """Return all commands that pages show: the page's name, and the words after 'ipt'."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding='utf-8').replace('\\\n', ' ')
        for line in _COMMAND.findall(text):
            found.append((page.name, shlex.split(line, comments=True)))
    return found


@pytest.mark.parametrize('page', PAGES, ids=lambda page: page.name)
def test_files_that_a_page_links_to_are_there(page):
    links = _LINK.findall(page.read_text(encoding='utf-8'))
    missing = [link for link in links if '://' not in link and not (page.parent / link).exists()]
    assert not missing


def test_every_page_can_be_found_from_the_readme():
    linked = set(_LINK.findall((ROOT / 'README.md').read_text(encoding='utf-8')))
    assert {f'docs/{page.name}' for page in PAGES if page.parent.name == 'docs'} <= linked


def test_commands_that_pages_show_exist_with_their_options(capsys):
    shown = commands()
    assert len(shown) > 20
    helps = {}
    for page, words in shown:
        command = tuple(words[:2 if words[0] in _SUB_COMMANDS else 1])
        if command not in helps:
            with pytest.raises(SystemExit) as end:
                cli.main([*command, '--help'])
            assert end.value.code == 0, f'{page}: ipt {shlex.join(words)}'
            helps[command] = set(re.findall(r'--[a-z][a-z-]*', capsys.readouterr().out))
        options = {word.partition('=')[0] for word in words if word.startswith('--')}
        assert options <= helps[command], f'{page}: ipt {shlex.join(words)}'
