"""The figures of `make turns`, which the README names."""

from tests.bench.turns import polling, waiting, waiting_with_usable_tools


async def test_waiting_takes_three_turns_where_polling_takes_fifteen() -> None:
    """If this fails, an agent no longer saves the turns that the README promises: submit, wait, answer the user."""
    looked, waited = await polling(), await waiting()
    assert (looked.turns, waited.turns) == (15, 3)
    assert waited.characters < looked.characters / 5


async def test_a_model_that_sees_only_usable_tools_reads_a_third_less() -> None:
    """If this fails, the middleware no longer saves the characters that the documentation promises."""
    everything, usable = await waiting(), await waiting_with_usable_tools()
    assert usable.turns == 3
    assert usable.characters < everything.characters * 2 / 3
