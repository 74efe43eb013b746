"""The figures of `make turns`, which the README names."""

from tests.bench.turns import polling, waiting


async def test_waiting_takes_three_turns_where_polling_takes_fifteen() -> None:
    """If this fails, an agent no longer saves the turns that the README promises: submit, wait, answer the user."""
    looked, waited = await polling(), await waiting()
    assert (looked.turns, waited.turns) == (15, 3)
    assert waited.characters < looked.characters / 5
