"""The lab for the tests of other projects: `postroad_lab` brings up a nameserver and exchangers with faults.

    def test_my_mailer_tries_the_second_exchanger(postroad_lab):
        lab = postroad_lab(ZONE, faults={"mail1": "refuse"})
        my_mailer.send(message, resolver=lab.resolver, port=lab.port)
        assert ["127.0.0.12"] == [str(received.address) for received in lab.received]

The lab runs in a thread of its own, so the test may block. Nothing heavy is imported before the fixture is asked for.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from postroad.lab import Lab
    from postroad.lab.sink import Received


class RunningLab:
    """A lab in a thread. `resolver` is its nameserver as (address, port), `port` that of all its exchangers."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="postroad-lab", daemon=True)
        self._thread.start()
        try:
            self._do(lab.__aenter__())
        except BaseException:
            self._end()
            raise

    @property
    def resolver(self) -> tuple[str, int]:
        """Where to ask for names."""
        return self.lab.resolver_address

    @property
    def port(self) -> int:
        """The port of all exchangers."""
        return self.lab.port

    @property
    def https_port(self) -> int:
        """The port of the MTA-STS policies."""
        return self.lab.web.port

    @property
    def authority(self) -> Path:
        """The authority that has signed the good certificates, as a PEM file."""
        from postroad.lab import authority_file  # nothing heavy before the fixture is asked for

        return authority_file()

    @property
    def received(self) -> list[Received]:
        """Every message taken so far, in order."""
        return list(self.lab.received)

    def set_fault(self, where: str, fault: str) -> None:
        """Let the exchanger of a name or address misbehave from now on, as `refuse` or `slow:2`; `none` ends it."""
        self._do(self.lab.set_fault(where, _fault(fault)))

    def stop(self) -> None:
        """Take the lab down."""
        self._do(self.lab.__aexit__(None, None, None))
        self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _do(self, main: Any) -> Any:  # noqa: ANN401  # any coroutine
        if self._loop.is_closed():
            main.close()
            raise RuntimeError("this lab was taken down when its test ended; ask for postroad_lab in each test")
        return asyncio.run_coroutine_threadsafe(main, self._loop).result(timeout=30)


@pytest.fixture
def postroad_lab() -> Iterator[Callable[..., RunningLab]]:
    """A function `(zone, faults={}, order="fixed", tls=False, certificates={}, policies={})` that brings a lab up.

    It is taken down after the test. `zone` is the text of an RFC 1035 master file, or the Path of one. `faults` are
    by name or address, as {"mail1": "refuse"}. `certificates` says, in the same way, what is shown after STARTTLS:
    good, expired, foreign, wrong-name or self-signed. `policies` are MTA-STS policies by domain, for a zone that has
    mta-sts.DOMAIN.
    """
    with ExitStack() as stack:

        def bring_up(
            zone: str | Path,
            faults: Mapping[str, str] | None = None,
            order: str = "fixed",
            *,
            tls: bool = False,
            certificates: Mapping[str, str] | None = None,
            policies: Mapping[str, str] | None = None,
        ) -> RunningLab:
            from postroad.lab import CertificateKind, Lab, Order

            chosen = {address: _fault(text) for address, text in (faults or {}).items()}
            kinds = {address: _one_of(CertificateKind, kind) for address, kind in (certificates or {}).items()}
            in_order = _one_of(Order, order)
            lab = Lab(_zones(zone), faults=chosen, order=in_order, tls=tls, certificates=kinds, policies=policies)
            running = RunningLab(lab)
            stack.callback(running.stop)
            return running

        yield bring_up


def _zones(zone: str | Path) -> Any:  # noqa: ANN401  # Zones, imported late
    from postroad.dns import ZoneProblem, parse_zones

    if not isinstance(zone, str | Path):
        raise pytest.UsageError(f"zone: {zone!r} is neither the text of a zone file nor the Path of one")
    text = zone.read_text() if isinstance(zone, Path) else zone
    parsed = parse_zones({str(zone) if isinstance(zone, Path) else "zone": text})
    if isinstance(parsed, ZoneProblem):
        raise pytest.UsageError(str(parsed))
    return parsed


def _one_of(kinds: type[StrEnum], text: str) -> Any:  # noqa: ANN401  # one of them
    try:
        return kinds(text)
    except ValueError:
        raise pytest.UsageError(f"{text!r}: there is no such {kinds.__name__}; choose {', '.join(kinds)}") from None


def _fault(text: str) -> Any:  # noqa: ANN401  # Fault, imported late
    from postroad.lab import parse_fault
    from postroad.words.names import Unreadable

    fault = parse_fault(text)
    if isinstance(fault, Unreadable):
        raise pytest.UsageError(str(fault))
    return fault
