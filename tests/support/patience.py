"""How long a test waits for what it waits for: until it happens."""

PATIENCE_S = 120.0  # the one last resort, of a test that would hang: no machine is so slow that one reaches it
