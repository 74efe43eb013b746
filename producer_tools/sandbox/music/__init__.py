"""Music for ProducerSandbox: songs that are composed and played on the spot, the same every time.

`compose` plans a song from a prompt, a lyric and a seed; a `Song` makes other songs of itself, and plays. Nothing here
knows the server, and nothing needs more than the standard library. Read on in the order of the imports: ``style`` and
``melody`` make a ``score``, and ``accompaniment`` adds the band; ``voices``, ``waves``, ``track``, ``synth`` and
``render`` make it sound; ``clip`` and ``song`` cut and join; ``files`` packs.
"""

from producer_tools.sandbox.music.picture import cover_png, plain_png
from producer_tools.sandbox.music.song import Song, compose, uploaded

__all__ = ["Song", "compose", "cover_png", "plain_png", "uploaded"]
