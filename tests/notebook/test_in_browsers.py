"""The cards in JupyterLab and in marimo themselves, in headless Chromium, in light and dark themes.

`make browser` runs these tests. They are skipped where Chromium, JupyterLab or marimo is not installed.
"""

from pathlib import Path
from typing import Any

import pytest

from tests.notebook.servers import chromium_page, jupyterlab, marimo, need, notebook

pytestmark = pytest.mark.timeout(600)  # a first start of JupyterLab takes half a minute, and more on a busy machine
# A song takes its time until this file is there, so that a busy browser has the time to show its progress.
SEEN = "seen"
CELLS = [
    """
import asyncio
import wave
from pathlib import Path
from producer_tools import Downloader, Downloads, ProducerClient, SavedFile, Task
from producer_tools.notebook import compare
from producer_tools.progress import ProgressBar
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox

sandbox = ProducerSandbox(render_seconds=20)
sandbox.start()
client = ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0.2)

async def finish_when_seen():
    while not Path("seen").exists():
        await asyncio.sleep(0.05)
    sandbox.finish_now()
""",
    """
submitted = await client.submit(GenerateMusic(prompt="a happy song about the first day of summer"))
finishing = asyncio.create_task(finish_when_seen())
with ProgressBar() as bar:
    batch = await client.wait([submitted.task_id], timeout=300, on_progress=bar)
await finishing
batch
""",
    "batch.tasks[0]",
    "submitted",
    'saved = await Downloader(client, "songs").save(batch.tasks[0])\nsaved',
    "compare(saved, saved)",
    """
path, url = Path("long.wav").absolute(), "https://cdn.example/long.wav"
with wave.open(str(path), "wb") as sound:
    sound.setparams((1, 2, 8000, 0, "NONE", ""))
    sound.writeframes(bytes(16_000 * 150))
long_song = Task("t", "complete", ({"title": "Two and a half minutes", "audio_url": url, "duration_seconds": 150.9},))
Downloads(long_song, (SavedFile("audio", str(path), path.stat().st_size, "audio/wav", url),))
""",
    'Task("t", "failed", error={"code": "no_capacity", "message": "The last card.", "trace_id": None})',
]
DRAWING = """
from IPython.display import Image
from producer_tools.langgraph import album_graph
Image(album_graph(client).compile().get_graph(xray=True).draw_png(), width=300)
"""
CARD = 'div:is([style*="border-radius:10px"], [style*="border-radius: 10px"])'
# What a player finds out of each embedded song: how long it is, and that it plays.
PLAY = """async () => {
    const players = [...document.querySelectorAll('audio[src^="data:"]')];
    return Promise.all(players.map(async (player) => {
        player.muted = true;
        await player.play();
        player.pause();
        return player.duration;
    }));
}"""
# The contrast of a card's texts with what is behind them, by https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio.
CONTRASTS = """(texts) => {
    const paint = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
    const luminance = (layers) => {
        for (const [color, opacity] of layers) {
            paint.globalAlpha = opacity;
            paint.fillStyle = color;
            paint.fillRect(0, 0, 1, 1);
        }
        const [red, green, blue] = [...paint.getImageData(0, 0, 1, 1).data].map(
            (value) => value <= 10 ? value / 3294.6 : ((value / 255 + .055) / 1.055) ** 2.4);
        return .2126 * red + .7152 * green + .0722 * blue;
    };
    return texts.map((text) => {
        const around = [];
        for (let node = text; node; node = node.parentElement) around.push(getComputedStyle(node));
        const opacity = around.reduce((all, style) => all * style.opacity, 1);
        const behind = around.reverse().map((style) => [style.backgroundColor, 1]);
        const ground = luminance([['white', 1], ...behind]);
        const ink = luminance([['white', 1], ...behind, [getComputedStyle(text).color, opacity]]);
        return (Math.max(ground, ink) + .05) / (Math.min(ground, ink) + .05);
    });
}"""
IS_OPAQUE = """(picture) => {
    const paint = document.createElement('canvas').getContext('2d');
    paint.drawImage(picture, 0, 0);
    return paint.getImageData(0, 0, 1, 1).data[3] === 255;
}"""


def check_cards(page: Any) -> None:
    """Every card is there, its texts can be read, and each embedded song plays and is as long as the card says."""
    cards = page.locator(CARD)
    for text in ("The last card.", "Two and a half minutes"):
        cards.get_by_text(text).wait_for()
    assert cards.count() == 6
    assert cards.get_by_text("Not finished: pending").count() == 1
    assert cards.get_by_text("Sandbox: ").count() == 3
    lengths = page.evaluate(PLAY)
    assert len(lengths) == 2
    for seconds in lengths:
        assert seconds > 5
        shown = f"{int(seconds) // 60}:{int(seconds) % 60:02}"
        assert cards.get_by_text(shown).count() >= 1, "the card and the player show different lengths"
    frame = page.frame_locator('iframe[title^="Compare"]')
    frame.get_by_role("button", name="Play").click()
    frame.locator(".now").get_by_text("0:00").wait_for(state="detached")
    frame.get_by_role("button", name="Pause").click()
    assert min(page.locator(f"{CARD} div:not(:has(div)):visible").evaluate_all(CONTRASTS)) >= 4.5


def test_cards_show_and_play_in_jupyterlab(tmp_path: Path) -> None:
    """If this fails, a user of JupyterLab sees no cards, cannot read or play them, or sees no progress."""
    need("jupyterlab")
    with jupyterlab(notebook(tmp_path, [*CELLS, DRAWING])) as address, chromium_page() as page:
        page.goto(address)
        page.wait_for_function(
            "window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel?.status == 'idle'"
        )
        page.evaluate("void window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.locator("pre").get_by_text("processing").wait_for()  # the progress bar, while the song is made
        (tmp_path / SEEN).touch()
        drawing = page.locator(".jp-OutputArea img[width='300']")
        drawing.wait_for()
        for theme in ("Light", "Dark"):
            page.evaluate(
                f"window.jupyterapp.commands.execute('apputils:change-theme', {{theme: 'JupyterLab {theme}'}})"
            )
            page.locator(f"body[data-jp-theme-name='JupyterLab {theme}']").wait_for(state="attached")
            page.locator("#jupyterlab-splash").wait_for(state="detached")
            check_cards(page)
        assert drawing.evaluate(IS_OPAQUE), "black lines on a dark page cannot be seen"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cards_show_and_play_in_marimo(theme: str, tmp_path: Path) -> None:
    """If this fails, a user of marimo sees no cards, or cannot read or play them, also in a narrow window."""
    need("marimo")
    (tmp_path / SEEN).touch()
    with marimo(notebook(tmp_path, CELLS), theme) as address, chromium_page() as page:
        page.goto(address)
        check_cards(page)
        assert page.locator(f".{theme}").count() >= 1
        page.set_viewport_size({"width": 320, "height": 3000})
        too_wide = "(cards) => cards.filter((card) => card.scrollWidth > card.clientWidth).length"
        assert page.locator(CARD).evaluate_all(too_wide) == 0
