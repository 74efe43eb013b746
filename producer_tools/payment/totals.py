"""What the entries of each scope cost together, on each day and in all."""

from collections import Counter, defaultdict

from producer_tools.payment.entry import Entry, Spent, day_of


class Totals:
    """Totals that change with each entry, so that one is read as fast with a million entries as with ten.

    They are numbers of calls of each price, so they are exact.
    """

    def __init__(self) -> None:
        self._calls: defaultdict[tuple[str, int | None], Counter[tuple[str, str]]] = defaultdict(Counter)
        self._counted: dict[str, tuple[tuple[str, ...], int, tuple[str, str]]] = {}

    def add(self, entry: Entry) -> None:
        """Count an entry that has just been begun."""
        self._counted[entry.owner] = entry.scopes, day_of(entry.begun_at), (entry.usd, entry.credits)
        self._count(entry.owner, 1)

    def remove(self, entry: Entry) -> None:
        """Count an entry no longer. It counts as it was begun, whatever was changed since."""
        if entry.owner in self._counted:
            self._count(entry.owner, -1)
            del self._counted[entry.owner]

    def spent(self, scope: str, day: int | None) -> Spent:
        """What the entries of a scope cost together: those begun on one day, or all of them."""
        spent = Spent()
        for (usd, in_credits), calls in self._calls.get((scope, day), {}).items():
            spent = spent.plus(usd, in_credits, calls)
        return spent

    def _count(self, owner: str, calls: int) -> None:
        scopes, begun_on, price = self._counted[owner]
        for scope in scopes:
            for day in (begun_on, None):
                self._calls[scope, day][price] += calls
