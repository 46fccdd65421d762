"""Hypothesis runs the same examples everywhere: a test never depends on the hour or the machine."""

from hypothesis import settings

settings.register_profile("postroad", deadline=None, derandomize=True, max_examples=100)
settings.load_profile("postroad")
