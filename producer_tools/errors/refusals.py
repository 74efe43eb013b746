"""The errors of calls that the service refused, and their base `APIError`."""

from producer_tools.errors.base import ProducerToolError


class APIError(ProducerToolError):
    """The service answered with an error. A refused call is not charged (faq: billing on success only)."""

    advice = "Nothing was charged."
    advice_to_model = "Nothing was charged. Tell the user; do not retry."


class BadRequestError(APIError):
    """400: the API does not accept the request (``bad_request``, ``api_not_implemented``)."""

    advice = "Nothing was charged. Correct the argument that the message names; the same call will fail again."
    advice_to_model = (
        "Nothing was charged. Correct the argument that the message names, or tell the user; the same call will fail "
        "again."
    )


class AuthenticationError(APIError):
    """The API token is not accepted (``no_token``, ``invalid_token``, ``token_expired``, ``token_mismatched``)."""

    advice = "Nothing was charged. Check the API token in the provider's console; the same call will fail again."
    advice_to_model = "Nothing was charged. Only the application's owner can fix this: tell the user; do not retry."


class InsufficientBalanceError(APIError):
    """403 ``used_up``: the account's balance is spent. The token itself is valid."""

    advice = "Nothing was charged. Top up the account, then call again."
    advice_to_model = "Nothing was charged. The account has to be topped up: tell the user; do not retry."


class ServiceDisabledError(APIError):
    """``disabled``: the service is switched off, for this application or for all. The token itself is valid."""

    advice = "Nothing was charged. Look into the provider's console, which says whether the service is switched on."
    advice_to_model = "Nothing was charged. The service is switched off: tell the user; do not retry."


class ContentModerationError(APIError):
    """403 ``forbidden``: moderation refused the content. The token itself is valid."""

    advice = "Nothing was charged. Moderation refused the content: change the words."
    advice_to_model = (
        "Nothing was charged. Moderation refused the content: tell the user, or change the words and call once more."
    )


class EndpointNotFoundError(APIError):
    """404 ``no_api``: there is no such endpoint under the base URL."""

    advice = "Nothing was charged. Correct base_url, or the variable ACEDATACLOUD_API_BASE_URL."
    advice_to_model = "Nothing was charged. The base URL is wrong: tell the user; do not retry."


class RateLimitError(APIError):
    """429 ``too_many_requests`` or ``rate_limited``: refused before any work."""

    advice = "Nothing was charged. Wait a little, then call again."
    advice_to_model = (
        "Nothing was charged. Wait for any unfinished tasks, then call once more; if it is refused again, tell the "
        "user."
    )


class ServerError(APIError):
    """5xx on a free call."""

    advice = "The call is free: you may repeat it."
    advice_to_model = "The call is free: call once more; if it fails again, tell the user."
