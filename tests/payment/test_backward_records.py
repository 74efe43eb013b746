"""Look-ups that show a finished task as unfinished. They must not lead to another payment."""

from producer_tools import ProducerClient
from producer_tools.requests import GenerateMusic
from producer_tools.sandbox import Fault
from producer_tools.tools.output import task_output
from tests.clocks import FastClock
from tests.payment.calls import Account

SONG = GenerateMusic(prompt="a waltz")


async def test_a_task_that_looks_unfinished_again_is_not_paid_for_again(account: Account) -> None:
    """Read as lost, the song would be submitted again; read as complete, a preview would be returned as the song."""
    url, token = account.sandbox.base_url, account.sandbox.api_token
    async with ProducerClient(token, url, poll_interval=0) as client:
        task_id = str((await client.submit(SONG, key="a key")).task_id)
        finished = await client.get_task(task_id)
        account.sandbox.fail_next(Fault.BACKWARDS)
        earlier = await client.get_task(task_id)
        again = await client.get_task(task_id)
        same = await client.submit(SONG, key="a key")
    assert (finished.state, again.results) == ("complete", finished.results)
    assert (earlier.success, earlier.results) == (None, ())
    assert "Do not submit again" in task_output(earlier)[0]
    assert same.task_id == task_id
    assert len(account.new_charges()) == 1


async def test_a_wait_goes_on_until_the_task_is_final(account: Account) -> None:
    """A wait that ended at such a record would lose a song that was paid for."""
    url, token = account.sandbox.base_url, account.sandbox.api_token
    async with ProducerClient(token, url, poll_interval=0, clock=FastClock()) as client:
        task_id = str((await client.submit(SONG)).task_id)
        for _ in range(3):
            account.sandbox.fail_next(Fault.BACKWARDS)
        batch = await client.wait([task_id], timeout=10_000)
    assert [task.state for task in batch.tasks] == ["complete"]
    assert len(account.new_charges()) == 1
