# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""Child processes that end when we do, however that happens."""

from collections.abc import Iterator, Mapping, Sequence
import contextlib
import ctypes
from dataclasses import dataclass
from pathlib import Path
import signal
import subprocess
from time import monotonic, sleep

_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1
# ROS nodes end cleanly, and free their shared memory, on SIGINT; the rest is for those that hang.
_PATIENCE = ((signal.SIGINT, 45.0), (signal.SIGTERM, 10.0), (signal.SIGKILL, 10.0))


class ProcessDiedError(RuntimeError):
    """A process that should be running is not; the message has the end of its log."""


@dataclass(frozen=True)
class _Child:
    name: str
    process: subprocess.Popen
    log: Path


class Processes:
    """
    Starts processes and, at the end of the `with` block, stops all of them.

    Each runs in a session of its own, so that Ctrl-C reaches us first and the order of the end is
    ours, and is told by the kernel to stop should we be killed. Output goes to a log file each.
    """

    def __init__(self):
        self._children: list[_Child] = []

    def __enter__(self) -> 'Processes':
        return self

    def __exit__(self, *error) -> None:
        self.stop()

    def start(
        self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str],
    ) -> None:
        """Start `command`; its output goes to the file `log`."""
        with log.open('wb') as output:
            process = subprocess.Popen(
                list(command), stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, env=dict(environment), start_new_session=True,
                preexec_fn=_end_with_parent)
        self._children.append(_Child(name, process, log))

    def check(self) -> None:
        """Raise ProcessDiedError if one has ended."""
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                raise ProcessDiedError(
                    f'{child.name} ended with {_exit_text(code)}; the end of {child.log}:\n'
                    f'{tail(child.log)}')

    def ended(self) -> dict[str, int]:
        """Return the exit codes, by name, of those that have ended since the last call."""
        gone = [child for child in self._children if child.process.poll() is not None]
        self._children = [child for child in self._children if child not in gone]
        return {child.name: child.process.returncode for child in gone}

    def stop(self) -> dict[str, int]:
        """Stop what still runs, last started first; return the exit code of each by name."""
        for number, patience in _PATIENCE:
            running = [c for c in reversed(self._children) if c.process.poll() is None]
            for child in running:
                with contextlib.suppress(ProcessLookupError):
                    child.process.send_signal(number)
            deadline = monotonic() + patience
            while any(c.process.poll() is None for c in running) and monotonic() < deadline:
                sleep(0.05)
        codes = {child.name: child.process.returncode for child in self._children}
        self._children.clear()
        return codes


def take_interrupts() -> None:
    """
    Let SIGINT interrupt this process, as Ctrl-C does.

    Shells that are not interactive start background commands with SIGINT ignored, and so these and
    all of their children would never end on it.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Turn SIGTERM into an exception, as SIGINT is one, so that processes get stopped."""
    def stop(number, frame):
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def tail(path: Path, lines: int = 15) -> str:
    """Return the last lines of a text file, indented."""
    text = path.read_text(encoding='utf-8', errors='replace').splitlines()
    return '\n'.join('    ' + line for line in text[-lines:]) or '    (nothing)'


def _end_with_parent() -> None:
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _exit_text(code: int) -> str:
    return f'signal {signal.Signals(-code).name}' if code < 0 else f'exit code {code}'
