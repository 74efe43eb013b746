"""Fixtures for downloads."""

import pytest

from producer_tools.files.library import finishing


@pytest.fixture
def untagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are saved as they were sent, as without the extras ``files`` and ``sound``."""
    monkeypatch.setattr(finishing, "write_tags", lambda *_: False)
    monkeypatch.setattr(finishing, "measure", lambda _: None)
