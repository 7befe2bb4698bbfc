# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""`ipt bag`: look into bags and repair those whose recorder was killed."""

import argparse
from collections.abc import Sequence
from datetime import datetime, UTC
from pathlib import Path
import sys

from ipt_ros.bags.errors import BagError
from ipt_ros.bags.metadata import BagSummary
from ipt_ros.bags.repairing import inspect, Repair, repair


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `ipt bag ...`; return the exit code: 1 if any bag could not be served."""
    parser = argparse.ArgumentParser(prog='ipt bag', description='Look into bags, repair bags.')
    actions = parser.add_subparsers(dest='action', metavar='ACTION', required=True)
    info = actions.add_parser('info', help='say what is in bags')
    mend = actions.add_parser(
        'repair', help='make bags readable whose recorder was killed',
        description='Write the index and metadata.yaml that a killed recorder could not write. '
                    'Records that are torn at the end are cut off. Whole bags stay as they are.')
    mend.add_argument(
        '--force', action='store_true',
        help='cut off what cannot be read even where it is much more than a kill can tear')
    for action in (info, mend):
        action.add_argument('bags', nargs='+', type=Path, metavar='BAG', help='folder of a bag')
    options = parser.parse_args(arguments)
    failed = False
    for folder in options.bags:
        try:
            if options.action == 'repair':
                print(f'{folder}: {_told(repair(folder, options.force))}')
            else:
                print(f'{folder}: {_described(inspect(folder))}')
        except BagError as error:
            print(f'ipt bag: {error}', file=sys.stderr)
            failed = True
    return int(failed)


def _told(done: Repair) -> str:
    if not done.changed:
        return f'whole, nothing to do ({_size(done.bag)})'
    parts = [f'repaired: {_size(done.bag)}']
    if done.cut:
        parts.append(f'{done.cut} bytes of torn records cut off')
    if done.damaged:
        parts.append(f'{done.damaged} damaged chunk(s) left out')
    if done.empty:
        parts.append(f"without a whole message: {', '.join(done.empty)}")
    return '; '.join(parts)


def _size(bag: BagSummary) -> str:
    return f'{bag.count} messages, {(bag.end - bag.start) / 1e9:.1f} s, {len(bag.files)} file(s)'


def _described(bag: BagSummary) -> str:
    began = datetime.fromtimestamp(bag.start / 1e9, UTC)
    width = max((len(topic.name) for topic in bag.topics), default=0)
    rows = [f'  {topic.name:{width}}  {topic.count:8d}  {topic.type}' for topic in bag.topics]
    return '\n'.join([f'{_size(bag)}, from {began:%Y-%m-%d %H:%M:%S} UTC', *rows])
