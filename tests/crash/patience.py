"""How long a test of processes may take before it counts as one that hangs."""

import pytest

PATIENCE = pytest.mark.timeout(300)
"""On a busy machine, the imports of the first process alone take a minute."""
