"""Situations in which the answer to a paid call is lost, or the process ends."""

from producer_tools.sandbox import Fault, ProducerSandbox
from tests.scenarios.asking import GENERATE, SONG, THREE_SONGS, ask, call
from tests.scenarios.play import Service, Situation


def lose(fault: Fault, *, is_listed: bool = True, times: int = 1, endpoint: str = "/producer/audios") -> Service:
    def service(sandbox: ProducerSandbox) -> None:
        if not is_listed:
            sandbox.listing.answer = "forbidden"
        for _ in range(times):
            sandbox.fail_next(fault, endpoint=endpoint)

    return service


def maintenance(sandbox: ProducerSandbox) -> None:
    sandbox.outage("unavailable")


def server_error(sandbox: ProducerSandbox) -> None:
    sandbox.listing.answer = "forbidden"
    sandbox.outage("server_error")


LYRICS = (ask("Write lyrics.", call("generate_lyrics", prompt="rain")),)
MAYBE = "may have been carried out and charged"


def unknown(name: str, fault: Fault, paid: int, *words: str, is_listed: bool = False) -> Situation:
    return Situation(
        name,
        SONG,
        service=lose(fault, is_listed=is_listed),
        ends="tells",
        paid=paid,
        given=0,
        paid_calls=1,
        turns=2,
        told=(MAYBE, *words),
    )


SITUATIONS = (
    Situation("500 after the work, found in the list", SONG, service=lose(Fault.ERROR_AFTER_WORK), turns=12),
    Situation("a cut connection, found in the list", SONG, service=lose(Fault.RESET_AFTER_WORK), turns=12),
    Situation("an unreadable answer, found in the list", SONG, service=lose(Fault.CUT_OFF), turns=12),
    Situation(
        "500 before the work, not in the list",
        (ask("Lyrics, and a song.", *LYRICS[0].steps, GENERATE),),
        service=lose(Fault.ERROR_BEFORE_WORK),
        ends="gives, tells",
        paid_calls=2,
        turns=3,
        told=(MAYBE, "probably never begun"),
    ),
    unknown("500 after the work, no list", Fault.ERROR_AFTER_WORK, 1),
    unknown("504 after the work, no list", Fault.TIMEOUT_AFTER_WORK, 1),
    unknown("502 from a proxy, no list", Fault.GATEWAY_AFTER_WORK, 1),
    unknown("a cut connection, no list", Fault.RESET_AFTER_WORK, 1),
    unknown("HTML in place of an answer, no list", Fault.HTML, 1),
    Situation(
        "lyrics whose answer is lost",
        LYRICS,
        ends="tells",
        given=0,
        turns=2,
        told=(MAYBE,),
        service=lose(Fault.RESET_AFTER_WORK, is_listed=False, endpoint="/producer/lyrics"),
    ),
    Situation(
        "one of three answers is lost",
        THREE_SONGS,
        paid=3,
        given=2,
        ends="gives, tells",
        turns=20,
        told=(MAYBE,),
        service=lose(Fault.TIMEOUT_AFTER_WORK, is_listed=False),
    ),
    Situation(
        "maintenance (503)",
        SONG,
        service=maintenance,
        ends="tells",
        paid=0,
        given=0,
        paid_calls=1,
        turns=2,
        told=(MAYBE,),
    ),
    Situation(
        "the service is down for many songs",
        (
            ask("Make songs.", *[(call("generate_music", prompt=f"song {n}"),) for n in range(2)]),
            *[ask("Again.", call("generate_music", prompt=f"again {n}")) for n in range(4)],
        ),
        service=server_error,
        ends="tells",
        paid=0,
        given=0,
        paid_calls=5,
        turns=10,
        told=("down", "not sent"),
    ),
    Situation("the process ends after the submit", SONG, crashes=True, turns=24),
    Situation("the same song, asked for twice", (*SONG, *SONG), paid=2, given=2, turns=24),
    Situation(
        "the same call twice in one message", (ask("Two takes.", (GENERATE, GENERATE)),), paid=2, given=2, turns=16
    ),
)
