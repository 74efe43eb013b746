"""Records that go backwards: what was finished looks unfinished, and finished again. Nobody pays for that."""

from producer_tools import ProducerClient
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault
from producer_tools.tools.output import task_output
from tests.clocks import FastClock
from tests.payment.calls import Account

SONG = GenerateMusic(prompt="a waltz")


async def test_a_look_that_goes_backwards_is_told_as_it_is_and_pays_for_nothing(account: Account) -> None:
    """Read as lost, the song would be ordered again; read as complete, a preview would be handed over."""
    url, token = account.sandbox.base_url, account.sandbox.api_token
    async with ProducerClient(token, url, poll_interval=0) as client:
        task_id = str((await client.submit(SONG, key="a wish")).task_id)
        finished = await client.get_task(task_id)
        account.sandbox.fail_next(Fault.BACKWARDS)
        earlier = await client.get_task(task_id)
        again = await client.get_task(task_id)
        same = await client.submit(SONG, key="a wish")
    assert (finished.state, again.results) == ("complete", finished.results)
    assert (earlier.success, earlier.results) == (None, ())
    assert "Do not submit again" in task_output(earlier)[0]
    assert same.task_id == task_id
    assert len(account.new_charges()) == 1


async def test_a_wait_goes_on_to_the_end(account: Account) -> None:
    url, token = account.sandbox.base_url, account.sandbox.api_token
    async with ProducerClient(token, url, poll_interval=0, clock=FastClock()) as client:
        task_id = str((await client.submit(SONG)).task_id)
        for _ in range(3):
            account.sandbox.fail_next(Fault.BACKWARDS)
        batch = await client.wait([task_id], timeout=1000)
    assert [task.state for task in batch.tasks] == ["complete"]
    assert len(account.new_charges()) == 1
