# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""How every node of this package runs: until a signal, to a clean end with exit code 0."""

from collections.abc import Callable, Sequence
import signal
import sys

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node


def run_node(
    name: str,
    make: Callable[[], Node],
    args: Sequence[str] | None = None,
    refusals: tuple[type[Exception], ...] = (),
    start: Callable[[Node], None] | None = None,
) -> int:
    """
    Make a node and spin it until SIGINT or SIGTERM; return the exit code.

    ``start`` runs once the node is in its executor. The node's ``close()`` is called at the end.
    Parameters that cannot be taken, and ``refusals``, are reported in one line with exit code 1.
    """
    rclpy.init(args=args)
    node = None
    try:
        executor = SingleThreadedExecutor()
        node = make()
        executor.add_node(node)
        if start is not None:
            start(node)
        executor.spin()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    except (ParameterException, *refusals) as error:
        print(f'{name}: {error}', file=sys.stderr)
        return 1
    except Exception:
        # Publishing and the like fail in the moment in which a signal takes the context down.
        if rclpy.ok():
            raise
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if node is not None:
            node.close()
            node.destroy_node()
        rclpy.try_shutdown()
    return 0
