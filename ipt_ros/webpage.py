# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Web pages that need nothing beside them: one frame and one style for all that we show."""

import base64
from collections.abc import Mapping
from html import escape
from pathlib import Path

from ipt_ros.pictures import png
import numpy as np

_STYLE = Path(__file__).with_suffix('.css')


def document(title: str, lead: str, facts: Mapping[str, str], body: str, footer: str = '') -> str:
    """
    Return a whole page as HTML.

    facts: what is said once at the top, by name. title, lead and facts are plain text; body and
    footer are HTML.
    """
    listed = ''.join(
        f'<li>{escape(name)} <b>{escape(value)}</b></li>' for name, value in facts.items())
    style = _STYLE.read_text(encoding='utf-8')
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(title)}</title>
<style>
{style}</style>
</head>
<body>
<main>
<h1>{escape(title)}</h1>
<p class="lead">{escape(lead)}</p>
<ul class="facts">{listed}</ul>
{body}
<footer>{footer}</footer>
</main>
</body>
</html>
"""


def figure(image: np.ndarray, caption: str, kind: str) -> str:
    """
    Return a uint8 (H, W, 3) RGB picture with its caption as HTML.

    kind: 'seen' or 'truth', or 'imagined' for what no camera measured (a dashed frame).
    """
    data = base64.b64encode(png(image)).decode()
    return (f'<figure class="{kind}"><img alt="{escape(caption)}" '
            f'src="data:image/png;base64,{data}"><figcaption>{escape(caption)}</figcaption>'
            '</figure>')


def row(figures: list[str]) -> str:
    """Return figures side by side, '' for none."""
    return f'<div class="pictures of{len(figures)}">{"".join(figures)}</div>' if figures else ''
