"""Paid calls: each is paid for once, and within its budget."""
