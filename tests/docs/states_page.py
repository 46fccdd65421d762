"""The page of the states: drawn from the tables of SMTP, and from a spool and a health table that are asked."""

import asyncio
from collections import defaultdict
from itertools import product
from pathlib import Path

from tests.support.letters import BODY, EVERYTHING, NOW, letter, recipients

from postroad.pace import Health
from postroad.smtp.states import (
    CLIENT_ENDS,
    CLIENT_MOVES,
    CLIENT_REPLIES,
    GOES_ON,
    SERVER_ENDS,
    SERVER_MOVES,
    ClientState,
    ServerState,
    after_greeting,
    after_reply,
)
from postroad.spool import Settlement, State
from postroad.spool.memory import MemorySpool
from postroad.tls import TABLE, Known, Override, TlsMode
from postroad.words.facts import Found, NoData, Temporary, Tlsa
from postroad.words.names import parse_address
from postroad.words.policies import DaneFacts, StsPolicy
from postroad.words.reply import Reply
from postroad.words.tls import Authority, Demand, Proof, TlsLevel

PAGE = Path(__file__).parents[2] / "docs" / "design" / "states.md"
GONE = "[*]"
HEAD = """# States

Drawn by `python -m tests.docs.states_page` from the code that decides; a test compares them. What does not
change a state has no arrow.
"""


def states_page():
    """The whole text of states.md."""
    return f"{HEAD}\n{_client()}\n{_server()}\n{_parcel()}\n{_health()}\n{_demands()}"


def diagram(edges):
    """A Mermaid diagram: one arrow for each pair of states, with all that leads along it."""
    rows = [
        f"    {before} --> {after}: {', '.join(labels)}"
        for (before, after), labels in edges.items()
        if before != after and labels
    ]
    return "\n".join(("```mermaid", "stateDiagram-v2", *rows, "```", ""))


# --- SMTP


def _word(kind):
    return {"EndOfData": "final dot", "StartTls": "STARTTLS"}.get(kind.__name__, kind.__name__.upper())


def client_edges():
    """What a client's own commands and the replies to them lead to."""
    edges = defaultdict(list)
    edges[GONE, ClientState.GREETING.name].append("connected")
    for code in (220, 554):
        after = after_reply(ClientState.GREETING, None, code)
        edges[ClientState.GREETING.name, after.name].append("220" if code == 220 else "4yz or 5yz")
    for state, moves in CLIENT_MOVES.items():
        for kind, after in moves.items():
            edges[state.name, after.name].append(_word(kind))
    for state, replies in CLIENT_REPLIES.items():
        for kind, (agreed, refused) in replies.items():
            for after, label in ((agreed, _codes(_ending(state, kind, agreed))), (refused, "4yz or 5yz")):
                edges[state.name, after.name].append(f"{label} to {_word(kind)}")
    for state, after in CLIENT_ENDS.items():
        edges[state.name, after.name].append({ClientState.CHUNKS: "last BDAT"}.get(state, "handshake done"))
    return edges


def _ending(state, kind, agreed):
    """The expected replies that lead away: not a challenge of AUTH, which another reply follows."""
    return [code for code in GOES_ON[kind] if after_reply(state, kind, code * 100 if code < 10 else code) is agreed]


def _codes(codes):
    return " or ".join(f"{code}yz" if code < 10 else str(code) for code in sorted(codes))


def _client():
    rows = defaultdict(list)
    for kind in GOES_ON:
        rows[_codes(GOES_ON[kind])].append("the greeting" if kind is None else _word(kind))
    table = "\n".join(f"| {', '.join(kinds)} | {codes} |" for codes, kinds in rows.items())
    return f"""## The client's end of an SMTP session

The states say what has been *sent*: with pipelining the replies come later. The tables are
`CLIENT_MOVES`, `CLIENT_REPLIES` and `CLIENT_ENDS` in `src/postroad/smtp/states.py`.

{diagram(client_edges())}
A session continues only after the reply that its command expects (`GOES_ON`). 4yz and 5yz refuse the command; any
other reply is out of step and ends the session: the mail is deferred.

| command | expected reply |
| --- | --- |
{table}
"""


def server_edges():
    """What a server agrees to, and where the end of a message, of AUTH or of a handshake leads."""
    edges = defaultdict(list)
    edges[GONE, ServerState.GREETING.name].append("connected")
    for code, label in ((220, "220"), (554, "5yz"), (421, "421")):
        edges[ServerState.GREETING.name, after_greeting(Reply(code, ("",))).name].append(label)
    for state, moves in SERVER_MOVES.items():
        for kind, after in moves.items():
            edges[state.name, after.name].append(_word(kind))
    for state, after in SERVER_ENDS.items():
        edges[state.name, after.name].append(_ENDED[state])
    return edges


