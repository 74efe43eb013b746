"""Lyrics made from the words of a prompt: the same prompt always gives the same lyrics."""

import re
from random import Random

from producer_tools.sandbox.jobs import Lyrics

# Pairs of rhyming lines; the first one takes any word.
_COUPLETS = (
    ("say {}, say it soft and slow", "and I will follow where you go"),
    ("I hear the word {} in the rain", "it calls me back to you again"),
    ("they whisper {} to the sea", "the waves will carry it to me"),
    ("oh {}, you are in my heart", "and every ending is a start"),
    ("we sing of {} on the hill", "the world is turning, we stand still"),
    ("{} is all I know tonight", "and all the windows fill with light"),
    ("they painted {} on the door", "I never saw it there before"),
    ("just {}, and a little time", "and let the bells begin to chime"),
)
_PLAN = ("Verse", "Chorus", "Verse", "Chorus", "Bridge", "Chorus")
# Words that say nothing about the subject of a song.
_STOP_WORDS = re.compile(
    r"a|about|an|and|are|as|at|be|by|for|from|her|his|i|in|into|is|it|its|lyrics|me|music|my|of|on|or|our|please|some"
    r"|song|that|the|their|this|to|track|we|with|write|you|your"
)


def write(prompt: str) -> Lyrics:
    """Lyrics about ``prompt`` in marked sections, in rhyming lines of four to eight words."""
    random = Random(prompt)
    words = _keywords(prompt) or ["morning"]
    couplets = list(_COUPLETS)
    random.shuffle(couplets)
    chorus = _section(couplets[:2], words, random)
    others = iter([_section(couplets[at : at + 2], words, random) for at in (2, 4, 6)])
    text = "\n\n".join(f"[{name}]\n{chorus if name == 'Chorus' else next(others)}" for name in _PLAN)
    return Lyrics(title(prompt), text)


def title(text: str) -> str:
    """A title from the first keywords of ``text``; it says that the sandbox made it."""
    words = _keywords(text)[:4]
    return f"Sandbox: {' '.join(words).title()}" if words else "Sandbox song"


def _section(couplets: list[tuple[str, str]], words: list[str], random: Random) -> str:
    return "\n".join(f"{first.format(random.choice(words))}\n{second}" for first, second in couplets)


def _keywords(text: str) -> list[str]:
    """The words of ``text`` without section markers, stop words and repetitions."""
    words = re.findall(r"\w[\w']{0,30}", re.sub(r"\[.*?\]", " ", text.lower()))
    return list(dict.fromkeys(word for word in words if not _STOP_WORDS.fullmatch(word)))
