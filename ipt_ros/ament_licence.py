# Copyright 2026 IPT-ROS contributors
# SPDX-License-Identifier: Apache-2.0
"""The short header of our files, for `ament_copyright`, which finds it by an entry point."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Licence:
    """What ament_copyright asks of a licence: its names, and texts by which files show it."""

    name: str
    spdx: str
    file_headers: tuple[str, ...]
    license_files: tuple[str, ...]
    contributing_files: tuple[str, ...]


# The file LICENSE has the common text, which ament_copyright knows by itself.
APACHE = Licence(
    'Apache License, Version 2.0, by its SPDX line', 'Apache-2.0',
    ('{copyright}\nSPDX-License-Identifier: Apache-2.0',), (),
    ('Contributions are under the [licence](LICENSE) of the project.',))
