# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The JSON files of a checkpoint."""

import json
from pathlib import Path
from typing import Any

from .errors import BagelError
from .mistaken import mistaken


def read_object(path: Path, error: type[BagelError]) -> dict[str, Any]:
    """Read a file that holds one JSON object; raise ``error`` where it does not."""
    try:
        content = json.loads(path.read_text(encoding='utf-8'))
    except FileNotFoundError:
        raise error(f'{path}: no such file; a checkpoint folder needs it') from None
    except OSError as reason:
        raise error(f'{path}: cannot be read: {reason.strerror}') from reason
    except (ValueError, RecursionError) as reason:
        raise error(f'{path}: not valid JSON: {mistaken(path) or reason}') from reason
    if not isinstance(content, dict):
        raise error(f'{path}: expected a JSON object, found {type(content).__name__}')
    return content
