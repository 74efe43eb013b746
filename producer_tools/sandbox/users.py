"""The sandbox's accounts: each has a token of its own, and sees nothing of the others."""

from dataclasses import dataclass, field
from random import Random


@dataclass(frozen=True, slots=True)
class User:
    """One account, with the one application whose token it uses.

    Attributes:
        api_token: The token that requests of this user carry. It is left out of the repr.
        user_id: The ``user_id`` in the records of this user's tasks.
        application_id: The ``application_id`` in those records.
    """

    api_token: str = field(repr=False)
    user_id: str
    application_id: str


class Users:
    """All accounts, in the order in which they were added. Any thread may add one.

    Args:
        random: Source of the tokens that are not given.
    """

    def __init__(self, random: Random) -> None:
        self._random = random
        self._by_token: dict[str, User] = {}

    def add(self, api_token: str | None) -> User:
        """Add an account with this token, or with a random one.

        Raises:
            ValueError: The token is blank, or is another account's.
        """
        token = f"sandbox-{self._random.getrandbits(128):032x}" if api_token is None else api_token
        if not token.strip():
            raise ValueError("api_token must not be blank")
        if token in self._by_token:
            raise ValueError("another user has this api_token")
        number = len(self._by_token) + 1
        user = self._by_token[token] = User(token, f"sandbox-user-{number}", f"sandbox-application-{number}")
        return user

    def find(self, api_token: str) -> User | None:
        """The account with this token; None if there is none."""
        return self._by_token.get(api_token)

    def all(self) -> tuple[User, ...]:
        """All accounts."""
        return tuple(self._by_token.values())
