"""The refusals of the API: an error code, its HTTP status and a sentence."""

STATUS = {
    "bad_request": 400,
    "no_token": 400,
    "invalid_token": 401,
    "used_up": 403,
    "no_api": 404,
    "too_many_requests": 429,
    "api_error": 500,
}


class ApiError(Exception):
    """A request the API refuses, or a task that fails.

    Attributes:
        code: One of ``STATUS``.
        message: What is wrong, for the caller to read.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    @property
    def status(self) -> int:
        """The HTTP status the code is answered with."""
        return STATUS[self.code]

    def body(self) -> dict[str, str]:
        """The ``error`` object of an answer or a record."""
        return {"code": self.code, "message": self.message}
