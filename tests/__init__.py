"""What is tested, and with what: `tests.support` is shared, all else belongs to the tests beside it."""
