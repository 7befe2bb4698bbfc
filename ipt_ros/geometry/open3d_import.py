# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Open3D, for those who need it: it takes a second to import and is not installed everywhere."""

from types import ModuleType


class FusionError(ValueError):
    """Nothing can be fused, or no floor found; the message says why and what to do."""


def open3d_module() -> ModuleType:
    """Import Open3D. Raises FusionError where that is not possible."""
    try:
        import open3d
    except (ImportError, OSError) as error:
        raise FusionError(
            f'Open3D cannot be imported ({error}); install it with: pip install open3d-cpu, and '
            'libusb-1.0-0 and libx11-6 with apt') from error
    return open3d
