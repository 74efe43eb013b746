"""Situations with edits, uploads, other media and files."""

from producer_tools.sandbox.files import FileKind
from tests.scenarios.asking import GENERATE, ask, call
from tests.scenarios.play import Service, Situation
from tests.scenarios.reader import CARELESS, NEWEST_AUDIO, NEWEST_TASK, STUBBORN, Call

UPLOAD = call("upload_audio", audio_url="https://example.com/demo.mp3")
SAVE = call("download_results", task_id=NEWEST_TASK)


def missing(kind: FileKind) -> Service:
    return lambda sandbox: sandbox.missing_files(kind)


def edit(tool: str, **arguments: object) -> Call:
    return call(tool, audio_id=NEWEST_AUDIO, **arguments)


SITUATIONS = (
    Situation(
        "a cover of an upload, made longer",
        (
            ask(
                "Use mine.",
                UPLOAD,
                edit("cover_music", prompt="jazz", uploaded=True),
                edit("extend_music", continue_at=20),
            ),
        ),
        paid=3,
        given=3,
        turns=24,
    ),
    Situation(
        "a cover of an upload, uploaded=true forgotten",
        (ask("Use mine.", UPLOAD, edit("cover_music", prompt="jazz")),),
        ends="gives, tells",
        paid_calls=3,
        turns=20,
        told=("generally not charged",),
    ),
    Situation(
        "a cover of an upload, uploaded=true remembered",
        (
            ask(
                "Use mine.",
                UPLOAD,
                Call(
                    "cover_music",
                    {"audio_id": NEWEST_AUDIO, "prompt": "jazz"},
                    ({"audio_id": NEWEST_AUDIO, "prompt": "jazz", "uploaded": True},),
                ),
            ),
        ),
        paid=2,
        given=2,
        paid_calls=3,
        turns=20,
        characters=(STUBBORN, CARELESS),
    ),
    Situation(
        "stems of a task id in place of an audio id",
        (ask("Stems.", GENERATE, call("stems_music", audio_id=NEWEST_TASK)),),
        ends="gives, tells",
        paid=1,
        given=1,
        paid_calls=3,
        turns=24,
        told=("generally not charged",),
    ),
    Situation("stems of a song", (ask("Stems.", GENERATE, edit("stems_music")),), paid=2, given=2, turns=20),
    Situation(
        "an extension past the longest song, then with another model",
        (
            ask(
                "Longer.",
                Call(
                    "extend_music",
                    {"audio_id": "a", "continue_at": 200, "model": "FUZZ-1.0"},
                ),
            ),
        ),
        ends="tells",
        paid=0,
        given=0,
        paid_calls=2,
        turns=3,
        told=("FUZZ-2.0",),
    ),
    Situation(
        "an extension past every model's longest song",
        (ask("Longer.", edit("extend_music", continue_at=500)),),
        ends="tells",
        paid=0,
        given=0,
        paid_calls=2,
        turns=3,
        told=("no model",),
    ),
    Situation("lyrics", (ask("Write lyrics.", call("generate_lyrics", prompt="rain")),), turns=2),
    Situation("a video of a song", (ask("A video.", GENERATE, edit("generate_video")),), paid=2, given=2, turns=14),
    Situation("a WAV file of a song", (ask("A WAV.", GENERATE, edit("generate_wav")),), paid=2, given=1, turns=14),
    Situation("a song, saved", (ask("Save it.", GENERATE),), wants_files=True, given=2, turns=14),
    Situation(
        "expired audio",
        (ask("Save it.", GENERATE, SAVE),),
        service=missing("audio"),
        ends="gives, tells",
        given=1,
        turns=16,
        told=("90 days",),
    ),
    Situation(
        "a missing cover",
        (ask("Save it.", GENERATE, SAVE),),
        service=missing("cover"),
        ends="gives, tells",
        given=2,
        turns=16,
        told=("cover",),
    ),
    Situation(
        "files of lyrics",
        (ask("Save them.", call("generate_lyrics", prompt="rain"), SAVE),),
        ends="gives, tells",
        turns=3,
    ),
)
