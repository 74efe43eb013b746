"""One sandbox for the many small calls of these tests."""

from collections.abc import Iterator

import pytest

from producer_tools.sandbox import ProducerSandbox
from tests.payment.calls import Account


@pytest.fixture(scope="module")
def shared_account() -> Iterator[Account]:
    with ProducerSandbox(render_seconds=0) as sandbox:
        yield Account(sandbox)


@pytest.fixture
def account(shared_account: Account) -> Account:
    """The sandbox's account, where the test's own charges are the new ones."""
    shared_account.new_charges()
    return shared_account
