"""Which files this process has open."""

import os
from contextlib import suppress
from pathlib import Path

DESCRIPTORS = Path("/proc/self/fd")


def open_below(directory: Path) -> list[str]:
    """What is open of a directory, and the directory itself. Elsewhere, other threads open and close at any time.

    It is empty where the system does not list the open files of a process: only Linux does.
    """
    if not DESCRIPTORS.exists():
        return []
    found: list[str] = []
    for descriptor in list(DESCRIPTORS.iterdir()):
        with suppress(OSError):  # closed meanwhile
            found.append(os.readlink(descriptor))  # noqa: PTH115 - it may be no path, but a socket
    return [name for name in found if f"{name}/".startswith(f"{directory.resolve()}/")]
