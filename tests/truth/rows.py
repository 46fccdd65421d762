"""The measured rows, each with the case and the sender it speaks of."""

import asyncio
import json
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import Any

from postroad.dns import load_zones
from postroad.gather import gather
from postroad.models import SENDERS, Sender
from postroad.models.model import EqualsOrder
from postroad.simulation import Case, DnsOrder
from postroad.words.facts import NoData, Temporary
from postroad.words.faults import Mode
from postroad.words.snapshot import Snapshot

HERE = Path(__file__).parent
FILES = ("shares", "faults", "limits", "blackhole", "memory", "second")
DOMAIN = "example.com"
WORDS = {
    "s_good": "starttls-good",
    "s_expired": "starttls-expired",
    "s_454": "starttls-454",
    "s_refuse554": "starttls-554",
    "s_close": "starttls-close",
    "s_220close": "starttls-220-close",
    "s_garbage": "broken-starttls",
}
"""The modes of the second measurement by their names in the lab."""
MIX = "mix"  # the server answers each recipient by its own reply


@dataclass(frozen=True)
class Row:
    """One row: the file it stands in, its place there, and what was measured."""

    file: str
    number: int
    data: dict[str, Any]

    def __str__(self) -> str:
        what = " ".join(f"{address} {mode}" for address, mode in self.faults.items()) or "all up"
        what += f" for {' '.join(self.recipients)}" if self.recipients else ""
        order = self.data.get("dns_order", "fixed")
        return f"{self.data['topology']} {order} {self.data['config']} {self.data.get('how', '')}: {what}"

    @property
    def sender(self) -> str:
        """Who was measured."""
        return self.data["sender"]

    @property
    def kind(self) -> str:
        """What was measured: the file's name, or for the second measurement what the row says."""
        return {"shares2": "shares"}.get(self.data.get("kind"), self.data.get("kind", self.file))

    @property
    def faults(self) -> dict[str, str]:
        """What each address does, in our words."""
        if "faults" in self.data:
            return {address: WORDS.get(mode, mode) for address, mode in self.data["faults"].items()}
        fault = self.data.get("fault")
        return dict.fromkeys(fault["addresses"], fault["mode"]) if fault else {}

    @property
    def recipients(self) -> list[str]:
        """The recipients of a message where there were several: a 250, d 450, r 550 of a `mix` server."""
        return self.data.get("recipients", [])


def all_rows() -> list[Row]:
    """Every row of every file."""
    return [
        Row(file, number, json.loads(line))
        for file in FILES
        for number, line in enumerate((HERE / "rows" / f"{file}.jsonl").read_text().splitlines(), start=1)
    ]


def sender_of(row: Row) -> Sender:
    """The model of what was running: the settings of a row change the data of the sender as they change it."""
    name, config = row.sender, row.data["config"]
    sender = SENDERS[_MODELS.get((name, config), name)]
    if (name, config) == ("postfix", "norandom"):  # smtp_randomize_addresses = no
        return replace(sender, equals=EqualsOrder.GIVEN)
    if (name, config) == ("postfix", "session_limit_0"):  # smtp_mx_session_limit = 0
        return replace(sender, limits=replace(sender.limits, sessions=None))
    return sender


_MODELS = {("postfix", "default"): "postfix-reuse", ("dma", "tls"): "dma-tls"}


def case_of(row: Row, down: dict[str, str] | None = None) -> Case:
    """The case of a row, with its faults or others; a server that answers recipients one by one is well."""
    faults = row.faults if down is None else down
    modes = {address_of(name): Mode(mode) for name, mode in faults.items() if mode != MIX}
    order = DnsOrder(row.data.get("dns_order", "fixed"))
    return Case(snapshot_of(row.data["topology"]), row.sender, order, modes)


def address_of(name: str) -> IPv4Address:
    """`.11` as the address it stands for."""
    address = ip_address(f"127.0.0{name}")
    assert isinstance(address, IPv4Address)
    return address


def name_of(address: IPv4Address) -> str:
    """An address by its last part."""
    return f".{int(address) % 256}"


@cache
def snapshot_of(topology: str) -> Snapshot:
    """What DNS said in a topology."""
    resolver = load_zones([HERE / "zones" / f"{topology}.zone"])
    snapshot = replace(asyncio.run(gather(DOMAIN, resolver)), in_lab=True)
    if topology == "t12":
        return replace(snapshot, mx=Temporary("SERVFAIL"))
    assert topology != "t8" or isinstance(snapshot.mx, NoData)
    return snapshot
