"""What this package and its peers do with previews, with both formats of records, and with a cut connection."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from langchain_core.tools import BaseTool

from producer_tools import ProducerClient, ProducerToolkit
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault, ProducerSandbox
from producer_tools.sandbox.records import Vocabulary
from tests.bench import peers_environment
from tests.bench.section import Section
from tests.clocks import ManualClock

SONG_SECONDS = 100.0
SONG = {"prompt": "happy summer pop"}


class Songs(NamedTuple):
    """The tasks of three songs that were submitted one after another.

    Attributes:
        complete: is finished.
        processing: has a preview URL.
        pending: has a preview URL too, in the format of the MCP server's texts.
    """

    complete: str
    processing: str
    pending: str


class Package(NamedTuple):
    """A package that is measured.

    Attributes:
        name: in Markdown.
        are_finished: whether one look-up of each task tells that it is finished; None if the look-up fails.
        submitted: submits a song, and returns its task id; None if the call fails.
    """

    name: str
    are_finished: Callable[[ProducerSandbox, Songs], Awaitable[list[bool | None]]]
    submitted: Callable[[ProducerSandbox], Awaitable[str | None]]


def peer(name: str, way: str) -> Package:
    """A package of the peers' environment; ``peer_calls.py`` has the ways."""

    async def are_finished(sandbox: ProducerSandbox, songs: Songs) -> list[bool | None]:
        return list(await peers_environment.calls(sandbox.base_url, sandbox.api_token, way, "look_up", *songs))

    async def submitted(sandbox: ProducerSandbox) -> str | None:
        task_id: str | None = await peers_environment.calls(sandbox.base_url, sandbox.api_token, way, "submit")
        return task_id

    return Package(name, are_finished, submitted)


async def our_are_finished(sandbox: ProducerSandbox, songs: Songs) -> list[bool | None]:
    """What this package's tool tells."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
        look_up = _tool(client, "producer_get_task")
        return [(await _artifact(look_up, {"task_id": task_id}))["state"] == "complete" for task_id in songs]


async def our_submitted(sandbox: ProducerSandbox) -> str | None:
    """Submit with this package's tool."""
    async with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
        with suppress(Exception):
            return (await _artifact(_tool(client, "producer_generate_music"), SONG))["task_id"]
    return None


PACKAGES = [
    Package("producer-tools", our_are_finished, our_submitted),
    peer("`mcp-producer`", "mcp_stdio"),
    peer("`langchain-suno-acedatacloud`", "suno"),
    peer("`acedatacloud`, the SDK", "sdk"),
]


async def measure() -> Section:
    """Play each case once with each package."""
    return Section(
        "Previews, formats of records, and cut connections",
        "The sandbox shows a preview URL while a song is made. It sends the two formats of task records that the "
        "provider has published: that of the API specification, which has no state, and that of the texts of its MCP "
        "server. Each package looks up a pending, a processing and a finished song in each format. Which format the "
        "service sends today is not known.\n\n"
        "Then each package submits one song with one call, and the connection is cut after the service has carried "
        "the request out and before it answers. `producer-tools` searches the account for the task of such a request.",
        (
            "package",
            "unfinished song told as finished",
            "finished song recognized: specification",
            "finished song recognized: MCP texts",
            "charges after the cut",
            "task id after the cut",
        ),
        [await _row(package) for package in PACKAGES],
    )


async def _row(package: Package) -> tuple[str, ...]:
    formats: tuple[Vocabulary, ...] = ("record", "state")
    told = [await _told(package, vocabulary) for vocabulary in formats]
    finished = ["yes" if complete else "no" for complete, *_ in told]
    return (
        package.name,
        _of_unfinished([each for _, *unfinished in told for each in unfinished]),
        *finished,
        *await _cut(package),
    )


async def _told(package: Package, vocabulary: Vocabulary) -> list[bool | None]:
    clock = ManualClock()
    with ProducerSandbox(render_seconds=SONG_SECONDS, vocabulary=vocabulary, clock=clock) as sandbox:
        ids = []
        async with ProducerClient(sandbox.api_token, sandbox.base_url) as client:
            for pause in (SONG_SECONDS, SONG_SECONDS / 2, 0):
                ids.append(str((await client.submit(GenerateMusic(prompt="a song"))).task_id))
                clock.advance(pause)
        return await package.are_finished(sandbox, Songs(*ids))


def _of_unfinished(told: list[bool | None]) -> str:
    if any(told):
        return "yes"
    failed = told.count(None)
    return f"no; {failed} of {len(told)} look-ups fail" if failed else "no"


async def _cut(package: Package) -> tuple[str, str]:
    with ProducerSandbox() as sandbox:
        sandbox.fail_next(Fault.RESET_AFTER_WORK, endpoint="/producer/audios")
        task_id = await package.submitted(sandbox)
        charges = [charge.task_id for charge in sandbox.charges]
    return str(len(charges)), _known(task_id, charges)


def _known(task_id: str | None, charged: list[str]) -> str:
    """Whether the caller knows the task that was charged; if there are several, whose id it has."""
    if task_id is None:
        return "no"
    if charged == [task_id]:
        return "yes"
    return "of the last one" if charged[-1:] == [task_id] else "of another one"


def _tool(client: ProducerClient, name: str) -> BaseTool:
    return next(tool for tool in ProducerToolkit(client=client).get_tools() if tool.name == name)


async def _artifact(tool: BaseTool, arguments: dict[str, str]) -> dict[str, str]:
    call = {"name": tool.name, "args": arguments, "id": "a call", "type": "tool_call"}
    return dict((await tool.ainvoke(call)).artifact)
