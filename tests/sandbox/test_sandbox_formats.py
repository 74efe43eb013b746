"""Songs in each audio format, and what is left without the extra ``sound``."""

import io
import sys
from collections.abc import Iterator

import av
import mutagen
import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.sandbox.calls import SONG_SECONDS, Api, send, serving

TYPES = {"wav": "audio/wav", "m4a": "audio/mp4", "mp3": "audio/mpeg"}


@pytest.fixture
def without_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the extra were not installed."""
    monkeypatch.setitem(sys.modules, "av", None)


def seconds(content: bytes) -> float:
    with av.open(io.BytesIO(content)) as file:
        assert file.duration is not None
        return float(file.duration / 1_000_000)


@pytest.mark.parametrize("audio_format", TYPES)
class TestEachFormat:
    @pytest.fixture
    def api(self, audio_format: str) -> Iterator[Api]:
        with serving(audio_format=audio_format, silent=True) as api:
            yield api

    def test_a_preview_is_the_first_half_of_a_song(self, api: Api, audio_format: str) -> None:
        task_id = api.submit("generate", prompt="a slow waltz")
        (unfinished,) = api.look_up_after(task_id, SONG_SECONDS / 2)["response"]["data"]
        preview = send(unfinished["audio_url"])
        (item,) = api.finish(task_id)["data"]
        song = send(item["audio_url"])
        assert unfinished["audio_url"].endswith(f"-preview.{audio_format}")
        assert item["audio_url"] == unfinished["audio_url"].replace("-preview", "")
        assert {answer.headers.get_content_type() for answer in (preview, song)} == {TYPES[audio_format]}
        assert seconds(song.content) == pytest.approx(float(item["duration"]), abs=0.1)
        assert seconds(preview.content) == pytest.approx(float(item["duration"]) / 2, abs=0.1)

    def test_a_broken_download_can_be_resumed(self, api: Api) -> None:
        """The second request must get the rest of the same file, though it may be made anew."""
        url = api.song()["audio_url"]
        whole = send(url)
        for _ in range(9):
            send(api.song()["audio_url"])  # after these, the first file is no longer cached
        rest = send(url, headers={"Range": "bytes=100-", "If-Range": whole.headers["ETag"]})
        assert (rest.status, rest.content) == (206, whole.content[100:])

    def test_an_upload_has_the_format_too(self, api: Api, audio_format: str) -> None:
        data = api.post("/producer/upload", {"audio_url": "https://example.org/own.ogg"}).json["data"]
        assert data["audio_url"].endswith(f".{audio_format}")
        assert send(data["audio_url"]).headers.get_content_type() == TYPES[audio_format]

    def test_the_wav_endpoint_and_stems_are_wav(self, api: Api) -> None:
        """They are what one asks for to get the sound without loss."""
        audio_id = api.song()["id"]
        (entry,) = api.post("/producer/wav", {"audio_id": audio_id}).json["data"]
        assert send(entry["file_url"]).content.startswith(b"RIFF")
        stems = send(api.make("stems", audio_id=audio_id)["stems_url"]).content
        assert stems.count(b"RIFF") == 2

    def test_a_file_of_another_format_does_not_exist(self, api: Api, audio_format: str) -> None:
        url = api.song()["audio_url"].removesuffix(audio_format)
        served = {ending for ending in ("wav", "m4a", "mp3", "ogg") if send(url + ending).status == 200}
        assert served == {"wav", audio_format}, "a WAV file is what /producer/wav makes"

    def test_a_file_contains_neither_title_nor_lyrics(self, api: Api) -> None:
        """The service's files have none: the client adds them, and a test of that must not find them there before."""
        item = api.song("rain", title="Our Title", lyric="words that are sung", custom=True)
        song = mutagen.File(io.BytesIO(send(item["audio_url"]).content))
        assert len(song.tags or ()) <= 1, "the comment that the sandbox made it"
        assert not any(text in str(song.tags) for text in ("Our Title", "sung"))


def test_an_unknown_format_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="audio_format must be 'wav', 'm4a' or 'mp3', not 'ogg'"):
        ProducerSandbox(audio_format="ogg")  # type: ignore[arg-type]


@pytest.mark.usefixtures("without_sound")
class TestWithoutTheExtra:
    @pytest.mark.parametrize("audio_format", ["m4a", "mp3"])
    def test_a_sandbox_with_compressed_songs_does_not_start(self, audio_format: str) -> None:
        """Else it would fail much later, at the first download."""
        with pytest.raises(ImportError, match=rf"audio_format='{audio_format}' needs the extra sound: pip install"):
            ProducerSandbox(audio_format=audio_format)  # type: ignore[arg-type]

    def test_a_video_is_refused_before_it_is_charged(self) -> None:
        with serving() as api:
            audio_id = api.song()["id"]
            charged = api.sandbox.charges
            answer = api.post("/producer/videos", {"audio_id": audio_id})
            assert answer.refusal == (400, "api_not_implemented")
            assert 'pip install "producer-tools[sound]"' in answer.json["error"]["message"]
            assert api.sandbox.charges == charged

    def test_songs_covers_and_stems_are_served(self) -> None:
        """First steps need nothing but the core install."""
        with serving() as api:
            item = api.song()
            stems = api.make("stems", audio_id=item["id"])
            urls = (item["audio_url"], item["image_url"], stems["stems_url"])
            assert [send(url).status for url in urls] == [200, 200, 200]
