# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How examples are made, read from a YAML file: sizes of images, distances, rules, variants."""

from dataclasses import fields, is_dataclass, replace
from pathlib import Path
from typing import Any

from ipt_ros.yaml_files import read_yaml, YamlError
from ipt_training.examples import ExampleOptions
from ipt_training.store import StoreError


def load_options(path: Path) -> ExampleOptions:
    """
    Read settings of ExampleOptions, nested ones as nested mappings; the rest stays as it is.

    Raise StoreError: no file, no YAML, an unknown setting, a value of another kind than the
    setting has.
    """
    try:
        values = read_yaml(path)
    except (OSError, YamlError) as error:
        raise StoreError(f"cannot read options from '{path}': {error}") from error
    try:
        return _changed(ExampleOptions(), values, '')
    except ValueError as error:
        raise StoreError(f"'{path}': {error}") from error


def _changed(settings: Any, values: Any, where: str) -> Any:
    """Return a dataclass with other values in some fields."""
    known = {item.name: getattr(settings, item.name) for item in fields(settings)}
    if not isinstance(values, dict):
        raise ValueError(f"{where or 'the file'}: expected settings by name, found {values!r}")
    unknown = sorted(set(map(str, values)) - set(known))
    if unknown:
        raise ValueError(f'unknown settings {where}{unknown[0]}; there are: {", ".join(known)}')
    return replace(settings, **{
        name: _value(known[name], value, where + name) for name, value in values.items()})


def _value(usual: Any, value: Any, where: str) -> Any:
    """Return a value if it is of the kind of the usual one."""
    if is_dataclass(usual):
        return _changed(usual, value, f'{where}.')
    if isinstance(usual, dict):
        if isinstance(value, dict) and set(value) == set(usual):
            return {key: _value(usual[key], value[key], f'{where}.{key}') for key in usual}
        raise ValueError(f'{where}: expected {", ".join(usual)}, found {value!r}')
    if isinstance(usual, tuple):
        if isinstance(value, list) and value and (
                isinstance(usual[0], str) or len(value) == len(usual)):
            found = tuple(_value(usual[0], item, where) for item in value)
            if not isinstance(usual[0], str) and found != tuple(sorted(found)):
                raise ValueError(f'{where}: {value!r} runs backwards; write [lowest, highest]')
            return found
        raise ValueError(f'{where}: expected a list like {list(usual)}, found {value!r}')
    if isinstance(usual, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not type(usual):
        raise ValueError(
            f'{where}: expected {type(usual).__name__} like {usual!r}, found {value!r}')
    if isinstance(value, int | float) and not isinstance(value, bool) and not value >= 0:
        raise ValueError(f'{where}: expected 0 or more, found {value!r}')
    return value
