"""Recordings from this machine, on their way to the service."""
