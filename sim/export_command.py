# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt scene export`: write generated rooms as a Habitat scene data set."""

import argparse
from collections.abc import Sequence
from pathlib import Path
import sys

from ipt_sim.scenes.room import generate_scene


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    parser = argparse.ArgumentParser(
        prog='ipt scene', description='Write rooms as a Habitat scene data set.')
    commands = parser.add_subparsers(metavar='COMMAND', required=True)
    export = commands.add_parser(
        'export', help='write rooms as GLB files with stage configurations and semantics',
        description='Write rooms as GLB files with stage configurations and semantics, for '
                    'Habitat and for everything that reads glTF. See docs/habitat.md.')
    export.add_argument('--seed', type=int, required=True, help='of the first room')
    export.add_argument('--count', type=int, default=1, help='rooms, of consecutive seeds')
    export.add_argument('--out', type=Path, required=True, help='folder of the data set')
    options = parser.parse_args(arguments)
    if options.seed < 0 or options.count < 1:
        parser.error('--seed must be 0 or more, --count 1 or more')

    from ipt_sim.export import DATASET, export_scene
    try:
        for seed in range(options.seed, options.seed + options.count):
            print(export_scene(generate_scene(seed), options.out))
    except OSError as error:
        print(f'ipt scene export: {options.out} cannot be written: {error}', file=sys.stderr)
        return 1
    print(f'{options.count} in the data set {options.out / DATASET}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
