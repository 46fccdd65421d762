"""How many files and sockets this process may have open at once."""

from __future__ import annotations

from contextlib import suppress

FEWEST = 64  # two dozen are open in a relay that does nothing yet


def open_more() -> str:
    """Allow as many as the system lets us have; a sentence if these are too few to work with, else nothing.

    1024, the usual soft limit, is for programs that use select.
    """
    try:
        import resource  # noqa: PLC0415  # Windows has none, and no such limit
    except ImportError:
        return ""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY or most >= FEWEST:
        return ""
    how = "raise the limit, with `ulimit -n` in the shell or LimitNOFILE= in the systemd unit"
    return f"this process may open {most} files at once, but needs {FEWEST}: {how}"
