"""Programs for operators: `producer-doctor` checks a setup, `producer-ledger` settles unknown outcomes."""

from producer_tools.doctor.diagnosis import diagnose, diagnose_sync
from producer_tools.doctor.results import CheckResult

__all__ = ["CheckResult", "diagnose", "diagnose_sync"]
