"""Waits of these tests end by clocks that jump, and their last look-up must not depend on how fast the machine is."""

import pytest


@pytest.fixture(autouse=True)
def _patient_last_look_up(patient_last_look_up: None) -> None:
    """For all tests but those of the last look-up itself, which give it a time of their own."""
