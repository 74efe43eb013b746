"""The audio that is added to the messages of a model call: which songs, in what form, and what is left out."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage

from producer_tools import Listener, Measured, ProducerDownloadResults, ProducerToolkit, SavedFile, Task
from producer_tools.files.formats.types import HEAD, detect
from producer_tools.files.saved import Downloads
from producer_tools.tools import clips
from producer_tools.tools.output import downloads_output
from producer_tools.tools.output_schema import output_schema
from tests.langgraph.fake_model import FakeModel
from tests.tools.songs_on_disk import SAVING, conversation, played, saved, song, wav

DEAF = FakeModel(answers=[])
HEARING = FakeModel(answers=[], profile={"audio_inputs": True})


def add_audio(
    messages: list[BaseMessage], model: FakeModel, directory: Path, hears: bool | None = None
) -> list[BaseMessage]:
    return Listener(directory, hears=hears).with_audio_sync(messages, model)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "songs"


def test_a_saved_song_is_played_right_after_the_tools_messages(directory: Path) -> None:
    """Providers refuse a message between a call and its results; the text must say which song is heard."""
    file = song(directory / "waltz.wav", wav(0.2), title="Waltz", audio_id="a1")
    given = [*conversation(saved(file), ToolMessage("other", tool_call_id="c2")), HumanMessage("and?")]
    messages = add_audio(given, HEARING, directory)
    assert [*messages[:4], messages[5]] == given
    assert isinstance(messages[4], HumanMessage)
    content: Any = messages[4].content
    introduction, label, audio = content
    assert "not by the user" in introduction["text"]
    assert label == {"type": "text", "text": "The song 'Waltz', audio_id a1, 1:00:"}
    assert (audio["type"], audio["mime_type"]) == ("audio", "audio/wav")
    assert played(messages) == [wav(0.2)]


def test_the_given_messages_stay_as_they_are(directory: Path) -> None:
    """They are a graph's state: audio in it would be written into each checkpoint and sent with every later call."""
    given = conversation(saved(song(directory / "waltz.wav")))
    before = [message.model_copy(deep=True) for message in given]
    assert len(add_audio(given, HEARING, directory)) == len(given) + 1
    assert given == before


def test_a_song_is_played_in_one_call_only(directory: Path) -> None:
    """Each time costs thousands of tokens."""
    heard = [*conversation(saved(song(directory / "waltz.wav"))), AIMessage("A waltz."), HumanMessage("Thanks.")]
    assert add_audio(heard, HEARING, directory) == heard
    again = [*heard, SAVING, saved(song(directory / "tango.wav", wav(0.3)))]
    assert played(add_audio(again, HEARING, directory)) == [wav(0.3)]


@pytest.mark.parametrize(
    ("model", "hears", "plays"),
    [
        (HEARING, None, True),
        (HEARING, False, False),
        (DEAF, None, False),
        (DEAF, True, True),
        (FakeModel(answers=[], profile={"audio_inputs": False}), None, False),
        (FakeModel(answers=[], profile={}), None, False),
    ],
    ids=["hears", "told not to", "unknown", "told to", "says no", "says nothing"],
)
def test_only_a_model_that_takes_audio_gets_it(
    model: FakeModel, hears: bool | None, plays: bool, directory: Path
) -> None:
    """Any other model's provider would refuse the whole call."""
    given = conversation(saved(song(directory / "waltz.wav")))
    messages = add_audio(given, model, directory, hears=hears)
    assert bool(played(messages)) == plays
    assert plays or messages == given


@pytest.mark.parametrize(
    "artifact", [None, "text", {}, {"listen": True}, {"listen": True, "files": "x"}, {"listen": 1}]
)
def test_results_that_are_not_marked_are_not_played(artifact: Any, directory: Path) -> None:
    """A tool of another package may have any artifact; it must neither be read nor end the call."""
    given = conversation(ToolMessage("x", artifact=artifact, tool_call_id="c1"))
    assert add_audio(given, HEARING, directory) == given
    given = conversation(saved(song(directory / "waltz.wav"), listen=False))
    assert add_audio(given, HEARING, directory) == given


def test_at_most_two_songs_are_played(directory: Path) -> None:
    """Ten parallel results would be more than a provider takes in one request."""
    results = [
        saved(song(directory / f"{number}.wav", wav(number / 10)), tool_call_id=f"c{number}") for number in (1, 2, 3)
    ]
    messages = add_audio(conversation(*results), HEARING, directory)
    assert played(messages) == [wav(0.1), wav(0.2)]
    assert "The song '3', audio_id 3, 1:00 cannot be played: at most 2 songs" in messages[-1].text


