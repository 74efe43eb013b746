"""The measurement of waits counts what it says."""

from tests.bench.waiting import a_loop_for_each, a_wait_for_each, one_after_another, one_wait, waited


async def test_waits_send_fewer_look_ups_than_loops_and_tell_as_soon() -> None:
    """If this fails, the page compares figures of different songs, or a wait is no longer told within five seconds."""
    lengths = [20.0 + number for number in range(60)]
    loops = a_loop_for_each(lengths)
    for way in (one_wait, a_wait_for_each, one_after_another):
        ours = await waited(way, lengths)
        assert ours.requests < loops.requests / 10
        assert len(ours.delays) == len(lengths)
        assert all(0 <= delay <= 5.001 for delay in ours.delays)
