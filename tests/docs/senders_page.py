"""The page of the senders: what `postroad.senders()` says, as tables, and how to write one's own."""

from pathlib import Path

from postroad.models import MIXES, SENDERS
from postroad.models.model import Sender
from postroad.views.text.senders import enforced, questions
from postroad.words.faults import Mode
from postroad.words.outcome import Result
from postroad.words.phrasebook import counted, percent

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "senders.md"
HEAD = """# Senders

What the simulation knows about each sender, written from the files in `src/postroad/models` by `python -m
tests.docs.senders_page`; a test compares them. `make truth` compares the models of measured programs with those
measurements. `postroad senders NAME` shows one.
"""

OURS = """
`postroad` has no model, and so no row in the tables except the last. Its own code is used: each order that
`routing.draw` may give is walked by `routing.Walk`, the code that delivers. Hosts that behave alike are one kind.
"""

REACTIONS = """
## After a contact

By the faults of the lab: `n` the next address, `h` the next host, `e` the next of the same preference only, `d`
deferred, `f` failed, `c` the same session without TLS, `r` a new one to the same address without TLS, `+` delivered.
Two letters mean that packets race. Several recipients are treated as if each were alone; `postroad senders NAME` shows
which senders send to them separately, and which return refused ones later.
"""

INTERNET = """
`internet` is an assumption, not a measurement: nobody publishes which software sends how much mail. So its figures are
ranges over all plausible weights; [the design](../design/internet-mix.md) says which weights have a source, and which
have none.
"""

OWN = """## A sender of your own

Every sender is a file, `src/postroad/models/NAME.toml`; yours is one more. Print a similar one, change it, and
simulate it: `postroad senders postfix --toml > gateway.toml`, `postroad simulate example.org --sender gateway.toml`. Or
write only what differs from a known sender (`like`), or from a `procedure` (by default `rfc5321`). The keys are the
fields of `Sender` in `src/postroad/models/model.py`, which explains each; `"none"` removes a limit. The bounds of all
numbers are in one table, `src/postroad/models/bounds.py`; a number outside them is refused, and the error names the
limit.

```toml
# gateway.toml
like = "postfix"
title = "our gateway"
sources = ["its main.cf"]
unit = "host"                                   # host, address
equals = "given"                                # random, first-then-reversed, one-swap-pass, alphabetical, by-attempt
inside = "given"                                # given, random
families = "v4-first"                           # v6-first, in-turn, alike, v6-level, v6-pass, v4-only, v6-only
preference = "ascending"                        # ignored, descending
literals = "passed-over"                        # an MX that names an address: used, passed-over, failed
limits = { addresses = 3, sessions = "none" }   # hosts, later, family_share
waits = { connect_s = 10, greeting_s = 60 }     # and others, for senders that overlap contacts
refusals = ["g554"]                             # these count as "no, for good" when nobody is left to ask
exhausted = "last"                              # defer, all
keeps = ["r450"]                                # met anywhere, these keep the message all the same
memory = { modes = ["refuse"], for_s = 60 }
recipients = { alone = false, told = "at-once" }  # at-the-end, if-any-taken
refused = { null-mx = "deferred" }              # no-such-domain, no-address
retry = { intervals_s = [300, 600], then_s = 3600, expiry_s = 432000 }
sts = true                                      # enforces the MTA-STS policy of a domain
dane = false                                    # enforces DANE, behind a validating resolver

[reactions]            # by phase; a single mode stands for itself
connect = "next-address"        # next-host, defer, fail, accepted
greeting = "next-host"
starttls = "next-address"       # in-clear (the same session), reconnect-in-clear
not-now = "next-address"        # 4yz to RCPT, DATA or the final dot
no = "fail"                     # 550 to RCPT
proof = "next-address"          # TLS that proves less than `sts` or `dane` demands
g554 = "fail"
```

Several senders, and mixes, may stand in one file for `--senders`: tables `[senders.NAME]` with the same keys, which may
be `like` one another, and `[mixes.NAME]`, whose parts are percentages that sum to 100, or fractions that sum to 1.

```toml
[senders.gateway]
like = "postfix"
unit = "host"

[mixes.ours]
gateway = 75
exim = 25
```

## What is left out

- The first attempt of one message is exact. What depends on earlier messages (memory, connections kept, greylisting
  that lets mail in later, retries) is for the trials.
- `rotate`, `rotate-apart`, `random` and `cached` are what one sender sees over a long time. One name server turns all
  its sets in step, from message to message (`rotate`): two MX records of two addresses each have but two first
  addresses. Where others ask for parts of them, or several servers answer, each set turns by itself (`rotate-apart`).
  Within one TTL a cache gives one order: that is `fixed`, and whoever is first in it has all the mail of senders in DNS
  order. slimta keeps the MX set itself, so its share is that of one TTL.
- A forecast ends after one round. OpenSMTPD asks a failed address again once its rest is over, and with eight or more
  dead ones never ends; Courier begins again after a minute where nobody could be reached. Trials play that
  (`simulation/trials/rounds.py`). No outcome changes by it, only the number of contacts. OpenSMTPD has three silent
  contacts at a time; under `random` with more than eight addresses that limit is not counted, which changes waits only.
- Go's dialer (chasquid) tries both families of a host side by side; the model tries all of one, then all of the other,
  and keeps only the wait. dma under `random` draws its v6 and its v4 addresses apart.
- Where addresses come in more orders than can be gone through, a part of them stands for all, and the forecast says
  that it is sampled.
- An address is tried as it is; a sender's own address among the records is not looked at.
- `sts` and `dane` are what a sender does as its documentation or code has it; nobody measured it, and of many senders
  nobody says: then it is off. A server that is well is taken to prove all that is published for it. A sender that
  enforces MTA-STS passes over an exchanger that the policy does not list, without a contact; one that meets TLS which
  proves too little goes on to the next address. That a policy was kept from an earlier day is not looked at.
"""


