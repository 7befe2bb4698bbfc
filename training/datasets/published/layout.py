# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What a published layout is: its columns, and how one row becomes an example."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ipt_ros.spatial import Example, TASKS
from ipt_training.row import Row
import numpy as np
import pyarrow as pa
import pyarrow.types as kinds


def _is_image(kind: pa.DataType) -> bool:
    if kinds.is_struct(kind):  # how the `datasets` library stores its Image feature
        return kind.get_field_index('bytes') >= 0
    return kinds.is_binary(kind) or kinds.is_large_binary(kind)


def _is_text(kind: pa.DataType) -> bool:
    return kinds.is_string(kind) or kinds.is_large_string(kind)


def _is_list_of(test: Callable[[pa.DataType], bool]) -> Callable[[pa.DataType], bool]:
    def check(kind: pa.DataType) -> bool:
        return (kinds.is_list(kind) or kinds.is_large_list(kind)) and test(kind.value_type)
    return check


# What a column may hold, by the name that error messages use.
KINDS: dict[str, Callable[[pa.DataType], bool]] = {
    'image': _is_image,
    'list of images': _is_list_of(_is_image),
    'text': _is_text,
    'list of texts': _is_list_of(_is_text),
    'texts': lambda kind: _is_text(kind) or _is_list_of(_is_text)(kind),  # JSON, or a list
    'whole number': kinds.is_integer,
}


@dataclass(frozen=True)
class Layout:
    """
    The layout of one published data set.

    ``columns`` (all needed) and ``optional`` map a column's name to one of KINDS; any further
    columns are ignored. ``read`` makes the example of a row and may raise BadRowError.
    """

    name: str
    about: str
    columns: Mapping[str, str]
    read: Callable[[Row], Example]
    optional: Mapping[str, str] = field(default_factory=dict)

    def faults(self, schema: pa.Schema) -> list[str]:
        """Say what keeps a file with this schema from being of the layout; [] for nothing."""
        found = []
        for name, kind in {**self.columns, **self.optional}.items():
            index = schema.get_field_index(name)
            if index < 0:
                if name in self.columns:
                    found.append(f"column '{name}': expected {kind}, found no such column")
            elif not KINDS[kind](schema.field(index).type):
                found.append(
                    f"column '{name}': expected {kind}, found {schema.field(index).type}")
        return found

    def wanted(self, schema: pa.Schema) -> list[str]:
        """Return the columns of a file that are worth reading."""
        return [name for name in schema.names if name in self.columns or name in self.optional]


def think_of(task: str, index: int) -> str:
    """Return the sentence before the imagined image where the release has none; fixed by row."""
    return TASKS[task].think(np.random.default_rng(index))
