"""What of a user's files may be uploaded: it is checked by content, read once, and nothing waits for a pipe."""

import hashlib
import os
import re
import socket
import stat
from contextlib import suppress
from pathlib import Path

import av
import pytest

from producer_tools.errors import ConfigurationError, InvalidArgumentError
from producer_tools.files.uploads import recordings
from producer_tools.files.uploads.recordings import LARGEST_RECORDING, read_inside, read_recording
from tests.files.own_recordings import OTHER_TYPES, mp3, mp4, wav
from tests.open_files import open_below

_ID3 = b"ID3\4\0\0\0\0\0\x14" + bytes(20)


def refusal(path: str | os.PathLike[str]) -> str:
    """What the error about a file says."""
    with pytest.raises(InvalidArgumentError) as caught:
        read_recording(path)
    assert set(caught.value.problems) == {"path"}
    return caught.value.problems["path"]


@pytest.mark.parametrize(
    ("content", "extension", "content_type"),
    [(wav(), "wav", "audio/wav"), (mp3(), "mp3", "audio/mpeg"), (mp4(b"soun"), "m4a", "audio/mp4")],
    ids=["wav", "mp3", "m4a"],
)
def test_the_content_decides_the_type(content: bytes, extension: str, content_type: str, tmp_path: Path) -> None:
    """The service may choose a decoder by the name or the type: a wrong one would be a paid failure."""
    path = tmp_path / "Take 7.txt"
    path.write_bytes(content)
    found = read_recording(path)
    assert found == (f"Take_7.{extension}", content_type, content, hashlib.sha256(content).hexdigest())
    assert len(repr(found)) < 100, "a log must not hold 25 MB"


@pytest.mark.parametrize(("word", "content"), OTHER_TYPES)
def test_another_type_is_named_with_what_to_convert_it_to(word: str, content: bytes, tmp_path: Path) -> None:
    """The user would pay for an upload that fails, and not know why."""
    path = tmp_path / "take.wav"
    path.write_bytes(content)
    assert re.fullmatch(rf".*take\.wav' is .*{word}.*: convert it to mp3, wav or m4a", refusal(path))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize(
    "before",
    [b"", _ID3, _ID3 * 2 + bytes(3000), _ID3 + b"left behind by a bad tagger"],
    ids=["nothing", "a tag", "tags and padding", "a tag and other bytes"],
)
def test_mp3_files_of_every_kind_are_taken(rate: int, before: bytes, tmp_path: Path) -> None:
    """Their frames are looked for: a user's own song must not be refused."""
    path = tmp_path / "take.mp3"
    with av.open(str(path), "w", options={"id3v2_version": "0", "write_xing": "0"}) as out:
        stream = out.add_stream("libmp3lame", rate=rate)
        silence = av.AudioFrame(format="s16p", layout="mono", samples=stream.codec_context.frame_size or 1152)
        silence.sample_rate = rate
        out.mux([packet for _ in range(4) for packet in stream.encode(silence)] + list(stream.encode(None)))
    path.write_bytes(before + path.read_bytes())
    assert read_recording(path).content_type == "audio/mpeg"


def test_a_file_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav()[:-1])
    assert "cut off" in refusal(path)
    path.write_bytes(mp4(b"soun")[:-1])
    assert "cut off" in refusal(path)


@pytest.mark.parametrize("content", [wav(0), wav()[:36], b"RIFF\4\0\0\0WAVE"], ids=["no samples", "no data", "nothing"])
def test_a_wav_file_without_sound_is_refused(content: bytes, tmp_path: Path) -> None:
    """A recorder that was stopped at once leaves such a file. Nothing is cut off, but the upload would be paid for."""
    path = tmp_path / "take.wav"
    path.write_bytes(b"RIFF" + (len(content) - 8).to_bytes(4, "little") + content[8:])
    assert "holds no sound: record or export it again" in refusal(path)


def test_a_recording_without_its_length_is_taken(tmp_path: Path) -> None:
    """A program that was ended while it recorded has left zeros for its length: all that was played is there."""
    path = tmp_path / "take.wav"
    content = wav()[:40] + bytes(4) + wav()[44:]
    path.write_bytes(content)
    assert read_recording(path).content == content


