"""Cover pictures: a landscape, a vinyl record or waves, painted column by column and written as PNG."""

import colorsys
import math
import struct
import zlib
from random import Random

from producer_tools.sandbox.music.chance import pick, seeded_random

_SIZE = 256  # pixels in width and height
_NIGHT = 0.35  # share of the landscapes that are at night

_Colour = bytes  # red, green and blue
_Columns = list[list[_Colour]]


def cover_png(seed: str) -> bytes:
    """Paint a square picture, 256 pixels wide, that depends only on the seed; returns a PNG file."""
    rng = seeded_random("cover", seed)
    return _png(pick(rng, (_landscape, _landscape, _record, _waves))(rng))


def plain_png() -> bytes:
    """Make a small square picture of one colour; returns a PNG file."""
    return _png([[b"\x60\x70\x80"] * 16] * 16)


def _png(columns: _Columns) -> bytes:
    # A PNG file has rows, each with a first byte that names its filter (here none).
    rows = b"".join(b"\0" + b"".join(row) for row in zip(*columns, strict=True))
    header = struct.pack(">2I5B", len(columns), len(columns[0]), 8, 2, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, content) for name, content in parts)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _landscape(rng: Random) -> _Columns:
    """Rows of hills under a sun or a moon."""
    hue, night = rng.random(), rng.random() < _NIGHT
    horizon = _colour(hue + 0.09 + rng.random() * 0.08, 0.42 if night else 0.8, 0.6)
    columns = _sky(_colour(hue, 0.1 if night else 0.5, 0.55), horizon)
    if night:
        for _ in range(60):
            column, y = pick(rng, columns), int(rng.random() * _SIZE * 0.6)
            column[y] = _blend(column[y], b"\xff\xff\xff", 0.3 + 0.7 * rng.random())
    light = _colour(hue + 0.12, 0.93, 0.9)
    centre = (_SIZE * (0.2 + 0.6 * rng.random()), _SIZE * (0.2 + 0.3 * rng.random()))
    radius = _SIZE * (0.07 + (0.03 if night else 0.09) * rng.random())
    for halo, strength in ((1.9, 0.12), (1.4, 0.2), (1.0, 1.0)):
        _disc(columns, centre, radius * halo, light, strength)
    near = _colour(hue + pick(rng, (0.05, 0.35, 0.5, 0.9)), 0.12, 0.45)
    hills = pick(rng, (3, 4, 5))
    for hill in range(hills):
        share = (hill + 1) / hills
        _fill_below(
            columns, _SIZE * (0.45 + 0.42 * share), _SIZE * 0.1, _blend(horizon, near, 0.15 + 0.85 * share), rng
        )
    return columns


def _waves(rng: Random) -> _Columns:
    """Wavy bands of similar colours."""
    hue, turn = rng.random(), pick(rng, (-0.3, -0.18, 0.18, 0.3))
    columns = _sky(_colour(hue, 0.93, 0.7), _colour(hue + turn / 8, 0.85, 0.7))
    _disc(columns, (_SIZE * (0.25 + rng.random() / 2), _SIZE * 0.3), _SIZE * 0.15, _colour(hue + 0.5, 0.62, 0.8))
    bands = pick(rng, (6, 7, 8))
    for band in range(bands):
        share = band / (bands - 1)
        colour = _colour(hue + turn * share, 0.75 - 0.55 * share, 0.65)
        _fill_below(columns, _SIZE * (0.3 + 0.6 * share), _SIZE * 0.12, colour, rng)
    return columns


def _record(rng: Random) -> _Columns:
    """A vinyl record on a coloured sleeve."""
    hue = rng.random()
    columns = _sky(_colour(hue, 0.72, 0.6), _colour(hue + 0.1, 0.5, 0.6))
    centre = (_SIZE * (0.42 + 0.16 * rng.random()), _SIZE * (0.42 + 0.16 * rng.random()))
    radius = _SIZE * (0.36 + 0.06 * rng.random())
    _disc(columns, (centre[0] + 5, centre[1] + 6), radius, _colour(hue + 0.05, 0.38, 0.45))
    grooves = 12
    for groove in range(grooves):
        shade = _colour(hue, 0.06 + 0.05 * rng.random() + (0.05 if groove % 4 == 0 else 0), 0.12)
        _disc(columns, centre, radius * (1 - 0.6 * groove / grooves), shade)
    label = hue + pick(rng, (0.33, 0.5, 0.66))
    for share, lightness in ((0.36, 0.55), (0.26, 0.68), (0.22, 0.6), (0.05, 0.95)):
        _disc(columns, centre, radius * share, _colour(label, lightness, 0.75))
    return columns


def _sky(top: _Colour, bottom: _Colour) -> _Columns:
    column = [_blend(top, bottom, y / (_SIZE - 1)) for y in range(_SIZE)]
    return [column[:] for _ in range(_SIZE)]


def _disc(
    columns: _Columns, centre: tuple[float, float], radius: float, colour: _Colour, strength: float = 1.0
) -> None:
    for x in range(max(0, math.ceil(centre[0] - radius)), min(_SIZE, math.ceil(centre[0] + radius))):
        half = math.sqrt(radius**2 - (x - centre[0]) ** 2)
        _paint(columns[x], centre[1] - half, centre[1] + half, colour, strength)


def _fill_below(columns: _Columns, height: float, swell: float, colour: _Colour, rng: Random) -> None:
    """Paint everything below a wavy line; ``height`` and ``swell`` are in pixels."""
    waves = [(swell * size, (0.5 + rng.random()) * times, 7 * rng.random()) for size, times in _HILL_WAVES]
    for x, column in enumerate(columns):
        turn = 2 * math.pi * x / _SIZE
        line = height + math.fsum(size * math.sin(times * turn + start) for size, times, start in waves)
        _paint(column, line, _SIZE, colour)


_HILL_WAVES = ((0.6, 0.9), (0.35, 2.2), (0.12, 5.0))  # each as (share of the swell, waves in the width)


def _paint(column: list[_Colour], top: float, bottom: float, colour: _Colour, strength: float = 1.0) -> None:
    """Paint a column between two heights. The pixels at both ends are blended in part, so that edges are smooth."""
    top, bottom = max(top, 0.0), min(bottom, float(_SIZE))
    if bottom <= top:
        return
    first, last = math.ceil(top), int(bottom)
    if first > 0 and first - top > 0:
        column[first - 1] = _blend(column[first - 1], colour, strength * (min(first, bottom) - top))
    if first <= last < _SIZE:
        column[last] = _blend(column[last], colour, strength * (bottom - last))
    if strength == 1.0:
        column[first:last] = [colour] * (last - first)
    else:
        column[first:last] = [_blend(under, colour, strength) for under in column[first:last]]


def _blend(under: _Colour, over: _Colour, strength: float) -> _Colour:
    (red, green, blue), (to_red, to_green, to_blue) = under, over
    return bytes(
        (
            int(red + (to_red - red) * strength),
            int(green + (to_green - green) * strength),
            int(blue + (to_blue - blue) * strength),
        )
    )


def _colour(hue: float, lightness: float, saturation: float) -> _Colour:
    return bytes(int(255 * part) for part in colorsys.hls_to_rgb(hue % 1, lightness, saturation))
