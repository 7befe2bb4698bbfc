# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Whether a value that was read from YAML or JSON is of a setting's type."""

from datetime import date
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, Literal, Union

import yaml


def fits(kind: Any, value: Any) -> bool:
    """
    Return whether a value can stand for a type annotation.

    A list can stand for a tuple, a text for a path and a whole number for a float; a text never
    for a list of its letters, true and false never for numbers. Types not known here take all.
    """
    origin, parts = get_origin(kind), get_args(kind)
    if origin in (Union, UnionType):
        return any(fits(part, value) for part in parts)
    if origin is Literal:
        return value in parts
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            return False
        if parts[-1] is Ellipsis:
            return all(fits(parts[0], one) for one in value)
        return len(value) == len(parts) and all(map(fits, parts, value))
    if origin is dict:
        return isinstance(value, dict) and all(
            fits(parts[0], name) and fits(parts[1], one) for name, one in value.items())
    if kind in (int, float):
        allowed = int if kind is int else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool)
    if kind is Path:
        return isinstance(value, (str, Path))
    if kind in (bool, str, NoneType):
        return isinstance(value, kind)
    return True


def in_words(kind: Any) -> str:
    """Return a type annotation as one writes about it."""
    parts = [part for part in get_args(kind) if part is not Ellipsis]
    if get_origin(kind) in (Union, UnionType):
        return ' or '.join(map(in_words, parts))
    if get_origin(kind) is Literal:
        return f'one of {", ".join(map(repr, parts))}'
    if get_origin(kind) is tuple:
        return 'a list, each ' + ' or '.join(dict.fromkeys(map(in_words, parts)))
    if get_origin(kind) is dict:
        return f'settings by name, each {in_words(parts[1])}'
    return {int: 'a whole number', float: 'a number', str: 'a text', bool: 'true or false',
            NoneType: 'null', Path: 'a path'}.get(kind, str(kind))


def hint(value: Any, kind: Any = None) -> str:
    """Return what to do about a value that YAML reads as another kind; '' for all else."""
    texts = kind is str or str in get_args(kind)
    if texts and isinstance(value, int | float | date):
        return "; YAML takes it for no text: write it in quotes, such as 'off' or '1'"
    if not isinstance(value, str):
        return ''
    try:
        number = float(value)
    except ValueError:
        return ''
    return f'; YAML takes it for a text: write {yaml.safe_dump(number).split()[0]}'
