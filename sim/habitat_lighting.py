# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Spare habitat_sim the lighting that flat pictures do not use.

At each start habitat_sim computes image-based lighting from an environment map, which on a
software renderer takes ten seconds and more. Only materials that are lit use it. It leaves that
out where the map that its configuration names is not there. The configuration can only be given
by a file in the working directory, read when a MetadataMediator is made.
"""

import contextlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

_FILE = 'data/default.pbr_config.json'  # below the working directory
_MISSING = 'no_environment_map.hdr'


def unlit_mediator(habitat_sim: Any) -> Any | None:
    """
    Return a MetadataMediator without image-based lighting, for habitat_sim.Configuration.

    None where this release of habitat_sim has none, or the working directory cannot be left.
    """
    mediator = getattr(getattr(habitat_sim, 'metadata', None), 'MetadataMediator', None)
    if mediator is None:
        return None
    try:
        with TemporaryDirectory(prefix='ipt_habitat_') as folder:
            path = Path(folder, _FILE)
            path.parent.mkdir()
            path.write_text(json.dumps({'ibl_envmap_filename': _MISSING}), encoding='utf-8')
            with contextlib.chdir(folder):
                return mediator()
    except OSError:
        return None