_ENDED = {
    ServerState.GREETING: "handshake of implicit TLS",
    ServerState.CHUNKS: "message answered",
    ServerState.BODY: "message answered",
    ServerState.AUTH: "AUTH answered",
    ServerState.TLS: "handshake done",
}


def _server():
    return f"""## The server's end of an SMTP session

The states say what has been *agreed to*. A command that is not allowed in a state is answered with 503. The tables
are `SERVER_MOVES` and `SERVER_ENDS` in `src/postroad/smtp/states.py`. A reply of 421 leads to `CLOSED` from every
state.

{diagram(server_edges())}"""


# --- A parcel of the spool


async def _claim(spool, _parcel):
    await spool.claim(NOW, 1, each=1)


async def _settle(spool, parcel):
    await spool.settle([Settlement(parcel)], NOW)


async def _settle_in_part(spool, parcel):
    await spool.settle([Settlement(parcel, recipients("bob@far.example"), NOW + 60)], NOW)


CALLS = {
    "claim": _claim,
    "release": lambda spool, parcel: spool.release([parcel]),
    "settle, none left": _settle,
    "settle, some left": _settle_in_part,
    "hold": lambda spool, _: spool.hold(EVERYTHING),
    "unhold": lambda spool, _: spool.unhold(EVERYTHING),
    "retry": lambda spool, _: spool.retry(EVERYTHING, NOW),
    "delete": lambda spool, _: spool.delete(EVERYTHING, NOW),
    "overrule": lambda spool, parcel: spool.overrule([Settlement(parcel)], NOW),
}


async def _parcel_edges():
    edges = defaultdict(list)
    edges[GONE, State.WAITING].append("add")
    edges[GONE, State.CLAIMED].append("add with claim")
    for state in State:
        for name, call in CALLS.items():
            spool = MemorySpool()
            (parcel,) = await spool.add(letter(), BODY, claim=state is State.CLAIMED)
            if state is State.HELD:
                await spool.hold(EVERYTHING)
            await call(spool, parcel)
            rows = await spool.listed(EVERYTHING)
            edges[state, rows[0].state if rows else GONE].append(name)
    return edges


def parcel_edges():
    """What each call of a spool makes of a parcel, found by calling."""
    return asyncio.run(_parcel_edges())


def _parcel():
    return f"""## A parcel in the spool

A parcel is the part of a message that goes to one destination. The arrows are the calls of `Spool` in
`src/postroad/spool/base.py`, each made in each state; [the spool](spool.md) describes what a crash leaves.

{diagram(parcel_edges())}"""


# --- The health of an address

HOST = parse_address("192.0.2.1")
HEALTHY, UNHEALTHY, DUE, PROBED = "healthy", "unhealthy", "due for a probe", "being probed"
_IDS = {HEALTHY: "healthy", UNHEALTHY: "unhealthy", DUE: "due", PROBED: "probed"}


def _healthy():
    return Health(), NOW


def _unhealthy():
    health = Health()
    health.failed(HOST, NOW)
    return health, NOW


def _due():
    health, now = _unhealthy()
    return health, now + health.policy.first_penalty_s


def _probed():
    health, now = _due()
    health.probing(HOST)
    return health, now


STANDS = {HEALTHY: _healthy, UNHEALTHY: _unhealthy, DUE: _due, PROBED: _probed}
NEWS = {
    "failed": lambda health, now: health.failed(HOST, now),
    "greeted": lambda health, now: health.succeeded(HOST, now),
    "probe begins": lambda health, _: health.probing(HOST),
    "probe given up": lambda health, _: health.abandoned(HOST),
}


def _stands(health, now):
    if health.is_healthy(HOST, now):
        return HEALTHY
    if HOST in health.due_probes(now):
        return DUE
    return UNHEALTHY if health.next_probe_at(now) else PROBED


def health_edges():
    """What each piece of news, and time, makes of an address, found by telling it."""
    edges = defaultdict(list)
    for before, stand in STANDS.items():
        for name, tell in NEWS.items():
            if (before, name) == (UNHEALTHY, "probe begins"):
                continue  # nobody probes before the penalty is over
            health, now = stand()
            tell(health, now)
            edges[_IDS[before], _IDS[_stands(health, now)]].append(name)
        health, now = stand()
        edges[_IDS[before], _IDS[_stands(health, now + health.policy.first_penalty_s)]].append("penalty over")
        edges[_IDS[before], _IDS[_stands(health, now + health.policy.forget_after_s)]].append("forgotten")
    return edges


