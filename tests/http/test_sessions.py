"""aiohttp sessions: the client makes one for each event loop, or uses the caller's and never closes it."""

import aiohttp
import pytest

from producer_tools import ConfigurationError, ProducerClient, ProducerGetTask, ProducerToolkit
from producer_tools.sandbox import ProducerSandbox
from tests.raw_server import answering, http


async def test_a_callers_session_is_used_and_never_closed() -> None:
    """Closed by the client, it would fail in the rest of the caller's application."""
    async with aiohttp.ClientSession(headers={"X-Mine": "1"}) as session:
        async with answering(http({"id": "t1", "state": "pending"})) as server:
            async with ProducerClient("t", server.base_url, session=session) as client:
                await client.get_task("t1")
            assert b"X-Mine: 1" in server.requests[0]
        assert not session.closed


async def test_a_callers_session_in_another_loop_is_a_clear_error(sandbox: ProducerSandbox) -> None:
    """The error of aiohttp itself would not name the cause."""
    async with aiohttp.ClientSession() as session:
        client = ProducerClient(sandbox.api_token, sandbox.base_url, session=session)
        with pytest.raises(ConfigurationError, match="in the event loop it was made in"):
            ProducerGetTask(client=client).invoke({"task_id": "t"})


async def test_all_tools_of_a_loop_share_one_session(toolkit: ProducerToolkit) -> None:
    """With a session for each tool or call, each would open a connection, and sessions would be left open."""
    made: list[aiohttp.ClientSession] = []
    init = aiohttp.ClientSession.__init__

    def counted(self: aiohttp.ClientSession, *args: object, **kwargs: object) -> None:
        made.append(self)
        init(self, *args, **kwargs)  # type: ignore[arg-type]  # they are passed on as they came

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(aiohttp.ClientSession, "__init__", counted)
        tools = {tool.name: tool for tool in toolkit.get_tools()}
        await tools["producer_generate_music"].ainvoke({"prompt": "x"})
        await tools["producer_generate_lyrics"].ainvoke({"prompt": "x"})
        await tools["producer_get_task"].ainvoke({"task_id": "x"})
    assert len(made) == 2, "one for look-ups, and one in the background loop for paid requests"
