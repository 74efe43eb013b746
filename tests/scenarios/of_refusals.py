"""Situations in which a call is refused: by the service, by its arguments, by a budget or by a person."""

from typing import Any

from producer_tools.sandbox import ProducerSandbox
from tests.scenarios.asking import GENERATE, SONG, THREE_SONGS, ask, call
from tests.scenarios.play import Service, Situation
from tests.scenarios.reader import CARELESS, NEWEST_AUDIO, STUBBORN, Call

MANY = 400
LYRICS = {"lyric": "[Verse]\nCity lights are fading", "title": "Lights"}
HALF = {"lyric": "[Verse]\nCity li", "title": "Lights"}


def refuse(code: str, message: str = "no", times: int = 1, status: int | None = None) -> Service:
    def service(sandbox: ProducerSandbox) -> None:
        for _ in range(times):
            sandbox.fail_next(code, message, status=status, endpoint="/producer/audios")

    return service


def refuse_upload(sandbox: ProducerSandbox) -> None:
    for _ in range(MANY):
        sandbox.fail_next("bad_request", "audio_url: the file cannot be fetched", endpoint="/producer/upload")


def retire(sandbox: ProducerSandbox) -> None:
    sandbox.outage("retired", actions=["variation"])


def told(*words: str, paid_calls: int = 1, turns: int = 2, **more: Any) -> dict[str, Any]:
    """What must be true if nothing was made, and the user was told why."""
    return {"ends": "tells", "paid": 0, "given": 0, "told": words, "paid_calls": paid_calls, "turns": turns, **more}


UNCHARGED = "Nothing was charged"
UNSENT = "Nothing was sent"

SITUATIONS = (
    Situation(
        "busy for a moment (429)", SONG, service=refuse("too_many_requests", "slow down", 2), paid_calls=2, turns=12
    ),
    Situation(
        "busy for ever (429)",
        SONG,
        service=refuse("rate_limited", "slow down", MANY),
        **told(UNCHARGED, paid_calls=2, turns=3),
    ),
    Situation(
        "too many unfinished songs (429)",
        THREE_SONGS,
        sandbox={"max_unfinished": 1, "render_seconds": 200},
        paid=1,
        given=1,
        ends="gives, tells",
        paid_calls=5,
        turns=100,
        told=(UNCHARGED,),
    ),
    Situation("the token is refused", SONG, client={"api_token": "wrong"}, **told(UNCHARGED)),
    Situation("the token has expired", SONG, service=refuse("token_expired", times=MANY), **told(UNCHARGED)),
    Situation("the balance is used up", SONG, sandbox={"balance": 0}, **told(UNCHARGED, "topped up")),
    Situation("a payment is asked for (402)", SONG, service=refuse("used_up", "pay", MANY, 402), **told(UNCHARGED)),
    Situation(
        "the service is switched off",
        SONG,
        service=refuse("disabled", "maintenance, please try again later", MANY),
        **told(UNCHARGED),
    ),
    Situation("a wrong base URL (404)", SONG, service=refuse("no_api", times=MANY), **told(UNCHARGED)),
    Situation("an error that nobody knows (418)", SONG, service=refuse("gone", "no", MANY, 418), **told(UNCHARGED)),
    Situation(
        "moderation refuses the words",
        SONG,
        service=refuse("forbidden", "flagged", MANY),
        **told(UNCHARGED, paid_calls=2, turns=3),
    ),
    Situation(
        "moderation takes other words",
        (ask("Make a song.", Call("generate_music", {"prompt": "a bad word"}, ({"prompt": "a good word"},))),),
        service=refuse("forbidden", "flagged"),
        paid_calls=2,
        turns=14,
        characters=(STUBBORN, CARELESS),
    ),
    Situation(
        "a retired action (410)",
        (ask("Another take.", GENERATE, call("variation_music", audio_id=NEWEST_AUDIO)),),
        service=retire,
        ends="gives, tells",
        told=("no longer", UNCHARGED),
        paid_calls=2,
        turns=14,
    ),
    Situation(
        "a retired action, asked for twice",
        (
            ask("Another take.", GENERATE, call("variation_music", audio_id=NEWEST_AUDIO)),
            ask("Please!", call("variation_music", audio_id=NEWEST_AUDIO)),
        ),
        service=retire,
        ends="tells",
        given=1,
        told=("410", UNCHARGED),
        paid_calls=3,
        turns=16,
    ),
    Situation("a budget of nothing", SONG, budget=0, **told(UNSENT)),
    Situation(
        "a budget for two of three songs",
        THREE_SONGS,
        budget=2,
        paid=2,
        given=2,
        ends="gives, tells",
        told=("budget",),
        paid_calls=3,
        turns=20,
    ),
    Situation("a person rejects the call", SONG, is_approved=False, **told("rejected")),
    Situation("a person approves the call", SONG, is_approved=True, turns=12),
    Situation(
        "the service cannot be reached",
        SONG,
        client={"base_url": "http://127.0.0.1:9"},
        **told(UNSENT, paid_calls=2, turns=3),
    ),
    Situation(
        "a message that is cut off once",
        (ask("Sing it.", Call("generate_custom_music", HALF, (LYRICS,), ("length",))),),
        paid_calls=2,
        turns=14,
    ),
    Situation(
        "messages that are always cut off",
        (ask("Sing it.", Call("generate_custom_music", HALF, (), ("length",) * MANY)),),
        **told(UNSENT, paid_calls=2, turns=3),
    ),
    Situation(
        "weirdness of 9, corrected",
        (
            ask(
                "Make it weird.",
                Call("generate_music", {"prompt": "x", "weirdness": 9}, ({"prompt": "x", "weirdness": 1},)),
            ),
        ),
        paid_calls=2,
        turns=14,
    ),
    Situation(
        "weirdness of 9, never corrected",
        (ask("Make it weird.", call("generate_music", prompt="x", weirdness=9)),),
        **told("weirdness", UNSENT, paid_calls=2, turns=3),
    ),
    Situation(
        "an argument that does not exist",
        (ask("Swap.", call("swap_vocals", audio_id="a", swap_audio_id="b")),),
        **told("swap_audio_id", UNSENT, paid_calls=2, turns=3),
    ),
    Situation(
        "a prompt that is too long",
        (ask("Make it.", Call("generate_music", {"prompt": "x" * 201}, ({"prompt": "x"},))),),
        paid_calls=2,
        turns=14,
    ),
    Situation(
        "a section that ends before it starts",
        (ask("Redo it.", call("replace_section", audio_id="a", replace_section_start=9, replace_section_end=3)),),
        **told("after", UNSENT, paid_calls=2, turns=3),
    ),
    Situation(
        "an upload that cannot be reached",
        (ask("Use mine.", call("upload_audio", audio_url="https://example.com/a.mp3")),),
        service=refuse_upload,
        **told("cannot be fetched", UNCHARGED, paid_calls=2, turns=3),
    ),
    Situation(
        "an upload from the disk",
        (ask("Use mine.", call("upload_audio", path="take 1.wav")),),
        **told("path", UNSENT, paid_calls=2, turns=3),
    ),
)
