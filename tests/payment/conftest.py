"""One sandbox for all tests of a module, because many of them are short."""

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
    """The sandbox's account. Charges of earlier tests do not count as new."""
    shared_account.new_charges()
    return shared_account
