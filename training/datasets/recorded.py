# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Examples mined from recordings of a robot: each bag is a unit."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ipt_ros.spatial import Example
from ipt_training.bags import BagReadError, read_rollout, ReadOptions
from ipt_training.datasets.splits import room_seed
from ipt_training.datasets.units import Made, Unit
from ipt_training.mining import mine_examples, MiningOptions
from ipt_training.store import StoreError
from ipt_training.verification import keep_fair


@dataclass(frozen=True)
class Recording:
    """A bag; ``scene`` names the place that it shows, '' for what the bag says of itself."""

    path: Path
    scene: str = ''

    @property
    def size(self) -> int:
        """Return the bytes of all files: another recording under the same name has others."""
        files = self.path.rglob('*') if self.path.is_dir() else [self.path]
        return sum(file.stat().st_size for file in files if file.is_file())


def bags_from(arguments: Sequence[str]) -> tuple[Recording, ...]:
    """
    Read '[SCENE=]BAG' as typed.

    Raise StoreError for a bag that is not there, or that is given twice: its rows would be, too.
    """
    recordings = []
    for argument in arguments:
        scene, path = '', argument
        if '=' in argument and not Path(argument).exists():
            scene, _, path = argument.partition('=')
        if not Path(path).exists():
            raise StoreError(f"no bag at '{path}'; give a rosbag2 folder or a file of one")
        recordings.append(Recording(Path(path).resolve(), scene))
    twice = [path for path, times in Counter(r.path for r in recordings).items() if times > 1]
    if twice:
        raise StoreError(f"'{twice[0]}' is given twice")
    return tuple(recordings)


@dataclass(frozen=True)
class RecordedBags:
    """
    Recordings, mined for examples of ``tasks``; one stream, in the order given.

    What is mined is seen by the robot itself: the view that it had when it came to a place, maps
    fused from its depth images. A bag that cannot be read is refused by name; the others are used.
    ``reading`` says which topics and frames of all bags to use.
    """

    tasks: tuple[str, ...]
    bags: tuple[Recording, ...]
    seed: int = 0
    reading: ReadOptions = field(default_factory=ReadOptions)

    def streams(self) -> dict[str, Iterator[Unit]]:
        """Return the bags."""
        return {'bags': iter([Unit('bags', k, {'bag': k}) for k in range(len(self.bags))])}

    def describe(self) -> dict:
        """Return what decides the examples, as JSON values."""
        usual = asdict(ReadOptions())
        reading = {name: value for name, value in asdict(self.reading).items()
                   if value != usual[name]}
        return {
            'kind': 'bags',
            'seed': self.seed,
            'bags': [
                asdict(bag) | {'path': bag.path.name, 'bytes': bag.size} for bag in self.bags],
            # What is as usual is left out, as in data sets from before there was a choice.
            **({'reading': reading} if reading else {}),
        }

    def open(self) -> Callable[[Unit], Made]:
        """Return what mines a bag."""
        return self._mine

    def _mine(self, unit: Unit) -> Made:
        bag = self.bags[unit.work['bag']]
        made = Made([])
        made.examples = self._examples(bag, unit.number, made)
        return made

    def _examples(self, bag: Recording, number: int, made: Made) -> Iterator[Example]:
        found = 0
        try:
            with read_rollout(bag.path, self.reading) as rollout:
                for example in mine_examples(
                        rollout, self.tasks, self.seed + number, MiningOptions(scene=bag.scene),
                        made.turned_down):
                    made.attempts += 1
                    fair = keep_fair(example, made.turned_down)
                    if fair is not None:
                        found += 1
                        yield _placed(fair, bag)
                made.turned_down.update(rollout.problems)
        except BagReadError as error:
            made.refused[bag.path.name] = str(error)
            return
        if not found:
            reasons = [reason for reason, _ in made.turned_down.most_common()
                       if not reason.startswith('note:')]
            made.refused[bag.path.name] = (
                f"no example could be mined: {'; '.join(reasons[:3]) or 'nothing to look at'}")


def _placed(example: Example, bag: Recording) -> Example:
    """Say which bag an example is from; a room that a simulator generated is known by its seed."""
    seed = room_seed(example.metadata['scene'])
    known = {} if seed is None else {'scene': seed}
    return replace(example, metadata=example.metadata | known | {'bag': bag.path.name})
