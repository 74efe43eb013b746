"""The files behind the URLs: their content, ranges and caching headers."""

import io
import wave
import zipfile
from collections.abc import Iterator

import pytest

from tests.sandbox.calls import SONG_SECONDS, Api, send, serving


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with serving() as api:
        yield api


@pytest.fixture(scope="module")
def url(api: Api) -> str:
    return str(api.song("a slow waltz", seed="1")["audio_url"])


@pytest.fixture(scope="module")
def content(url: str) -> bytes:
    return send(url).content


def length(content: bytes) -> float:
    with wave.open(io.BytesIO(content)) as wav:
        return float(wav.getnframes() / wav.getframerate())


def test_a_finished_song_is_a_wav_with_the_duration_of_its_item(api: Api) -> None:
    item = api.song("fast and happy", seed="2")
    answer = send(item["audio_url"])
    assert answer.headers.get_content_type() == "audio/wav"
    assert length(answer.content) == pytest.approx(float(item["duration"]), abs=0.01)
    assert length(answer.content) >= 8


def test_a_preview_is_the_first_half_and_the_song_is_not_served_yet(api: Api) -> None:
    task_id = api.submit("generate", prompt="a slow waltz", seed="1")
    api.clock.advance(SONG_SECONDS / 2)
    (unfinished,) = api.look_up(task_id)["response"]["data"]
    preview = send(unfinished["audio_url"]).content
    whole_url = unfinished["audio_url"].replace("-preview", "")
    assert send(whole_url).refusal == (404, "no_api"), "the song is not served before it is finished"
    (item,) = api.finish(task_id)["data"]
    assert item["audio_url"] == whole_url
    assert length(preview) == pytest.approx(length(send(whole_url).content) / 2, abs=0.01)


def test_the_other_files_of_a_song_have_the_format_of_their_names(api: Api, url: str) -> None:
    audio_id = url.rpartition("/")[2].removesuffix(".wav")
    video = send(api.post("/producer/videos", {"audio_id": audio_id}).json["data"]["video_url"])
    assert video.headers.get_content_type() == "video/mp4"
    assert video.content[4:8] == b"ftyp"
    picture = send(url.replace(".wav", ".jpg"))
    assert picture.headers.get_content_type() == "image/jpeg"
    assert picture.content.startswith(b"\xff\xd8\xff")
    stems = send(url.replace(".wav", "-stems.zip"))
    assert stems.headers.get_content_type() == "application/zip"
    assert len(zipfile.ZipFile(io.BytesIO(stems.content)).namelist()) == 2


def test_the_wav_endpoint_returns_the_same_song(api: Api, url: str, content: bytes) -> None:
    audio_id = url.rpartition("/")[2].removesuffix(".wav")
    (entry,) = api.post("/producer/wav", {"audio_id": audio_id}).json["data"]
    assert send(entry["file_url"]).content == content


def test_an_upload_can_be_downloaded(api: Api) -> None:
    data = api.post("/producer/upload", {"audio_url": "https://example.org/own.mp3"}).json["data"]
    assert data["lyric"] == ""
    assert length(send(data["audio_url"]).content) >= 8


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes=0-99", slice(0, 100)),
        ("bytes=100-", slice(100, None)),
        ("bytes=-100", slice(-100, None)),
        ("bytes=100-99999999999", slice(100, None)),
    ],
)
def test_a_range_returns_that_part(url: str, content: bytes, header: str, part: slice) -> None:
    answer = send(url, headers={"Range": header})
    assert answer.status == 206
    assert answer.content == content[part]
    start, stop, _ = part.indices(len(content))
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(content)}"


@pytest.mark.parametrize("header", ["bytes=5-2", "bytes=0-1,4-5", "seconds=1-2", "bytes=x-"])
def test_an_invalid_or_multiple_range_returns_the_whole_file(url: str, content: bytes, header: str) -> None:
    answer = send(url, headers={"Range": header})
    assert (answer.status, len(answer.content)) == (200, len(content))


def test_a_range_after_the_end_is_refused_with_the_length(url: str, content: bytes) -> None:
    answer = send(url, headers={"Range": f"bytes={len(content)}-"})
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(content)}"


def test_a_download_is_resumed_only_if_the_entity_tag_matches(url: str, content: bytes) -> None:
    tag = send(url, method="HEAD").headers["ETag"]
    assert send(url, headers={"Range": "bytes=10-", "If-Range": tag}).content == content[10:]
    assert send(url, headers={"Range": "bytes=10-", "If-Range": '"other"'}).content == content


def test_a_head_request_returns_the_length_and_that_ranges_are_accepted(url: str, content: bytes) -> None:
    answer = send(url, method="HEAD")
    assert answer.content == b""
    assert answer.headers["Content-Length"] == str(len(content))
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_a_file_that_the_client_has_is_not_sent_again(url: str) -> None:
    answer = send(url, headers={"If-None-Match": send(url, method="HEAD").headers["ETag"]})
    assert (answer.status, answer.content) == (304, b"")


@pytest.mark.parametrize("name", ["x.wav", "..", "%2e%2e%2fetc", "-preview.wav", "0" * 36 + ".wav", "0" * 36])
def test_an_unknown_file_is_no_api_in_json(api: Api, name: str) -> None:
    assert send(f"{api.sandbox.base_url}/sandbox/files/{name}").refusal == (404, "no_api")


def test_the_name_of_a_stems_file_is_not_an_audio_id(api: Api, url: str) -> None:
    name = url.rpartition("/")[2].replace(".wav", "-stems")
    assert api.post("/producer/wav", {"audio_id": name}).refusal == (400, "bad_request")


def test_urls_start_with_the_address_that_the_caller_used(api: Api) -> None:
    by_name = api.sandbox.base_url.replace("127.0.0.1", "localhost")
    headers = {"Authorization": f"Bearer {api.sandbox.api_token}"}
    answer = send(f"{by_name}/producer/upload", b'{"audio_url": "https://example.org/own.mp3"}', headers)
    assert answer.json["data"]["audio_url"].startswith(f"{by_name}/sandbox/files/")
