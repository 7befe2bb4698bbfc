# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""What lies in place of a file that was to be downloaded, told from its first bytes."""

from pathlib import Path

_LENGTH = 64  # bytes that are enough to tell
_PAGES = (b'<!doctype', b'<html', b'<head', b'<?xml')
_TORCH = (b'PK\x03\x04', *(b'\x80' + bytes([protocol]) for protocol in range(2, 6)))


def mistaken(path: Path, weights: bool = False) -> str:
    """
    Return what a file that cannot be read is, and what to do; '' where that cannot be told.

    weights: it was to be a file of weights, so neither text nor what torch.save writes. The words
    hold nothing of the file's content: who named it may have no right to read it.
    """
    try:
        with path.open('rb') as file:
            start = file.read(_LENGTH)
    except OSError:
        return ''
    text = start.removeprefix(b'\xef\xbb\xbf').lstrip()
    if not start:
        return 'it is empty; download it again'
    if text.startswith(b'version https://git-lfs'):
        return 'it is a pointer of Git LFS, not the file; run git lfs pull'
    if text.lower().startswith(_PAGES):
        return ('it is a web page, such as a server shows for an error or a login, not the file; '
                'download it again')
    if not start.strip(b'\0'):
        return 'it begins with zeros: its download was not finished; download it again'
    if weights and start.startswith(_TORCH):
        return ('it is a file of torch.save, which is not read because it may hold code; save '
                'the weights as safetensors')
    # A file of safetensors begins with a length in eight bytes, the last of which are zero.
    if weights and all(byte >= ord(' ') or byte in b'\t\r\n' for byte in start):
        return "it is text, such as a server's error message, not the file; download it again"
    return ''
