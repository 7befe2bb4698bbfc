# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Which number format a device computes fastest in."""

import torch


def fast_dtype(device: str | torch.device = 'cpu') -> torch.dtype:
    """
    Return bfloat16 where the device multiplies matrices in it natively, else float32.

    A CPU without AMX or AVX512-BF16 emulates bfloat16 products and is then several times SLOWER
    than in float32, so autocast in training should ask here first. So do GPUs before Ampere. One
    that is not on this machine, as in a plan for another one, is taken for a newer one.
    """
    device = torch.device(device)
    if device.type == 'cuda':
        if not torch.cuda.is_available():
            return torch.bfloat16
        with torch.cuda.device(device):
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float32
    if device.type == 'cpu':
        able = torch.cpu.get_capabilities()
        if able.get('amx_bf16') or able.get('avx512_bf16'):
            return torch.bfloat16
    return torch.float32
