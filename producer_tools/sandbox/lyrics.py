"""Words for a song, woven from the words of a prompt: the same prompt, the same lyrics."""

import re
from random import Random

from producer_tools.sandbox.jobs import Lyrics

# Lines that any one word fits into, and their rhymes.
_PAIRS = (
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
# Words that carry no picture.
_SMALL = re.compile(
    r"a|about|an|and|are|as|at|be|by|for|from|her|his|i|in|into|is|it|its|lyrics|me|music|my|of|on|or|our|please|some"
    r"|song|that|the|their|this|to|track|we|with|write|you|your"
)


def write(prompt: str) -> Lyrics:
    """Lyrics about ``prompt`` in marked sections, in rhyming lines of four to eight words."""
    random = Random(prompt)
    words = _telling_words(prompt) or ["morning"]
    pairs = list(_PAIRS)
    random.shuffle(pairs)
    chorus = _section(pairs[:2], words, random)
    others = iter([_section(pairs[at : at + 2], words, random) for at in (2, 4, 6)])
    text = "\n\n".join(f"[{name}]\n{chorus if name == 'Chorus' else next(others)}" for name in _PLAN)
    return Lyrics(title(prompt), text)


def title(text: str) -> str:
    """A title made up from the first telling words of ``text``, that says it is the sandbox's."""
    words = _telling_words(text)[:4]
    return f"Sandbox: {' '.join(words).title()}" if words else "Sandbox song"


def _section(pairs: list[tuple[str, str]], words: list[str], random: Random) -> str:
    return "\n".join(f"{first.format(random.choice(words))}\n{second}" for first, second in pairs)


def _telling_words(text: str) -> list[str]:
    """The words of ``text`` without section markers and without the small ones, each once."""
    words = re.findall(r"\w[\w']{0,30}", re.sub(r"\[.*?\]", " ", text.lower()))
    return list(dict.fromkeys(word for word in words if not _SMALL.fullmatch(word)))
