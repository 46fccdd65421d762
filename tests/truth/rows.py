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
from postroad.senders.model import Equals, Limits
from postroad.simulation import SENDERS, Case, DnsOrder, Sender
from postroad.words.facts import NoData, Snapshot, Temporary
from postroad.words.faults import Mode

HERE = Path(__file__).parent
FILES = ("shares", "faults", "limits", "blackhole", "memory")
DOMAIN = "example.com"


@dataclass(frozen=True)
class Row:
    """One row: the file it stands in, its place there, and what was measured."""

    file: str
    number: int
    data: dict[str, Any]

    def __str__(self) -> str:
        fault = self.data["fault"]
        what = f"{fault['mode']} {','.join(fault['addresses'])}" if fault else "all up"
        order = self.data.get("dns_order", "fixed")
        return f"{self.data['topology']} {order} {self.data['config']} {self.data.get('how', '')}: {what}"


def all_rows() -> list[Row]:
    """Every row of every file."""
    return [
        Row(file, number, json.loads(line))
        for file in FILES
        for number, line in enumerate((HERE / "rows" / f"{file}.jsonl").read_text().splitlines(), start=1)
    ]


def sender_of(row: Row) -> Sender:
    """The model of what was running: the settings of a row change the data of the sender as they change it."""
    name, config = row.data["sender"], row.data["config"]
    sender = SENDERS[name]
    if (name, config) == ("postfix", "norandom"):  # smtp_randomize_addresses = no
        return replace(sender, equals=Equals.GIVEN)
    if (name, config) == ("postfix", "session_limit_0"):  # smtp_mx_session_limit = 0
        return replace(sender, limits=Limits(addresses=5, family_share=True))
    return sender


def case_of(row: Row, *, down: dict[str, Any] | None = None) -> Case:
    """The case of a row, with its fault or another."""
    fault = row.data["fault"] if down is None else down
    mode = {address_of(name): Mode(fault["mode"]) for name in fault["addresses"]} if fault else {}
    order = DnsOrder(row.data.get("dns_order", "fixed"))
    return Case(snapshot_of(row.data["topology"]), row.data["sender"], order, mode)


def address_of(name: str) -> IPv4Address:
    """`.11` as the address it stands for."""
    address = ip_address(f"127.0.0{name}")
    assert isinstance(address, IPv4Address)
    return address


def name_of(address: object) -> str:
    """An address by its last part."""
    return "." + str(address).rpartition(".")[2]


@cache
def snapshot_of(topology: str) -> Snapshot:
    """What DNS said in a topology."""
    resolver = load_zones([HERE / "zones" / f"{topology}.zone"])
    snapshot = asyncio.run(gather(DOMAIN, resolver))
    if topology == "t12":
        return replace(snapshot, mx=Temporary("SERVFAIL"))
    assert topology != "t8" or isinstance(snapshot.mx, NoData)
    return snapshot
