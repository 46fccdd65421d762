"""What `import postroad` gives a programmer who asks: route, lookup, check, simulate, compare, advise, senders.

Each imports what it needs when it is called: who imports a name pays for no other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from postroad.words.bounds import check as check_bounds
from postroad.words.bounds import count, require, require_all, require_given, require_kinds, require_lists
from postroad.words.inputs import InputError

if TYPE_CHECKING:
    from postroad.build import RecordTerms, Routed, Subject
    from postroad.dns import Resolver
    from postroad.models import Sender
    from postroad.planning import Advice, Comparison, Conditions, Records
    from postroad.rules import Checked
    from postroad.simulation import Forecast, Range
    from postroad.simulation.trials import TrialOptions, Trials
    from postroad.words.faults import Mode
    from postroad.words.names import Address
    from postroad.words.snapshot import Snapshot

MOST_SEED = 2**64
_PORT = count(65_535, needed=True)


def route(  # noqa: PLR0913  # named, and a call gives but one or two of them
    domain: str | Path,
    *,
    zones: Sequence[str | Path] = (),
    resolvers: Sequence[str] = (),
    procedure: str = "rfc5321",
    seed: int | None = None,
    own: Sequence[str] = (),
    allow_loopback: bool = False,
    tls: str = "auto",
) -> Routed:
    """Where mail for a domain, a mailbox or an address literal goes (RFC 5321 section 5.1).

    `zones` are RFC 1035 files that answer in place of DNS; `resolvers` are name servers as `ADDRESS[:PORT]`; `own` are
    names and addresses of this host. With `allow_loopback` a loopback address counts as any other. `tls` is what a
    connection has to be, as in `SendOptions`; each exchanger of the answer has its demand. The answer has the route or
    refusal, exact odds, and one order drawn with `seed`. Blocks while DNS is asked.

        >>> routed = route("example.com", zones=["docs/examples/example.com.zone"], seed=1)
        >>> [str(target) for target in routed.plan.targets][0]
        'mail1.example.com [192.0.2.11]'

    Raises:
        InputError: the domain, a zone file, a server or the procedure cannot be used.

    """
    require_all("own", own, str)
    require_all("allow_loopback", [allow_loopback], bool)
    check_bounds(_Seed(seed), {"seed": count(MOST_SEED, 0)})
    from postroad.build import Mailer, build_override, build_own, build_policy, policies_of, run_to_end

    subject = _subject(domain, zones)
    resolver, override = _resolver(subject, resolvers), build_override(tls)
    mailer = Mailer(
        resolver,
        build_policy(procedure, allow_loopback=allow_loopback),
        build_own(own),
        override_of=lambda _route: override,
        policies=policies_of(resolver, allow_loopback=allow_loopback),
    )
    return run_to_end(lambda: mailer.route(subject.destination, seed))


def lookup(domain: str | Path, *, zones: Sequence[str | Path] = (), resolvers: Sequence[str] = ()) -> Snapshot:
    """All that DNS says of a domain's mail: MX, addresses, name servers, reverse names. Blocks while DNS is asked.

        >>> lookup("example.com", zones=["docs/examples/example.com.zone"]).mx.records[0]
        Mx(preference=10, exchange='mail1.example.com')

    Raises:
        InputError: the domain, a zone file or a server cannot be used.

    """
    from postroad.build import Mailer, run_to_end

    subject = _subject(domain, zones)
    mailer = Mailer(_resolver(subject, resolvers))
    return run_to_end(lambda: mailer.lookup(subject.destination))


def check(
    domain: str | Path, *, zones: Sequence[str | Path] = (), resolvers: Sequence[str] = (), smtp: bool = False
) -> Checked:
    """What will lose or delay a domain's mail: findings, each with its severity and the zone lines that fix it.

    `zones` are files that answer in place of DNS; with `smtp` each exchanger is talked to once. Blocks meanwhile.

    Raises:
        InputError: the domain, a zone file or a server cannot be used.

    """
    from postroad.build import run_to_end
    from postroad.examine import CheckTerms, SourceOptions, build_sources, check_one

    subject = _subject(domain, zones)
    choice = SourceOptions(subject.loaded, resolvers=resolvers, smtp=smtp)
    return run_to_end(lambda: check_one(subject.destination, build_sources(choice), CheckTerms()))


@dataclass(frozen=True, slots=True)
class _Seed:
    seed: int | None


@dataclass(frozen=True, slots=True)
class Simulation:
    """The result of `simulate`: what each sender does with a domain's records.

    `forecasts` are by sender and exact for the first attempt of one message; `trials` by sender, if any were asked for.
    `first` and `delivered` are figures of the mix, over all plausible weights of its senders: the part of first
    contacts that an address gets, and the part of mail that gets through in the first attempt.
    """

    snapshot: Snapshot
    forecasts: Mapping[str, Forecast]
    first: Mapping[Address, Range]
    delivered: Range
    trials: Mapping[str, Trials]


@dataclass(frozen=True, slots=True)
class SimulateOptions:
    """The options of `simulate`: which senders are asked, and under which conditions.

    `zones` are files that answer in place of DNS, `resolvers` name servers as `ADDRESS[:PORT]`. `senders` are names
    (`postroad.senders()` has them), `mix` is a mix by name; neither: the mix "internet" and Postroad.
    `senders_file` adds some of your own. `dns_order` is fixed, rotate, rotate-apart, random or cached.
    `sts_policy` is a file with the MTA-STS policy of the domain; with `published` it is asked for the one it has, and
    for TLSA records; `authorities` is a PEM file of those to trust with that, and another `https_port` than 443 is for
    tests. With `allow_loopback` a loopback address counts as any other, as on the command line.
    """

    zones: Sequence[str | Path] = ()
    resolvers: Sequence[str] = ()
    senders: Sequence[str] = ()
    mix: str | None = None
    senders_file: str | Path | None = None
    dns_order: str = "fixed"
    allow_loopback: bool = False
    sts_policy: str | Path | None = None
    published: bool = False
    authorities: str | Path | None = None
    https_port: int = 443

    def __post_init__(self) -> None:
        require_lists(self, zones=(str, Path), resolvers=(str,), senders=(str,))
        require_kinds(self, mix=(str,), senders_file=(str, Path), sts_policy=(str, Path), authorities=(str, Path))
        require_given(self, dns_order=(str,), allow_loopback=(bool,), published=(bool,))
        check_bounds(self, {"https_port": _PORT})


def simulate(
    domain: str | Path,
    *,
    options: SimulateOptions | None = None,
    down: Sequence[str] = (),
    trials: TrialOptions | None = None,
    seed: int = 1,
) -> Simulation:
    """What share of the mail each server gets, how much gets through, and after how long, by sender.

    `domain` may be a zone file, or a named set-up as t1. `down` are servers as `SERVER[:MODE]`. With `trials` messages
    are followed over all attempts: bursts, greylisting, timed outages, timetables of retries. Blocks while DNS is
    asked; nothing is sent.

        >>> postfix = SimulateOptions(senders=["postfix"])
        >>> found = simulate("t5", options=postfix, down=["a:blackhole"]).forecasts["postfix"]
        >>> found.delay_mean_s, [float(share) for share in found.first.values()]
        (30.0, [1.0])
        >>> str(next(iter(simulate("t1").first.values())))
        '50 to 63 %'

    A burst of Postfix with its connection cache, of which a single one may give nearly all to one of two equals; and
    five minutes of greylisting for a sender that tries again as Gmail does:

        >>> from postroad.simulation.trials import Pulse, TrialOptions
        >>> burst = TrialOptions(burst=Pulse(300, over_s=1.4), session_s=0.015)
        >>> cached = simulate("t1", options=SimulateOptions(senders=["postfix-reuse"]), trials=burst)
        >>> [high - low > 0.5 for low, high in cached.trials["postfix-reuse"].single.values()]
        [True, True]
        >>> greylisted = TrialOptions(messages=1000, greylist_s=300, retries="gmail")
        >>> round(simulate("t1", options=postfix, trials=greylisted).trials["postfix"].tries.value)
        4

    Raises:
        InputError: the domain, a zone file, a sender or a server cannot be used, or DNS cannot tell the records now.

    """
    from postroad.build import covered_by, down_of
    from postroad.planning import EXAMPLES

    chosen = _chosen(options)
    if trials is not None:
        from postroad.simulation.trials import TrialOptions

        require("trials", trials, TrialOptions)
    require_all("down", down, str)
    check_bounds(_Seed(seed), {"seed": count(MOST_SEED, 0, needed=True)})
    records = covered_by(down, _records(domain, chosen))
    snapshot, view = records.snapshot, _view(chosen, down_of(down, records))
    tried = _tried(trials, snapshot, view, seed) if trials else {}
    whole = view.look(records, examples=EXAMPLES)
    return Simulation(
        snapshot,
        whole.by,
        {address: view.mix.range(whole.first_by(address)) for address in whole.mix.first},
        view.mix.range(whole.delivered_by),
        tried,
    )


def _tried(asked: TrialOptions, snapshot: Snapshot, view: Conditions, seed: int) -> Mapping[str, Trials]:
    from postroad.simulation.trials import run

    try:
        trials = {
            name: asked.trial(snapshot, each, view.dns_order, view.down) for name, each in view.mix.senders.items()
        }
    except ValueError as wrong:
        raise InputError(str(wrong)) from wrong
    return {name: run(trial, seed) for name, trial in trials.items()}


def compare(*sets: str | Path, options: SimulateOptions | None = None) -> Comparison:
    """Sets of records side by side: lines that change, what that means for senders, and a verdict for each goal.

    Each of `sets` is a zone file, a named set-up or a domain, and is compared with the first.

        >>> for verdict in compare("t2", "t1").verdicts:
        ...     if not verdict.is_even:
        ...         print(verdict.goal, *verdict.best)
        balance t1
        DNS cost t2
        simplicity t2

    Raises:
        InputError: there are fewer than two sets, or one of them or a sender cannot be used.

    """
    from postroad.planning import compare as compared
    from postroad.planning import measure

    if len(sets) < 2:
        raise InputError("give two or more sets of records, one by one: compare('now.zone', 'planned.zone')")
    chosen = _chosen(options)
    view = _view(chosen, {})
    records = [_records(each, chosen) for each in sets]  # all of them first: a slip in the last is told at once
    return compared([measure(str(name), each, view) for name, each in zip(sets, records, strict=True)])


def advise(
    domain: str | Path, *, options: SimulateOptions | None = None, use_backups: bool = False, split: bool = False
) -> Advice:
    """The smallest change of a domain's records that reaches the goals, proven by simulation.

    `domain` may be a zone file, or a named set-up. With `use_backups` backups may take a part of the load, with
    `split` machines that share a name may get names of their own. `troubles` are what `check` finds and the change
    leaves; `is_sane` says that there is nothing to change and nothing to fix.

        >>> advice = advise("t2", split=True)
        >>> for line in advice.new:
        ...     print(line)
        example.com. 300 IN MX 10 mail2.example.com.
        mail2.example.com. 300 IN A 192.0.2.12

    Raises:
        InputError: the domain, a zone file or a sender cannot be used, or DNS cannot tell the records now.

    """
    from postroad.build import run_to_end
    from postroad.examine import checker, records_evidence, taken_names
    from postroad.planning import Allowed, Records
    from postroad.planning import advise as advised

    chosen = _chosen(options)
    subject = _subject(domain, chosen.zones)
    evidence = run_to_end(lambda: records_evidence(subject, chosen.resolvers, _terms(chosen)))
    records = Records.of(evidence.snapshot)
    asked = ((Allowed.BACKUPS, use_backups), (Allowed.SPLIT, split))
    allowed = frozenset(each for each, is_allowed in asked if is_allowed)
    taken = run_to_end(lambda: taken_names(records, subject.resolver(chosen.resolvers), allowed))
    return advised(records, _view(chosen, {}), checker(evidence), allowed, taken)


def senders(*names: str | Path, senders_file: str | Path | None = None) -> Mapping[str, Sender]:
    """The senders that can be simulated, by name, each with what it does and where that is known from.

    `names` are those of known senders, or files of your own that end in `.toml`; none: all that are known.
    `senders_file` adds some of your own, as in `SimulateOptions`.

        >>> postfix = senders()["postfix"]
        >>> postfix.title, postfix.kind.value, postfix.limits.addresses
        ('Postfix without cached connections', 'measured', 5)
        >>> [name for name, sender in senders().items() if sender.families == "v6-only"]
        ['ipv6-only']

    Raises:
        InputError: there is no such sender, or a file cannot be used.

    """
    require_all("names", names, str, Path)
    require("senders_file", senders_file, str, Path)
    from postroad.build import senders_of

    return senders_of([str(name) for name in names], Path(senders_file) if senders_file else None)


def _subject(domain: str | Path, zones: Sequence[str | Path]) -> Subject:
    require_all("domain", [domain], str, Path)
    require_all("zones", zones, str, Path)
    from postroad.build import subject_of

    return subject_of(str(domain), zones=zones)


def _resolver(subject: Subject, resolvers: Sequence[str]) -> Resolver:
    require_all("resolvers", resolvers, str)
    return subject.resolver(resolvers)


def _chosen(options: SimulateOptions | None) -> SimulateOptions:
    require("options", options, SimulateOptions)
    return options or SimulateOptions()


def _records(what: str | Path, chosen: SimulateOptions) -> Records:
    from postroad.build import records_of, run_to_end

    subject = _subject(what, chosen.zones)
    return run_to_end(lambda: records_of(subject, chosen.resolvers, _terms(chosen)))


def _terms(chosen: SimulateOptions) -> RecordTerms:
    from postroad.build import RecordTerms

    policy, authorities = (Path(each) if each else None for each in (chosen.sts_policy, chosen.authorities))
    return RecordTerms(chosen.allow_loopback, policy, chosen.published, authorities, chosen.https_port)


def _view(chosen: SimulateOptions, down: dict[Address, Mode]) -> Conditions:
    from postroad.build import view_of

    file = Path(chosen.senders_file) if chosen.senders_file else None
    return view_of(chosen.senders, chosen.mix, file, chosen.dns_order, down)
