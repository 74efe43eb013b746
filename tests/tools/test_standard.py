"""LangChain's standard tests, run on every tool of the pack."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.tools import BaseTool
from langchain_tests.integration_tests import ToolsIntegrationTests
from langchain_tests.unit_tests import ToolsUnitTests

from producer_tools import ProducerClient, ProducerToolkit, Task
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import ProducerSandbox
from producer_tools.tools.base import ProducerTool
from producer_tools.tools.catalog import ALL_TOOLS

ARGUMENTS: dict[str, Any] = {
    "audio_id": "a1", "prompt": "a calm song", "lyric": "[Verse]\nOurs", "title": "Ours", "continue_at": 5,
    "replace_section_start": 2, "replace_section_end": 4, "audio_url": "https://example.org/own.mp3",
    "task_id": "t1", "task_ids": ["t1"],
}  # fmt: skip
"""A value for each argument that some tool requires."""


class Standard:
    """The properties that LangChain's tests read. They run once for each tool.

    Attributes:
        tested: the class of the tool.
        settings: the arguments of its constructor.
        arguments: a value for each argument that it may require.
    """

    tested: type[ProducerTool]
    settings: dict[str, Any]
    arguments: dict[str, Any]

    @property
    def tool_constructor(self) -> type[BaseTool]:
        return self.tested

    @property
    def tool_constructor_params(self) -> dict[str, Any]:
        return self.settings

    @property
    def tool_invoke_params_example(self) -> dict[str, Any]:
        required = self.tested.model_fields["args_schema"].default.model_json_schema().get("required", ())
        return {name: self.arguments[name] for name in required}


class ClientAt:
    """Equal to every client with this base URL."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ProducerClient) and other.base_url == self.base_url

    __hash__ = None  # type: ignore[assignment]  # mypy does not know how Python marks a class as unhashable


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ProducerSandbox]:
    """One for all tests of this file, so that its first song is made only once."""
    with ProducerSandbox(render_seconds=0, silent=True) as running:
        yield running


@pytest.fixture(scope="module")
def task(sandbox: ProducerSandbox) -> Task:
    """A finished song."""
    with ProducerClient(sandbox.api_token, sandbox.base_url, poll_interval=0) as client:
        submitted = client.submit_sync(GenerateMusic(prompt="a calm song"))
        return client.get_task_sync(str(submitted.task_id))


each_tool = pytest.fixture(autouse=True, params=ALL_TOOLS, ids=lambda tool: tool.__name__)


class TestUnit(Standard, ToolsUnitTests):
    """A tool that fails here cannot be listed, bound or described by LangChain, or made from the environment."""

    @each_tool
    def _each(self, request: pytest.FixtureRequest) -> None:
        self.tested, self.settings, self.arguments = request.param, {}, ARGUMENTS

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        address = "https://producer.example"
        environment = {"ACEDATACLOUD_API_TOKEN": "made-up", "ACEDATACLOUD_API_BASE_URL": address}
        return environment, {}, {"client": ClientAt(address)}


class TestIntegration(Standard, ToolsIntegrationTests):
    """A tool that fails here breaks a run: a call without a message, no artifact, or no sync or async version."""

    @each_tool
    async def _each(self, request: pytest.FixtureRequest, client: ProducerClient, task: Task, tmp_path: Path) -> None:
        (song,) = task.results
        self.tested = request.param
        self.settings = {"client": client}
        if "directory" in self.tested.model_fields:
            self.settings["directory"] = tmp_path
        self.arguments = {
            **ARGUMENTS,
            "audio_id": song["audio_id"],
            "task_id": task.task_id,
            "task_ids": [task.task_id],
        }


def test_both_classes_test_every_tool_of_the_toolkit() -> None:
    """A tool that is missing in the list would be given to users untested."""
    assert [type(tool) for tool in ProducerToolkit().get_tools()] == list(ALL_TOOLS)
