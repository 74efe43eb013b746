"""How loud samples are, in short stretches. Needs the extra ``sound``."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray


def loudest(block: "NDArray[numpy.float32]", length: int) -> "NDArray[numpy.float32]":
    """The loudest sample in any channel of each stretch of so many frames. The last stretch may be shorter."""
    import numpy as np  # noqa: PLC0415 - optional

    return np.maximum.reduceat(np.abs(block).max(axis=1), np.arange(0, len(block), length))