def test_each_song_is_played_once(directory: Path) -> None:
    """A song's WAV file, its cover, and a second download of the same task are not another song."""
    audio = song(directory / "a.wav", wav(0.2), audio_id="a1")
    lossless = song(directory / "b.wav", wav(0.3), audio_id="a1", kind="wav")
    cover = song(directory / "a.png", b"\x89PNG", audio_id="a1", kind="cover")
    messages = add_audio(conversation(saved(lossless, audio, cover), saved(audio)), HEARING, directory)
    assert played(messages) == [wav(0.2)]
    assert played(add_audio(conversation(saved(audio, lossless)), HEARING, directory)) == [wav(0.2)]
    assert played(add_audio(conversation(saved(lossless)), HEARING, directory)) == [wav(0.3)]


@pytest.mark.parametrize(
    "odd",
    [
        {"audio_id": ["a1"]}, {"path": None}, {"path": 3}, {"title": 5}, {"kind": []}, {"duration_seconds": 10**400},
        {"measured": "x"}, {"measured": {"duration_seconds": "x"}},
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_saved_file_is_left_out(odd: dict[str, Any], directory: Path) -> None:
    """A server's user may send any artifact. If it ended the call, each later run of the thread would end there too."""
    files = [{**song(directory / "waltz.wav"), **odd}, song(directory / "tango.wav", wav(0.3))]
    assert played(add_audio(conversation(saved(*files)), HEARING, directory)) == [wav(0.3)]


def broken(directory: Path, how: str) -> dict[str, Any]:
    file = song(directory / "waltz.wav", wav())
    path = Path(file["path"])
    if how == "gone":
        path.unlink()
    elif how == "a link":
        path.rename(directory / "target.wav")
        path.symlink_to(directory / "target.wav")
    elif how == "a directory":
        path.unlink()
        path.mkdir()
    elif how == "a pipe":
        path.unlink()
        os.mkfifo(path)
    elif how == "another song":
        path.write_bytes(wav(0.4))
    elif how in ("cut off", "text", "empty"):
        file["bytes"] = path.write_bytes({"cut off": wav()[:100], "text": b"no audio", "empty": b""}[how])
    else:
        file["path"] = {"NUL": "\0", "elsewhere": "/etc/passwd", "up": f"{directory}/../x.wav"}[how]
    return file


@pytest.mark.parametrize(
    "how",
    ["gone", "a link", "a directory", "a pipe", "another song", "cut off", "text", "empty", "NUL", "elsewhere", "up"],
)
def test_a_file_that_cannot_be_played_is_named(how: str, directory: Path) -> None:
    """The call must go on, and the model must not pretend that it has heard the song, nor take another one for it."""
    song(directory.parent / "x.wav")
    files = [broken(directory, how), song(directory / "tango.wav", wav(0.3))]
    messages = add_audio(conversation(saved(*files)), HEARING, directory)
    assert played(messages) == [wav(0.3)]
    assert "The song 'waltz', audio_id waltz, 1:00 cannot be played: " in messages[-1].text


@pytest.mark.parametrize("long", [False, True], ids=["large", "long"])
def test_what_is_too_large_or_too_long_is_converted(
    long: bool, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A provider refuses a request of more than 20 MB, and a lossless song has 50."""
    given: list[Any] = []

    def convert(*arguments: Any) -> bytes:
        given.extend(arguments)
        return b"an MP3"

    monkeypatch.setattr(clips, "to_mp3", convert)
    content = wav() if long else wav(clips.LARGEST_CLIP / 16000)
    file = song(directory / "a.wav", content, measured=Measured(601.0 if long else 10.0))
    messages = add_audio(conversation(saved(file)), HEARING, directory)
    assert played(messages) == [b"an MP3"]
    assert given == [directory / "a.wav", 480.0, 64_000]
    assert ("of which you hear the first 8:00" in messages[-1].text) == long
    assert "converted to a mono MP3" in messages[-1].text


def m4a(path: Path) -> bytes:
    """A tenth of a second of silence in the format that the service delivers."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", format="ipod") as container:
        stream = container.add_stream("aac", rate=44100, layout="mono")
        frame = av.AudioFrame(format="fltp", layout="mono", samples=4410)
        frame.sample_rate = 44100
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path.read_bytes()


def test_an_mp3_is_played_as_it_is(directory: Path, tmp_path: Path) -> None:
    """LangChain makes OpenAI's name of the format from the type, and OpenAI refuses ``mpeg``."""
    pytest.importorskip("av")
    from tests.files.audio.songs import save, tone  # noqa: PLC0415 - needs av

    mp3 = save(tmp_path / "a.mp3", tone(0.5)).read_bytes()
    messages = add_audio(conversation(saved(song(directory / "a.mp3", mp3))), HEARING, directory)
    assert played(messages) == [mp3]
    content: Any = messages[-1].content
    assert content[-1]["mime_type"] == "audio/mp3"


def test_an_m4a_is_converted(directory: Path, tmp_path: Path) -> None:
    """It is the service's usual format, and OpenAI's models take only WAV and MP3."""
    messages = add_audio(conversation(saved(song(directory / "a.m4a", m4a(tmp_path / "x.m4a")))), HEARING, directory)
    (mp3,) = played(messages)
    file_type = detect("audio", mp3[:HEAD])
    assert file_type is not None
    assert file_type.extension == "mp3"
    content: Any = messages[-1].content
    assert content[-1]["mime_type"] == "audio/mp3"


def test_without_the_extra_an_m4a_is_left_out(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application must be told what to install, and its agent must go on."""
    content = m4a(tmp_path / "x.m4a")
    monkeypatch.setitem(sys.modules, "av", None)
    messages = add_audio(conversation(saved(song(directory / "a.m4a", content))), HEARING, directory)
    assert played(messages) == []
    assert 'pip install "producer-tools[sound]"' in messages[-1].text


def downloads(**fields: Any) -> Downloads:
    measured = Measured(8.04, loudness_lufs=-14.1, peak_dbfs=-0.3, clipped_share=0.02, silent_share=0.1)
    known: dict[str, Any] = {"name": "a.m4a", "audio_id": "a1", "duration_seconds": 120.0, "measured": measured}
    file = SavedFile("audio", "/songs/a.m4a", 3, "audio/mp4", **{**known, **fields})
    return Downloads(Task("t1", "complete", results=({"audio_id": "a1"},)), (file,))


def test_a_listening_tool_says_what_was_measured() -> None:
    """A model that cannot hear judges by it; the artifact must be marked, or no model would hear the song."""
    content, artifact = downloads_output(downloads(), listen=True)
    (file,) = json.loads(content)["files"]
    assert file == {
        "kind": "audio",
        "bytes": 3,
        "audio_id": "a1",
        "duration_seconds": 120.0,
        "path": "a.m4a",
        "measured_seconds": 8.04,
        "loudness_lufs": -14.1,
        "peak_dbfs": -0.3,
        "findings": [
            "too short: 8.0 s",
            "clipped: 2.0% of the samples",
            "shorter than the service says: 8.0 s in place of 120.0 s",
        ],
    }
    assert artifact["listen"] is True
    assert artifact["files"][0]["findings"] == file["findings"]
    assert json.loads(json.dumps(artifact)) == artifact


def test_another_tool_says_only_what_concerns_a_user() -> None:
    """Every number is paid for with each turn, and only a model that judges the sound needs the loudness."""
    content, artifact = downloads_output(downloads())
    (file,) = json.loads(content)["files"]
    assert file["measured_seconds"] == 8.04
    assert file["findings"]
    assert not {"loudness_lufs", "peak_dbfs"} & file.keys()
    assert "listen" not in artifact


def test_what_was_not_measured_is_not_shown() -> None:
    """Without the extra ``sound`` the content is that of a tool that does not listen; a null would be no fact."""
    listening, _ = downloads_output(downloads(measured=None), listen=True)
    assert json.loads(listening) == json.loads(downloads_output(downloads(measured=None))[0])
    assert "measured_seconds" not in listening


def test_a_toolkit_that_listens_tells_the_model() -> None:
    """A model that does not know that saving lets it hear a song would never save one to judge it."""
    tools = {tool.name: tool for tool in ProducerToolkit(listen=True).get_tools()}
    tool, plain = tools["producer_download_results"], ProducerDownloadResults()
    assert isinstance(tool, ProducerDownloadResults)
    assert tool.listen
    assert tool.description.startswith(plain.description)
    assert "played to you" in tool.description
    assert tool.args == plain.args, "a model cannot set it"
    schema: Any = output_schema(tool)
    assert "loudness_lufs" in schema["properties"]["files"]["items"]["properties"]
