"""How many examples a costly property is tried with."""

from hypothesis import settings

USUAL = 100


def examples(number):
    """So many where a property without a number is tried with a hundred; more, in step, in a profile of more."""
    return max(1, number * settings.default.max_examples // USUAL)
