"""Music for ProducerSandbox: songs that are composed and rendered on request, repeatably.

`compose` plans a song from a prompt, a lyric and a seed. A `Song` renders its files, and derives other songs from
itself. This package does not depend on the server, and uses only the standard library, except for ``encoding``. Its
modules, in reading order: ``style`` and ``melody`` make a ``score``, and ``accompaniment`` adds the band; ``voices``,
``waves``, ``track``, ``synth`` and ``render`` turn it into sound; ``clip`` and ``song`` cut and join; ``formats``
writes WAV files, and ``encoding`` compressed ones.
"""

from producer_tools.sandbox.music.song import Song, compose, uploaded

__all__ = ["Song", "compose", "uploaded"]
