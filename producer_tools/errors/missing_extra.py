"""What to install where an extra is missing."""

from collections.abc import Iterator
from contextlib import contextmanager


def how_to_install(extra: str) -> str:
    """The command that installs an extra."""
    return f'pip install "producer-tools[{extra}]"'


@contextmanager
def needing_extra(extra: str, what: str) -> Iterator[None]:
    """Say what to install if an import in the block fails.

    Args:
        extra: the extra that brings what is imported.
        what: what cannot be used without it.

    Raises:
        ImportError: it is not installed.
    """
    try:
        yield
    except ImportError as missing:
        raise ImportError(f"{what} needs the extra {extra}: {how_to_install(extra)}") from missing