def test_a_large_tag_is_no_obstacle(tmp_path: Path) -> None:
    """Pictures of 20 MB stand before the sound of some songs."""
    path = tmp_path / "take.mp3"
    size = 20 * 10**6
    tag = b"ID3\4\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + bytes(size)
    path.write_bytes(tag + mp3())
    assert len(read_recording(path).content) == 10 + size + len(mp3())


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """Each of them would be an error of the system, a wait for ever, or an empty upload that is paid for."""
    os.mkfifo(tmp_path / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.wav"))
    (tmp_path / "empty.wav").touch()
    assert "no regular file" in refusal(tmp_path)
    assert "no regular file" in refusal(tmp_path / "pipe.wav")
    assert "no regular file" in refusal("/dev/zero")
    assert "not a file" in refusal(tmp_path / "s.wav")
    assert "empty (0 bytes)" in refusal(tmp_path / "empty.wav")
    assert "does not exist" in refusal(tmp_path / "gone.wav")
    assert "does not exist" in refusal(tmp_path / "empty.wav" / "below.wav")
    assert "does not exist" in refusal("x" * 5000)
    assert "is not a path" in refusal("a\0b.wav")
    assert "not a bytes" in refusal(b"take.wav")  # type: ignore[arg-type]  # what a caller may do wrong
    assert "not a int" in refusal(3)  # type: ignore[arg-type]  # a descriptor would be closed


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "take.wav"
    path.write_bytes(wav())
    path.chmod(0)
    assert "permission denied" in refusal(path)


def test_a_denied_permission_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As above, also where the tests run as root."""

    def denied(*_: object) -> int:
        raise PermissionError(13, "Permission denied", "/secret/take.wav")

    monkeypatch.setattr(os, "open", denied)
    assert refusal("take.wav") == "'take.wav' cannot be read: permission denied"


def test_a_large_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    """A film of 300 MB would be read into memory first. This one has no bytes on the disk, so reading is seen."""
    path = tmp_path / "film.wav"
    with path.open("wb") as file:
        file.write(wav())
        file.truncate(300 * 10**6)
    assert "has 300,000,000 bytes" in refusal(path)
    largest = wav().ljust(LARGEST_RECORDING, b"\0")
    path.write_bytes(largest)
    assert read_recording(path).content == largest
    path.write_bytes(largest + b"\0")
    assert "25 MB" in refusal(path)


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recording that is still being made would be sent without its end. Files of the system name no size at all."""
    path = tmp_path / "take.wav"
    path.write_bytes(wav().ljust(LARGEST_RECORDING + 1, b"\0"))
    kind_and_size = (stat.S_IFREG, *[0] * 9)
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result(kind_and_size))
    assert "25 MB" in refusal(path)


@pytest.mark.parametrize(
    ("name", "sent", "shown"),
    [
        ("a\nb\x1b[31m.wav", "a_b_31m.wav", r"a\\nb\\x1b\[31m\.wav"),
        ('"; filename="x.wav', "filename_x.wav", '"; filename="x'),
        ("Übung ново.wav", "bung.wav", "Übung"),
        ("歌.wav", "recording.wav", "歌"),
        ("x" * 240 + ".wav", "x" * 80 + ".wav", "^…'x+"),
    ],
)
def test_a_name_is_sent_in_plain_letters_and_shown_escaped(name: str, sent: str, shown: str, tmp_path: Path) -> None:
    """A line break in it could add a header to the request, or imitate a line of a log."""
    path = tmp_path / name
    path.write_bytes(wav())
    assert read_recording(path).name == sent
    path.write_bytes(b"")
    assert re.search(shown, refusal(path))
    assert refusal(path).isprintable()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for uploads, with a secret beside it."""
    for name in (
        "secret.wav",
        "uploads/take.wav",
        "uploads/demos/riff.wav",
        "uploads/.hidden.wav",
        "uploads/.git/x.wav",
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(wav())
    (tmp_path / "uploads/to_secret.wav").symlink_to(tmp_path / "secret.wav")
    (tmp_path / "uploads/to_nothing.wav").symlink_to(tmp_path / "gone.wav")
    (tmp_path / "uploads/up").symlink_to(tmp_path)
    (tmp_path / "uploads/to_hidden.wav").symlink_to(tmp_path / "uploads/.hidden.wav")
    return tmp_path / "uploads"


@pytest.fixture(params=[True, False], ids=["step by step", "by the resolved path"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recordings, "_HAS_DIR_FD", request.param)


OUTSIDE = ["to_secret.wav", "to_nothing.wav", "up/secret.wav", "up/gone.wav", "to_hidden.wav", "gone.wav", "demos/gone"]
NOT_ALLOWED = [
    "../secret.wav", "../gone.wav", "demos/../../secret.wav", "..", ".", "demos/..", "./take.wav", ".hidden.wav",
    ".git/x.wav", "demos//riff.wav", "demos/", "/etc/passwd", "/gone", "//x",
]  # fmt: skip


def test_a_path_in_the_home_directory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a shell replaces the ``~``. A model's path never leaves its folder."""
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    assert read_recording("~/take.wav").content == wav()
    with pytest.raises(InvalidArgumentError, match="does not exist"):
        read_inside(folder, "~/take.wav")


