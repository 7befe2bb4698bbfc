# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""
Make the CMake files of the installed ROS 2 wheels usable on this machine.

The wheels' exported targets name the include folders of the machine that built them. This replaces
them, in place, by the folders of the interpreter that runs this script. Running it again changes
nothing.
"""

from pathlib import Path
import re
import sys
import sysconfig

import numpy

BUILD_PYTHON = r'/opt/python/cp\d+-cp\d+/'
PATCHES = {
    BUILD_PYTHON + r'lib/python3\.\d+/site-packages/numpy/_?core/include': numpy.get_include(),
    BUILD_PYTHON + r'include/python3\.\d+': sysconfig.get_paths()['include'],
}


def patched(text):
    """Return `text` with every folder of the build machine replaced."""
    for pattern, folder in PATCHES.items():
        text = re.sub(pattern, lambda _, folder=folder: folder, text)
    return text


def main():
    """Patch every CMake file below the share folder of the running environment."""
    changed = 0
    for path in Path(sys.prefix, 'share').rglob('*.cmake'):
        before = path.read_text(encoding='utf-8')
        after = patched(before)
        if after != before:
            path.write_text(after, encoding='utf-8')
            changed += 1
    print(f'{changed} CMake files of the ROS wheels now name the folders of this Python')


if __name__ == '__main__':
    main()
