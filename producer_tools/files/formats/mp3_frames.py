"""The frames of an mp3: whether a file goes on as it begins, and where each frame ends.

A tag may stand before anything, and the few bytes of one header prove little.
"""

import re

_SEARCHED = 64 * 1024
_LAYER_3 = b"\xe2\xe3\xf2\xf3\xfa\xfb"  # MPEG 2.5, 2 and 1, each with and without a checksum
_NO_BITRATE, _NO_RATE = (0x00, 0xF0), 0x0C
_RATED = bytes(byte for byte in range(256) if byte & 0xF0 not in _NO_BITRATE and byte & _NO_RATE != _NO_RATE)
_HEADER = re.compile(rb"\xff[" + _LAYER_3 + b"][" + re.escape(_RATED) + b"]", re.DOTALL)
_MPEG1_KBIT = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_MPEG2_KBIT = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_MPEG1_RATES = (44_100, 48_000, 32_000)


def has_frames(content: bytes, start: int) -> bool:
    """Whether there are two frames, the second one right behind the first one.

    As decoders do, it skips what is no frame, such as padding, for 64 KiB.

    Args:
        content: all bytes of the file.
        start: where its tags end.
    """
    headers = _HEADER.finditer(content, start, start + _SEARCHED)
    return any(_HEADER.match(content, each.start() + _length(each.group())) for each in headers)


def frame_length(header: bytes) -> int:
    """The bytes of a frame that begins with these three or more bytes; 0 if no frame does."""
    return _length(header) if _HEADER.match(header) else 0


def _length(header: bytes) -> int:
    """The bytes of a frame with this header, as the specification of MPEG audio computes them."""
    version, rated = header[1] >> 3 & 3, header[2]
    is_mpeg1 = version == 3  # noqa: PLR2004 - MPEG 2 is 2, and 2.5 is 0
    kbit = (_MPEG1_KBIT if is_mpeg1 else _MPEG2_KBIT)[(rated >> 4) - 1]
    rate = _MPEG1_RATES[rated >> 2 & 3] // {3: 1, 2: 2, 0: 4}[version]
    return (144 if is_mpeg1 else 72) * kbit * 1000 // rate + (rated >> 1 & 1)
