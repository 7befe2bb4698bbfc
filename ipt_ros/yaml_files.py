# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
YAML files that people write, read strictly: what would be lost without a word is an error.

Files that ROS reads itself, such as parameters of nodes, keep to its rules instead.
"""

from pathlib import Path
from typing import Any

import yaml


class YamlError(ValueError):
    """A file is no YAML that makes sense; the message says what is wrong, and in which line."""


def read_yaml(path: Path) -> Any:
    """
    Return what a YAML file holds, in plain Python values; None for an empty one.

    Anchors and merge keys are allowed. Raise YamlError for a file that is no YAML in UTF-8, holds
    several documents or objects of a program, or gives a name twice, of which YAML would keep the
    last; OSError where it cannot be read.
    """
    try:
        loader = yaml.SafeLoader(path.read_text(encoding='utf-8'))
        node = loader.get_single_node()
        if node is None:
            return None
        _check_names(loader, node)
        return loader.construct_document(node)
    except YamlError:
        raise
    except UnicodeDecodeError as error:
        raise YamlError(f'cannot be read: {error}') from error
    except RecursionError:
        raise YamlError('not valid YAML: nested too deeply') from None
    # Texts that look like dates, for one, raise a plain ValueError.
    except (yaml.YAMLError, ValueError) as error:
        raise YamlError(f'not valid YAML: {error}') from error


def _check_names(loader: yaml.SafeLoader, root: yaml.Node) -> None:
    """Raise YamlError for a name that a mapping gives twice, before merging repeats some."""
    waiting, seen = [root], set()
    while waiting:
        node = waiting.pop()
        if id(node) in seen or isinstance(node, yaml.ScalarNode):
            continue
        seen.add(id(node))  # an anchor may stand for what holds it
        if isinstance(node, yaml.SequenceNode):
            waiting += node.value
            continue
        lines: dict[Any, int] = {}
        for key, value in node.value:
            waiting += [key, value]
            if not isinstance(key, yaml.ScalarNode):
                continue
            merge = key.tag == 'tag:yaml.org,2002:merge'
            name = key.value if merge else loader.construct_object(key)
            line = key.start_mark.line + 1
            if name in lines:
                raise YamlError(f'not valid YAML: {key.value!r} is given twice, in line '
                                f'{lines[name]} and in line {line}; keep one of them')
            lines[name] = line
