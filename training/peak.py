# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The most operations a second that a device can do: what MFU is a share of."""

from dataclasses import dataclass
import re
import time

from ipt_ros.bagel import fast_dtype
import torch

# Dense bfloat16 matrix products with sums in float32, in TFLOP/s, from the makers' data sheets
# (half of what they print for sparse matrices). Whole names must fit: laptops' chips are slower.
# Modules of Jetson Orin are not here, for all of them have one name, at any size and clock.
_TFLOPS = {
    r'(NVIDIA )?GB200': 2500.0,
    r'(NVIDIA )?B200': 2250.0,
    r'(NVIDIA )?GH200( \d+GB.*)?': 989.4,
    r'(NVIDIA )?H200( SXM.*)?': 989.4,
    r'(NVIDIA )?H200 NVL': 835.5,
    r'(NVIDIA )?H100( 80GB HBM3| SXM.*)?': 989.4,
    r'(NVIDIA )?H100 NVL': 835.5,
    r'(NVIDIA )?H100 PCIe': 756.0,
    r'(NVIDIA )?A[18]00[- ].*GB.*': 312.0,
    r'(NVIDIA )?A40': 149.7,
    r'(NVIDIA )?A30': 165.0,
    r'(NVIDIA )?A10': 125.0,
    r'(NVIDIA )?L40S': 362.0,
    r'(NVIDIA )?L40': 181.0,
    r'(NVIDIA )?L4': 121.0,
    r'(NVIDIA )?RTX 6000 Ada Generation': 364.2,
    r'(NVIDIA )?RTX A6000': 154.8,
    r'(NVIDIA )?GeForce RTX 5090': 209.5,
    r'(NVIDIA )?GeForce RTX 4090': 165.2,
    r'(NVIDIA )?GeForce RTX 3090': 71.0,
}
_SIDE = 1024  # of measured matrices, on a CPU
_SIDE_GPU = 8192
_RUNS = 5


@dataclass(frozen=True)
class Peak:
    """Operations a second of one device, and where the number is from."""

    flops: float
    source: str

    def __str__(self) -> str:
        return f'{self.flops / 1e12:.3g} TFLOP/s ({self.source})'


def device_peak(device: str | torch.device) -> Peak:
    """Return the peak of a device in its fast number format: of its data sheet, else measured."""
    device = torch.device(device)
    dtype = fast_dtype(device)
    if device.type == 'cuda' and dtype == torch.bfloat16:
        name = torch.cuda.get_device_name(device)
        known = data_sheet_peak(name)
        if known:
            return Peak(known, f'data sheet of {name}')
    return Peak(measured_peak(device, dtype), 'measured')


def data_sheet_peak(name: str) -> float | None:
    """Return the operations a second that the maker states for a GPU, None where unknown."""
    for pattern, tflops in _TFLOPS.items():
        if re.fullmatch(pattern, name) and 'MIG' not in name:  # not a slice of one
            return tflops * 1e12
    return None


def measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Return the operations a second of the fastest of a few products of large matrices."""
    gpu = device.type != 'cpu'
    side = _SIDE_GPU if gpu else _SIDE
    left, right = (torch.ones(side, side, device=device, dtype=dtype) for _ in range(2))
    best = float('inf')
    for _ in range(_RUNS):
        begun = time.perf_counter()
        product = left @ right
        if gpu:
            product[0, 0].item()  # waits for it
        best = min(best, time.perf_counter() - begun)
    return 2 * side**3 / best