def _health():
    names = "".join(f'    state "{name}" as {id_}\n' for name, id_ in _IDS.items() if name != id_)
    drawn = diagram(health_edges()).replace("stateDiagram-v2\n", f"stateDiagram-v2\n{names}    [*] --> healthy\n")
    return f"""## The health of an address

An address that did not accept a connection, or did not greet, is not used for a penalty time (30 s, doubled at
each further failure, up to 15 minutes); then one probe decides. `Health` in `src/postroad/pace/health.py`.

{drawn}"""


# --- TLS: demand and proof

NAME = "mx.example.org"
RECORDS = [Tlsa(usage, 1, 1, bytes(32)) for usage in (3, 2, 0)]
DANE = [
    DaneFacts(),
    DaneFacts(base=NAME, tlsa=NoData(60, authentic=True)),
    DaneFacts(base=NAME, tlsa=Temporary("no answer")),
    *(DaneFacts(base=NAME, tlsa=Found((record,), authentic=True)) for record in RECORDS),
]
STS = [None, *(StsPolicy(mode, (mx,)) for mode in ("enforce", "testing", "none") for mx in (NAME, "other.example.org"))]
WORDS = {
    Authority.NONE: "nobody",
    Authority.ROUTE: "our route",
    Authority.DANE: "DANE",
    Authority.MTA_STS: "MTA-STS",
    Authority.MESSAGE: "the sender",
}


def demands():
    """For each row of the table all that it demands, over all that can be known of an exchanger."""
    found = {row.when: {} for row in TABLE}
    for mode, dane, sts in product(TlsMode, DANE, STS):
        known = Known(NAME, Override(mode), dane, sts)
        row = next(row for row in TABLE if row.applies(known))
        demand = row.demand(known)
        found[row.when][_in_words(demand), WORDS[demand.by]] = None
    return found


def _in_words(demand):
    if demand.missed:
        return "it is passed over"
    if not demand.uses_tls:
        return "in the clear"
    if demand.tlsa:
        return "proven by a TLSA record"
    if demand.level is TlsLevel.PROVEN:
        return "proven by a certificate for its name"
    if demand.level is TlsLevel.ENCRYPTED:
        return "encrypted"
    return "anything; what it misses is reported" if demand.watched else "anything; encrypted where that is offered"


def _demands():
    rows = "\n".join(
        f"| {number} | {when} | {' or '.join(what for what, _ in told)} | {', '.join({by: 0 for _, by in told})} |"
        for number, (when, told) in enumerate(demands().items(), 1)
    )
    asked = {
        "anything": Demand(),
        "encrypted": Demand(TlsLevel.ENCRYPTED),
        "proven": Demand(TlsLevel.PROVEN, names=(NAME,)),
        "it is passed over": TABLE[4].demand(Known(NAME)),
    }
    shown = {
        "nothing: no STARTTLS": Proof(),
        "a key, of whoever it is": Proof(TlsLevel.ENCRYPTED),
        "that it is another host": Proof(TlsLevel.PROVEN, terms=(("other.example.org",), ())),
        "what is asked": Proof(TlsLevel.PROVEN, terms=((NAME,), ())),
    }
    judged = "\n".join(
        f"| {what} | "
        + " | ".join("mail goes" if proof.meets(demand) else "refused" for proof in shown.values())
        + " |"
        for what, demand in asked.items()
    )
    return f"""## What a connection to an exchanger has to be, and what it was shown to be

Of the rows of `TABLE` in `src/postroad/tls/deciding.py` the first that applies decides; the third column is what it
demands of a connection. The sender of a message may change that for it alone (`tls/wishes.py`).

| | when | demand | whose |
| --- | --- | --- | --- |
{rows}

The proof is judged after the handshake, before anything else is said (`Proof.meets`). Refused, it is a try like any
other: the walk goes on, and if nothing is left the mail waits. Where anything goes, a handshake that fails is
followed by one more contact in the clear.

| demand \\ shown | {" | ".join(shown)} |
| --- | {" | ".join("---" for _ in shown)} |
{judged}
"""


if __name__ == "__main__":
    PAGE.write_text(states_page())
