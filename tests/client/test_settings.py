"""The settings of a client: where they come from, which values are refused, and that they cannot be changed later."""

import pytest

from producer_tools import ConfigurationError, ProducerClient


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"base_url": "api.example"}, "base_url, or ACEDATACLOUD_API_BASE_URL, must be an http"),
        ({"base_url": "http://a..b"}, "base_url, or ACEDATACLOUD_API_BASE_URL, must be an http"),
        ({"base_url": "https://user:pw@api.example"}, "base_url, or ACEDATACLOUD_API_BASE_URL, must be an http"),
        ({"base_url": "https://"}, "base_url, or ACEDATACLOUD_API_BASE_URL, must be an http"),
        ({"request_timeout": 0}, "request_timeout must be a number of seconds above 0"),
        ({"lookup_timeout": 0}, "lookup_timeout must be a number of seconds above 0"),
        ({"poll_interval": -1}, "poll_interval must be a number of seconds, 0 or more"),
        ({"max_paid_in_flight": 0}, "max_paid_in_flight must be 1 or more"),
        ({"base_url": 5}, "base_url, or ACEDATACLOUD_API_BASE_URL, must be an http"),
        ({"platform_base_url": 5}, "platform_base_url must be an http"),
        ({"request_timeout": "9"}, "request_timeout must be a number of seconds above 0; it is '9'"),
        ({"poll_interval": "a"}, "poll_interval must be a number of seconds, 0 or more; it is 'a'"),
        ({"poll_interval": float("nan")}, "poll_interval must be a number of seconds, 0 or more; it is nan"),
        ({"request_timeout": float("inf")}, "request_timeout must be a number of seconds above 0; it is inf"),
        ({"max_paid_in_flight": "5"}, "max_paid_in_flight must be 1 or more; it is '5'"),
        ({"failures_until_down": 0}, "failures_until_down must be 1 or more; it is 0"),
    ],
)
def test_an_invalid_setting_is_refused(settings: dict[str, object], message: str) -> None:
    """Accepted, it would fail later, in the middle of a call."""
    with pytest.raises(ConfigurationError, match=message):
        ProducerClient("t", **settings)  # type: ignore[arg-type]  # one argument of each type


@pytest.mark.parametrize("value", ["soon", "0", "-1", "inf", "nan"])
def test_an_invalid_timeout_in_the_environment_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRODUCER_REQUEST_TIMEOUT", value)
    with pytest.raises(ConfigurationError, match="PRODUCER_REQUEST_TIMEOUT must be a number of seconds above 0"):
        ProducerClient("t")


def test_settings_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (ProducerClient().base_url, ProducerClient().request_timeout) == ("https://api.acedata.cloud", 1800)
    monkeypatch.setenv("PRODUCER_REQUEST_TIMEOUT", "30")
    monkeypatch.setenv("ACEDATACLOUD_API_BASE_URL", "http://127.0.0.1:1/")
    assert (ProducerClient().base_url, ProducerClient().request_timeout) == ("http://127.0.0.1:1", 30)


@pytest.mark.parametrize(
    "name", ["base_url", "request_timeout", "lookup_timeout", "poll_interval", "max_paid_in_flight"]
)
def test_a_setting_cannot_be_changed_after_the_client_is_made(name: str) -> None:
    """An assignment would have no effect, so it must raise instead of seeming to work."""
    client = ProducerClient("t", poll_interval=5)
    before = getattr(client, name)
    with pytest.raises(AttributeError):
        setattr(client, name, 1)
    assert getattr(client, name) == before
