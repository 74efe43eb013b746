"""Measures the loudness of audio of any length with pyloudnorm, 20 seconds at a time. Needs the extra ``sound``."""

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    Block = NDArray[numpy.float32]

_MOST_CHANNELS = 2  # the channels of surround sound have weights, which depend on their order
_AT_ONCE = 20  # seconds: pyloudnorm needs several times the memory of what it measures at once
_OVERLAP = 2  # seconds: one in which the filters settle, and one whose gating blocks reach into the next
_HOPS = 10  # gating blocks that start in a second (ITU-R BS.1770-4)
_BLOCK = 0.4  # seconds of a gating block
_ABSOLUTE_GATE, _RELATIVE_GATE = -70.0, -10.0
_one_at_a_time = threading.Lock()
"""pyloudnorm silences warnings, which it can only do for all threads at once."""


class Loudness:
    """The integrated loudness of audio that is added second by second.

    Args:
        sample_rate: in Hz.
        channels: more than two are not measured.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._rate = sample_rate
        self._measures = channels <= _MOST_CHANNELS
        self._held: list[Block] = []
        self._settled = 0  # hops at the beginning of what is held that were measured before
        self._levels: list[float] = []

    def add(self, block: "Block") -> None:
        """Measure the next second."""
        if not self._measures:
            return
        self._held.append(block)
        if len(self._held) == _AT_ONCE:
            self._measure(until=(_AT_ONCE - 1) * _HOPS)
            self._held = self._held[-_OVERLAP:]
            self._settled = _HOPS

    def integrated(self) -> float | None:
        """The loudness of all that was added, in LUFS; ``None`` for silence, and for less than 0.4 seconds."""
        import numpy as np  # noqa: PLC0415 - optional

        self._measure()
        levels = np.array([level for level in self._levels if level >= _ABSOLUTE_GATE])
        if not len(levels):
            return None
        loud = levels[levels > _mean(levels) + _RELATIVE_GATE]
        return round(_mean(loud), 1)

    def _measure(self, until: int | None = None) -> None:
        import numpy as np  # noqa: PLC0415 - optional
        from pyloudnorm import Meter  # noqa: PLC0415 - optional

        seconds = sum(map(len, self._held)) / self._rate
        if seconds < _BLOCK:
            return
        whole = int((seconds - _BLOCK) * _HOPS + 1e-6) + 1  # pyloudnorm also returns one that is not whole
        meter = Meter(self._rate)
        with _one_at_a_time, np.errstate(divide="ignore", invalid="ignore"):
            meter.integrated_loudness(np.concatenate(self._held))
        self._levels += meter.blockwise_loudness[self._settled : until or whole]


def _mean(levels: "NDArray[numpy.float64]") -> float:
    """The level of the mean power."""
    import numpy as np  # noqa: PLC0415 - optional

    return float(10 * np.log10(np.mean(10 ** (levels / 10))))
