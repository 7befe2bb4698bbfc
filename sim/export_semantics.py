# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
How Habitat is told which triangle belongs to which object.

A semantic mesh carries a colour for each object at its vertices, and a text file in the layout
of HM3D lists `id,colour,"class",region`. Habitat takes vertex colours as linear light and
compares their sRGB encoding with the text, so the two hold different numbers for one colour.
"""

from collections.abc import Iterable

import numpy as np

HEADER = 'HM3D Semantic Annotations'
# Linear values (0 ... 255) whose sRGB encoding lies just above a whole number: it comes out the
# same whether a reader rounds it or cuts it off.
_LEVELS = (0, 7, 28, 69, 133, 255)
MAX_OBJECTS = len(_LEVELS) ** 3 - 1  # black stands for "unknown"


def vertex_color(number: int) -> tuple[int, int, int]:
    """Return the colour (linear, 0 ... 255) of the vertices of object `number` (from 1 on)."""
    if not 1 <= number <= MAX_OBJECTS:
        raise ValueError(f'a scene can have objects 1 ... {MAX_OBJECTS}, not {number}')
    base = len(_LEVELS)
    # Neighbouring numbers get unlike colours, so that people can tell them apart as well.
    scattered = number * 89 % (base**3)
    return (_LEVELS[scattered // base**2], _LEVELS[scattered // base % base],
            _LEVELS[scattered % base])


def encoded_color(number: int) -> tuple[int, int, int]:
    """Return the same colour as Habitat finds it in the mesh (sRGB, 0 ... 255)."""
    return tuple(int(value) for value in srgb(np.array(vertex_color(number))))


def srgb(linear: np.ndarray) -> np.ndarray:
    """Encode linear values 0 ... 255 by IEC 61966-2-1, as whole numbers 0 ... 255."""
    share = np.asarray(linear, np.float64) / 255
    bent = np.where(share <= 0.0031308, 12.92 * share,
                    1.055 * np.maximum(share, 1e-9) ** (1 / 2.4) - 0.055)
    return np.round(255 * bent).astype(np.int64)


def descriptor(classes: Iterable[tuple[int, str]]) -> str:
    """
    Return the text file for (id, class) of every object, all in one region.

    Raises ValueError for a class name that the layout cannot hold.
    """
    lines = [HEADER]
    for number, name in classes:
        if '"' in name or '\n' in name or not name:
            raise ValueError(f'{name!r} cannot be a class name in a semantic descriptor')
        red, green, blue = encoded_color(number)
        lines.append(f'{number},{red:02X}{green:02X}{blue:02X},"{name}",0')
    return '\n'.join(lines) + '\n'
