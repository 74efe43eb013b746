"""Paid calls: each request is sent once, within its budgets, and an unknown outcome is reported as unknown."""
