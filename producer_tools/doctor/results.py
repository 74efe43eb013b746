"""What a check has found out."""

from typing import Literal, NamedTuple

State = Literal["good", "bad", "not known"]


class CheckResult(NamedTuple):
    """What one check has found out.

    Attributes:
        check: what was checked, such as ``token``.
        state: ``good``; ``bad``: something must be repaired; ``not known``: it could not be found out.
        text: the details, for a person.
    """

    check: str
    state: State
    text: str
