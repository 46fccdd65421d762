"""How many examples a property is tried with, and how much of a large enumeration.

A property has a number of its own where it is costly, or where twice as many as usual reach more branches.
"""

from itertools import islice

from hypothesis import settings

USUAL = 100


def stride(each):
    """From one case to the next of those that are tried; in a profile of more, all of them are."""
    return each if settings.default.max_examples <= USUAL else 1


def some(cases, each, first=0):
    """Every so many of the cases, from the first; in a profile of more, all of them."""
    return list(islice(cases, first % stride(each), None, stride(each)))


def examples(number):
    """So many where a property without a number is tried with a hundred; more, in step, in a profile of more."""
    return max(1, number * settings.default.max_examples // USUAL)
