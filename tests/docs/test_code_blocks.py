"""Every code block of README.md and docs/ works as it stands there, with the sandbox where a reader has the service."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from producer_tools import ProducerClient, ProducerError, ProducerToolkit, errors
from producer_tools.sandbox import ProducerSandbox, ScriptedChatModel
from tests.clocks import PatientClock
from tests.docs.code_blocks import PAGES, ROOT, Page

CELLS = {"docs/guides/notebooks.md"}
WITHOUT_CODE = ("docs/reference/", "docs/how-it-works.md", "docs/benchmarks.md", "docs/choice.md")


pytestmark = pytest.mark.usefixtures("silent_files")


@pytest.fixture(autouse=True)
def _reader(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A reader with a key of each kind: the service is the sandbox, every chat model is the scripted one."""
    clock = PatientClock()
    for cls in (ProducerClient, ProducerSandbox):
        _with_clock(monkeypatch, cls, clock)
    for place in ("langchain.chat_models.init_chat_model", "langchain.agents.factory.init_chat_model"):
        monkeypatch.setattr(place, lambda *_, **__: ScriptedChatModel())
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # a page's own test needs none, and starts twice as fast
    monkeypatch.chdir(tmp_path)
    with ProducerSandbox() as service:
        monkeypatch.setenv("ACEDATACLOUD_API_TOKEN", service.api_token)
        monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", service.base_url)
        yield


def _with_clock(monkeypatch: pytest.MonkeyPatch, cls: type[Any], clock: PatientClock) -> None:
    original = cls.__init__

    def init(self: Any, *args: Any, **settings: Any) -> None:
        original(self, *args, **settings, clock=clock)

    monkeypatch.setattr(cls, "__init__", init)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_code_of_a_page_runs(path: Path) -> None:
    """A reader who copies a block gets what the page says."""
    page = str(path.relative_to(ROOT))
    blocks = Page(path, cells=page in CELLS).run()
    assert blocks > 0 or page.startswith(WITHOUT_CODE), "no block was found: has the page lost its code?"


def requests_in(code: str) -> Iterator[set[Any]]:
    """The keys of each graph's state that a program writes down: of the dictionaries that have a request."""
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Dict):
            names = {key.value for key in node.keys if isinstance(key, ast.Constant)}
            if "request" in names:
                yield names


def test_every_request_of_a_graph_has_a_key() -> None:
    """A reader's graph that is run again would pay again, also after a person has adopted the task."""
    notebooks = [json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "examples").glob("*.ipynb")]
    cells = ["".join(cell["source"]) for book in notebooks for cell in book["cells"] if cell["cell_type"] == "code"]
    pages = [path.read_text(encoding="utf-8") for path in PAGES]
    blocks = [block for page in pages for block in re.findall(r"^```python[^\n]*\n(.*?)^```", page, re.M | re.S)]
    examples = [path.read_text(encoding="utf-8") for path in (ROOT / "examples").glob("*.py")]
    states = [state for code in (*cells, *blocks, *examples) for state in requests_in(code)]
    assert len(states) >= 3, "none was found: are they written in another way now?"
    assert [state for state in states if "key" not in state] == []


def test_the_readme_is_short() -> None:
    """It is what a newcomer reads before installing; the rest is in docs/."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200


def test_every_error_is_explained() -> None:
    """A reader who meets an error finds it in the guide, with whether it was charged and what to do."""
    text = (ROOT / "docs/guides/errors.md").read_text(encoding="utf-8")
    classes = [thing for thing in vars(errors).values() if isinstance(thing, type) and issubclass(thing, ProducerError)]
    missing = {cls.__name__ for cls in classes if f"| `{cls.__name__}`" not in text}
    assert missing == {"ProducerError", "ProducerToolError"}, "the two base classes have a paragraph of their own"


def test_every_tool_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    with ProducerToolkit() as toolkit:
        rows = [f"| `{tool.name}` |" for tool in toolkit.get_tools()]
    assert [row for row in rows if row not in text] == []


def test_links_of_the_readme_lead_somewhere() -> None:
    """The links inside docs/ are checked when the site is built; the README is not part of it.

    A package index shows the README too, where a link or a picture with a relative address leads nowhere.
    """
    text = re.sub(r"```.*?```", "", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
    named = dict(re.findall(r"^\[([\w-]+)\]: (\S+)$", text, re.MULTILINE))
    assert set(re.findall(r"\]\[([\w-]+)\]", text)) == set(named)
    addresses = [*named.values(), *re.findall(r"\]\(([^)]+)\)", text)]
    assert [address for address in addresses if not address.startswith("https://")] == []
    ours = (
        r"https://(?:raw\.githubusercontent|github)\.com/producer-tools/producer-tools/(?:(?:blob|tree)/)?main/([^#]+)"
    )
    places = [found[1] for address in addresses if (found := re.match(ours, address))]
    assert len(places) >= len(named)
    assert [place for place in places if not (ROOT / place).exists()] == []
