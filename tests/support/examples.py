"""How many examples a property is tried with, and how much of a large enumeration.

`make test` takes every so many of the cases that are alike. A whole run, as of CI, takes all of them, and three times
as many examples; `make thorough` a hundred times as many.

A property has a number of its own where it is costly, or where twice as many as usual reach more branches.
"""

from itertools import islice

import pytest
from hypothesis import settings

USUAL = 100
WHOLE = 50  # as many in the profile of this name


def is_whole():
    """Whether this run leaves nothing out."""
    return settings.default.max_examples >= WHOLE


def stride(each):
    """From one case to the next of those that are tried; in a whole run, all of them are."""
    return 1 if is_whole() else each


def some(cases, each, first=0):
    """Every so many of the cases, from the first; in a whole run, all of them."""
    return list(islice(cases, first % stride(each), None, stride(each)))


def examples(number):
    """So many where a property without a number is tried with a hundred; more or fewer, in step, in other runs."""
    return max(1, number * settings.default.max_examples // USUAL)


# Of a test with whole programs, a second each: what it tells is seldom about the change at hand
in_whole_runs = pytest.mark.skipif(not is_whole(), reason="takes seconds: only in a whole run (make test-whole)")