def test_an_address_is_no_path(folder: Path) -> None:
    """That a file does not exist would not tell where an address is to be given."""
    for read in (read_recording, lambda path: read_inside(folder, path)):
        with pytest.raises(InvalidArgumentError, match="give it as audio_url"):
            read("https://example.org/take.wav")


@pytest.mark.usefixtures("_both_ways")
def test_a_file_of_the_folder_is_read(folder: Path) -> None:
    assert read_inside(folder, "take.wav").content == wav()
    assert read_inside(folder, "demos/riff.wav").name == "riff.wav"
    link = folder.parent / "link"
    link.symlink_to(folder)
    assert read_inside(link, "take.wav").content == wav()


@pytest.mark.usefixtures("_both_ways")
@pytest.mark.parametrize("path", [*OUTSIDE, *NOT_ALLOWED])
def test_nothing_else_is_read_and_no_error_tells_what_there_is(path: str, folder: Path) -> None:
    """A model that was talked into it would upload the user's files to a public address."""
    with pytest.raises(InvalidArgumentError) as caught:
        read_inside(folder, path)
    text = str(caught.value)
    assert str(folder.parent) not in text
    where = "does not exist, or is not a file that can be read" if path in OUTSIDE else "is not allowed"
    assert text.startswith(f"bad_request: path: {path!r} {where}"), "the same whether it exists or not"


@pytest.mark.usefixtures("_both_ways")
def test_a_hard_link_is_not_followed(folder: Path) -> None:
    """It is the file elsewhere, under a second name. The user's own files may have several names."""
    (folder / "take 2.wav").hardlink_to(folder.parent / "secret.wav")
    with pytest.raises(InvalidArgumentError, match=r"take 2\.wav' is not allowed: .*hard link.* Put a copy into"):
        read_inside(folder, "take 2.wav")
    assert read_recording(folder / "take 2.wav").content == wav()
    (folder.parent / "secret.wav").unlink()
    assert read_inside(folder, "take 2.wav").content == wav()


def test_a_link_that_comes_in_between_is_not_followed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody who can write into the folder could otherwise exchange a file after it was checked."""
    opened = os.open

    def exchanged(path: str, *args: int, dir_fd: int | None = None) -> int:
        if path == "riff.wav":
            (folder / "demos").rename(folder / "other")
            (folder / "demos").symlink_to(folder.parent)
            (folder.parent / "riff.wav").write_bytes(b"secret")
        return opened(path, *args, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", exchanged)
    assert read_inside(folder, "demos/riff.wav").content == wav()


def test_no_descriptor_stays_open(folder: Path) -> None:
    """A server that is asked for wrong files again and again would run out of them."""
    for path in ("take.wav", "demos/riff.wav", "demos", "demos/gone/x", "to_secret.wav"):
        with suppress(InvalidArgumentError):
            read_inside(folder, path)
    with pytest.raises(InvalidArgumentError):
        read_recording(folder)
    assert open_below(folder.parent) == []


def test_a_folder_that_is_not_there_is_the_applications_fault(tmp_path: Path) -> None:
    """A model cannot do anything about it, and must not be told where it should be."""
    with pytest.raises(ConfigurationError, match="upload_dir"):
        read_inside(tmp_path / "gone", "take.wav")
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="upload_dir"):
        read_inside(tmp_path / "file", "take.wav")
