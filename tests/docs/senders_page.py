"""The page of the senders: what `postroad.simulation.SENDERS` says, as tables, and how to write one's own."""

from pathlib import Path

from postroad.simulation import MIXES, SENDERS
from postroad.simulation.model import Sender
from postroad.words.faults import Mode
from postroad.words.outcome import Result

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "senders.md"
HEAD = """# Senders

What the simulation knows of each sender, written from its data by `python -m tests.docs.senders_page`; a test compares
them. Models marked "measured" are held against measurements of the real program: `make truth`.
"""

OURS = """
`postroad` has no model, and so no line in the tables but the last. It is asked: each order that `routing.draw` may give
is walked by `routing.Walk`, the code that delivers. Hosts that behave alike are counted, not listed.
"""

REACTIONS = """
## After a contact

By the faults of the lab: `n` the next address, `h` the next host, `e` the next of the same preference only, `d`
deferred, `f` failed, `c` the same once more without TLS, `+` delivered.
"""

INTERNET = """
`internet` is an assumption, not a measurement: nobody publishes which software sends how much mail. Half of it stands
for the large providers, who say nothing of their senders and are taken at the word of RFC 5321. Of the other half some
four fifths are divided as in a survey of servers that tell their name (Security Space, December 2023: Exim 56 %,
Postfix 38 %, sendmail 3 %), though it counts receiving machines and not messages; the rest are senders without a
shuffle.
"""

OWN = """## Senders and mixes of your own

`postroad simulate --senders FILE.toml` adds to those above. Say what differs from a sender that is known (`like`,
`rfc5321` unless you say another); all else stays. The keys are the fields of `Sender` in
`src/postroad/simulation/model.py`, where each is explained; `"none"` lifts a limit. The parts of a mix need not sum to
anything.

```toml
[senders.gateway]
like = "postfix"
title = "our gateway"
source = "its main.cf"
unit = "host"                                   # host, address
equals = "given"                                # random, given, one-swap-pass, alphabetical, by-attempt
inside = "given"                                # given, random
families = "v4-first"                           # v6-first, in-turn, alike, v6-level, v6-pass, v4-only, v6-only
preference = "ascending"                        # ignored, descending
limits = { addresses = 3, sessions = "none" }   # hosts, later, family_share
waits = { connect_s = 10 }                      # per_host, fallback_s, hurry_s, overlap_s, level_overlap_s, spacing_s
reactions = { r450 = "defer", g554 = "fail" }   # next-address, next-host, next-equal, in-clear, accepted
refusals = ["g554"]                             # these count as "no, for good" when nobody is left to ask
exhausted = "last"                              # defer, all
memory = { modes = ["refuse"], for_s = 60 }
refused = { null-mx = "deferred" }              # no-such-domain, no-address

[mixes.ours]
gateway = 3
exim = 1
```

## What is left out

- The first attempt of one message is exact. What depends on earlier messages (memory, connections kept, greylisting
  that lets mail in later, retries) is for the trials.
- `rotate`, `rotate-apart`, `random` and `cached` are what one sender sees over a long time. One name server turns all
  its sets in step, from message to message (`rotate`): two MX records of two addresses each have but two first
  addresses. Where others ask for parts of them, or several servers answer, each set turns by itself (`rotate-apart`).
  Within one TTL a cache gives one order: that is `fixed`, and whoever is first in it has all the mail of senders in DNS
  order. slimta keeps the MX set itself, so its share is that of one TTL.
- OpenSMTPD begins again at an address whose rest of 15 s is over, and with eight or more dead ones never ends; the
  model ends after one round. Go's dialer (chasquid) tries both families of a host side by side; the model tries all
  of one, then all of the other, and keeps only the wait. dma under `random` draws its v6 and its v4 addresses apart.
- Where addresses come in more orders than can be gone through, a part of them stands for all, and the forecast says
  that it is sampled.
- An address is tried as it is; a sender's own address among the records, and TLS policies, are not looked at.
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
            ("sender", "limits", "silent address", "asks DNS", "null MX", "remembers", "keeps connections"),
            models,
            _limits,
        ),
        "\n## Sources\n",
        _table(("sender", "what it is", "known from"), senders, lambda each: (each.title, each.source)),
        "\n## Mixes\n",
        *[
            f"- `{name}`: {', '.join(f'{sender} {float(part):.0%}' for sender, part in mix.items())}"
            for name, mix in MIXES.items()
        ],
        INTERNET,
        OWN,
    ]
    return "\n".join(parts)


_FAULTS = [mode for mode in Mode if mode not in {Mode.ACCEPT, Mode.SLOW, Mode.TARPIT, Mode.NO_STARTTLS}]
_SIGNS = {
    "accepted": "+",
    "in-clear": "c",
    "next-address": "n",
    "next-host": "h",
    "next-equal": "e",
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
    return (*(_SIGNS[each.after(mode)] for mode in _FAULTS), ending[each.exhausted])


def _limits(each: Sender):
    limits = [
        f"{number} {kind}"
        for kind in ("addresses", "hosts", "sessions")
        if (number := getattr(each.limits, kind)) is not None
    ]
    asks = each.asks
    times = f"{asks.mx} MX, {asks.a} A and {asks.aaaa} AAAA for {'every' if asks.eager else 'each tried'} exchanger"
    null = {Result.DEFERRED: "deferred"}.get(each.refused.get("null-mx"), "failed")
    memory = f"{len(each.memory.modes)} faults for {each.memory.for_s:g} s" if each.memory.modes else "nothing"
    return ", ".join(limits) or "none", _silence(each), times, null, memory, _reuse(each)


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
