# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Pictures as files."""

import cv2
import numpy as np


def png(image: np.ndarray) -> bytes:
    """Return a uint8 (H, W, 3) RGB picture as the bytes of a PNG file."""
    done, data = cv2.imencode('.png', cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise ValueError(f'cannot encode a picture of shape {image.shape}')
    return data.tobytes()
