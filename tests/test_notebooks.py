"""The notebooks run from a clean kernel, offline, and are committed with their outputs."""

import base64
import io
import re
import wave
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parent.parent / "examples"
NAMES = ["music_agent", "album"]
# The kernel is another process, so a cell in front makes its songs fast, and silent, which saves rendering them.
FAST = """
import service
from functools import partial
from producer_tools import ProducerClient
from producer_tools.sandbox import ProducerSandbox
service.ProducerSandbox = lambda **_: ProducerSandbox(render_seconds=0, silent=True)
service.ProducerClient = lambda *given, **settings: ProducerClient(*given, **{**settings, "poll_interval": 0.01})
"""


def read(name: str) -> Any:
    return nbformat.read(EXAMPLES / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]


def outputs(book: Any) -> list[Any]:
    return [output for cell in book.cells for output in cell.get("outputs", [])]


def shown(book: Any, kind: str) -> str:
    return "\n".join(output.get("data", {}).get(kind, "") for output in outputs(book))


def printed(book: Any) -> str:
    return "".join(output.get("text", "") for output in outputs(book))


def sounds(book: Any) -> list[float]:
    """The length of each embedded song, in seconds."""
    found = re.findall(r'<audio[^>]* src="data:audio/[a-z-]+;base64,([^"]+)"', shown(book, "text/html"))
    lengths = []
    for data in found:
        with wave.open(io.BytesIO(base64.b64decode(data))) as song:
            lengths.append(song.getnframes() / song.getframerate())
    return lengths


@pytest.mark.parametrize("name", NAMES)
def test_runs_from_a_clean_kernel(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If this fails, a reader who runs all cells sees an error, or gets no songs."""
    for path in (*EXAMPLES.glob("*.py"), EXAMPLES / f"{name}.ipynb"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    book = read(name)
    book.cells.insert(0, nbformat.v4.new_code_cell(FAST))  # type: ignore[no-untyped-call]
    resources = {"metadata": {"path": str(tmp_path)}}
    NotebookClient(book, timeout=250, startup_timeout=250, resources=resources).execute()
    assert "the sandbox on this machine" in printed(book)
    assert "Model: scripted" in printed(book)
    assert len(sounds(book)) >= 2


with_outputs = pytest.mark.skipif(
    (EXAMPLES.parent / "PKG-INFO").exists(), reason="the source distribution has the notebooks without their outputs"
)


@with_outputs
@pytest.mark.parametrize("name", NAMES)
def test_is_committed_as_it_was_run(name: str) -> None:
    """If this fails, a reader who runs nothing misses outputs or songs, or a path or a token of ours is published."""
    book = read(name)
    assert [cell.execution_count for cell in book.cells if cell.cell_type == "code"] == list(
        range(1, 1 + sum(cell.cell_type == "code" for cell in book.cells))
    )
    assert all(output.output_type != "error" and output.get("name") != "stderr" for output in outputs(book))
    assert len(sounds(book)) == 3
    assert min(sounds(book)) >= 8
    assert shown(book, "text/html").count("Waveform of Sandbox: ") == 3
    text = re.sub(r"base64,[A-Za-z0-9+/=]+", "", (EXAMPLES / f"{name}.ipynb").read_text(encoding="utf-8"))
    assert not re.search(r"/(home|root|tmp|work|Users)/|Bearer|sandbox-[0-9a-f]{32}", text)


@with_outputs
def test_the_agent_extends_covers_and_compares() -> None:
    """If this fails, the committed conversation does not show what its headings say."""
    book = read("music_agent")
    html = shown(book, "text/html")
    assert html.index("(Sandbox extend)") < html.index("(Sandbox cover)")
    assert "producer_generate_music\nproducer_wait_for_tasks\nproducer_download_results\n" in printed(book)
    assert "Spent: 3 paid calls" in printed(book)


@with_outputs
def test_the_album_is_drawn_and_paid_for_once() -> None:
    """If this fails, the committed album lacks its drawing or its progress, or its second run was charged."""
    book = read("album")
    assert shown(book, "image/png")
    assert shown(book, "text/markdown").count("→ download | 100 % |") == 3
    assert "Spent: 0 paid calls" in printed(book)
    assert "Not today. Nothing was sent and nothing was charged." in printed(book)
