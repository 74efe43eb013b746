"""Measurements: figures that the README names, each with a test that holds it."""
