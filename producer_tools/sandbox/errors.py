"""The API's errors: an error code, its HTTP status and a message."""

STATUS = {
    "bad_request": 400,
    "no_token": 400,
    "token_mismatched": 400,
    "api_not_implemented": 400,
    "disabled": 400,
    "invalid_token": 401,
    "token_expired": 401,
    "used_up": 403,
    "forbidden": 403,
    "no_api": 404,
    "gone": 410,  # the status has been seen, of other resellers; its code has not, so this one is the sandbox's own
    "too_many_requests": 429,
    "rate_limited": 429,
    "api_error": 500,
    "timeout": 504,
}


class ApiError(Exception):
    """The error of a request that the API refuses, or of a task that fails.

    Attributes:
        code: One of ``STATUS``.
        message: What is wrong, for the caller to read.
        status: The HTTP status to answer with. The code has a usual one, but some codes occur with others too.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = STATUS[code] if status is None else status

    def body(self) -> dict[str, str]:
        """The ``error`` object of an answer or a task record."""
        return {"code": self.code, "message": self.message}