def senders_page():
    """The whole text of senders.md."""
    senders = list(SENDERS.values())
    models = [each for each in senders if not each.ours]
    parts = [
        HEAD,
        OURS,
        "## Choice\n",
        _table(
            ("sender", "chooses", "among equals", "in a host", "families", "preference", "duplicates"), models, _choice
        ),
        REACTIONS,
        _table(("sender", *(mode.value for mode in _FAULTS), "nobody left"), models, _reactions),
        "\n## Limits, waits, questions\n",
        _table(
            (
                "sender",
                "limits",
                "silent address",
                "no greeting",
                "asks DNS",
                "null MX",
                "remembers",
                "keeps connections",
                "enforces",
            ),
            models,
            _limits,
        ),
        "\n## Sources\n",
        _table(("sender", "what it is", "known from"), senders, lambda each: (each.title, each.source)),
        "\n## Mixes\n",
        *[
            f"- `{name}`: {', '.join(f'{sender} {percent(part)}' for sender, part in mix.items())}"
            for name, mix in MIXES.items()
        ],
        INTERNET,
        OWN,
    ]
    return "\n".join(parts)


_FAULTS = [
    mode for mode in Mode if mode not in {Mode.ACCEPT, Mode.SLOW, Mode.TARPIT, Mode.NO_STARTTLS, Mode.TLS_MISMATCH}
]
_SIGNS = {
    "accepted": "+",
    "in-clear": "c",
    "reconnect-in-clear": "r",
    "next-address": "n",
    "next-host": "h",
    "defer": "d",
    "fail": "f",
}


def _table(heads, senders, cells):
    rows = [(f"`{each.name}`", *map(str, cells(each))) for each in senders]
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ("---",) * len(heads), *rows))


def _choice(each: Sender):
    duplicates = "passed over" if each.drops_duplicates else "tried again"
    return each.unit, each.equals, each.inside, each.families, each.preference, duplicates


def _reactions(each: Sender):
    no = ", ".join(sorted(each.refusals)) or "-"
    ending = {"defer": "deferred", "last": f"failed if the last said {no}", "all": f"failed if all said {no}"}
    kept = f", unless one said {', '.join(sorted(each.keeps))}" if each.keeps else ""
    return (*(_sign(each, mode) for mode in _FAULTS), ending[each.exhausted] + kept)


def _sign(each: Sender, mode: Mode):
    other = each.races.get(mode)
    return _SIGNS[each.after(mode)] + (f" or {_SIGNS[other]}" if other else "")


def _limits(each: Sender):
    limits = [
        counted(number, *nouns)
        for kind, nouns in {"addresses": ("address", "es"), "hosts": ("host",), "sessions": ("session",)}.items()
        if (number := getattr(each.limits, kind)) is not None
    ]
    null = {Result.DEFERRED: "deferred"}.get(each.refused.get("null-mx"), "failed")
    memory = f"{len(each.memory.modes)} faults for {each.memory.for_s:g} s" if each.memory.modes else "nothing"
    return (
        ", ".join(limits) or "none",
        _silence(each),
        _greeting(each),
        questions(each),
        null,
        memory,
        _reuse(each),
        enforced(each) or "-",
    )


def _greeting(each: Sender):
    return f"{each.waits.greeting_s:g} s"


def _silence(each: Sender):
    waits = each.waits
    if waits.per_host:
        return f"{waits.connect_s:g} s a host"
    if waits.overlap_s is not None:
        return f"next after {waits.overlap_s:g} s; {waits.connect_s:g} s in all"
    return f"{waits.connect_s:g} s"


def _reuse(each: Sender):
    reuse = each.reuse
    if reuse.messages == 1:
        return "no"
    limits = [f"{reuse.messages} messages" if reuse.messages else "", f"{reuse.for_s:g} s" if reuse.for_s else ""]
    return ", ".join(filter(None, [*limits, f"idle {reuse.idle_s:g} s", "while busy" if reuse.busy_only else ""]))


if __name__ == "__main__":
    PAGE.write_text(senders_page())
