"""Demands and proofs as stored records: what the spool keeps, and JSON shows. Defaults are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from postroad.words.facts import Tlsa
from postroad.words.tls import OPPORTUNISTIC, Authority, Demand, Miss, Proof, TlsFailure, TlsLevel

Shape = dict[str, Any]


def demand_record(demand: Demand) -> Shape:
    """A demand as JSON's types."""
    shape: Shape = {"level": demand.level.name.lower()}
    for key in ("by", "why", "server_name"):
        if value := getattr(demand, key):
            shape[key] = str(value)
    if demand.names:
        shape["names"] = list(demand.names)
    if demand.tlsa:
        shape["tlsa"] = list(map(str, demand.tlsa))
    if demand.missed:
        shape["missed"] = _miss(demand.missed)
    if not demand.uses_tls:
        shape["uses_tls"] = False
    if demand.is_vouched:
        shape["vouched"] = True
    if demand.watched:
        shape["watched"] = demand_record(demand.watched)
    return shape


def read_demand(shape: Mapping[str, Any] | None) -> Demand:
    """The demand of a record; without one, the usual.

    Raises:
        ValueError, KeyError: it is none.

    """
    if shape is None:
        return OPPORTUNISTIC
    return Demand(
        TlsLevel[shape["level"].upper()],
        Authority(shape.get("by", "none")),
        shape.get("why", ""),
        tuple(shape.get("names", ())),
        tuple(map(_read_tlsa, shape.get("tlsa", ()))),
        shape.get("server_name", ""),
        _read_miss(shape.get("missed")),
        shape.get("uses_tls", True),
        read_demand(shape["watched"]) if "watched" in shape else None,
        shape.get("vouched", False),
    )


def proof_record(proof: Proof) -> Shape:
    """A proof as JSON's types, without its terms: those are in the demand."""
    shape: Shape = {"level": proof.level.name.lower()}
    if proof.how:
        shape["how"] = proof.how
    if proof.miss:
        shape["missed"] = _miss(proof.miss)
    return shape


def read_proof(shape: Mapping[str, Any] | None) -> Proof | None:
    """The proof of a record, if it has one.

    Raises:
        ValueError, KeyError: it is none.

    """
    if shape is None:
        return None
    return Proof(TlsLevel[shape["level"].upper()], shape.get("how", ""), None, _read_miss(shape.get("missed")))


def _miss(miss: Miss) -> Shape:
    return {"failure": miss.failure.value, "why": miss.why, "status": miss.status}


def _read_miss(shape: Mapping[str, Any] | None) -> Miss | None:
    return Miss(TlsFailure(shape["failure"]), shape["why"], shape["status"]) if shape else None


def _read_tlsa(text: str) -> Tlsa:
    usage, selector, matching, data = text.split(" ", 3)
    return Tlsa(int(usage), int(selector), int(matching), bytes.fromhex(data))
