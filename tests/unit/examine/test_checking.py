"""From a domain to what is wrong with it: over the lab's nameserver and exchangers, from zones, from saved look-ups."""

import asyncio
import json
from dataclasses import replace

import pytest

from postroad.dns import load_zones, parse_zones
from postroad.examine import (
    CheckTerms,
    ProbeSettings,
    SourceOptions,
    Survey,
    build_sources,
    check_all,
    done_in,
    examine,
)
from postroad.lab import Lab, parse_fault
from postroad.rules import Need
from postroad.views.json import lookup_shape
from postroad.words.facts import Temporary
from postroad.words.inputs import InputError
from postroad.words.names import parse_address
from postroad.words.sessions import Reach

ZONE = """$ORIGIN example.com.
$TTL 3600
@ SOA ns1 host 42 1 1 1 1
@ NS ns1
@ MX 10 mail1
@ MX 10 mail2
@ TXT "v=spf1 mx -all"
ns1 A 127.0.0.1
mail1 A 127.0.0.11
mail2 A 127.0.0.12
"""
BROKEN = "$ORIGIN broken.example.\n@ MX 10 nowhere\n@ MX 20 192.0.2.1.\n"
A, B = parse_address("127.0.0.11"), parse_address("127.0.0.12")


def choice_of(lab, **more):
    """What a caller chooses to check the lab."""
    host, port = lab.resolver_address
    return SourceOptions(resolvers=[f"{host}:{port}"], port=lab.port, dns_port=port, **more)


def in_lab(work, zone=ZONE, faults=None):
    """The answer of `work(lab)`."""

    async def worked():
        chosen = {address: parse_fault(fault) for address, fault in (faults or {}).items()}
        async with Lab(parse_zones({"zone": zone}), faults=chosen) as lab:
            return await work(lab)

    return asyncio.run(worked())


async def collected(domains, sources, terms=None, **more):
    """Every result, in the order done."""
    return [result async for result in check_all(domains, sources, terms or CheckTerms(), **more)]


def test_live_evidence_has_everything_dns_can_tell():
    """Records, policies, sizes, what each authoritative server says, expected shares; and no connection is made."""

    async def work(lab):
        return await examine("example.com", build_sources(choice_of(lab))), lab.counts("connected")

    evidence, connected = in_lab(work)
    assert ("v=spf1 mx -all",) == evidence.texts.spf.records
    assert {"MX", "A", "AAAA"} == {each.kind for each in evidence.wire}
    assert [("ns1.example.com", 42)] == [(each.server, each.serial) for each in evidence.said]
    assert {0.5} == {share for shares in evidence.shares.values() for share in shares.values()}
    assert evidence.probes is None
    assert {0} == {connected[A], connected[B]}


def test_probes_see_what_dns_cannot():
    """With probes each exchanger is talked to once; one that is down is told apart from a closed port 25."""

    async def work(lab):
        sources = build_sources(choice_of(lab, smtp=True))
        quick = replace(sources.survey.settings, hostname="probe.example", connect_s=0.5)
        evidence = await examine("example.com", replace(sources, survey=Survey(quick)))
        return evidence, lab.counts("connected")

    evidence, connected = in_lab(work, faults={"127.0.0.12": "refuse"})
    assert [(True, False), (False, False)] == [
        (evidence.probes[each].ok, evidence.probes[each].ours) for each in (A, B)
    ]
    assert Reach(port_25=True) == evidence.reach
    assert 1 == connected[A]


def test_quick_looks_at_records_alone():
    """Without the thorough part only records, name servers and reverse names are asked for."""

    async def work(lab):
        return await examine("example.com", build_sources(choice_of(lab, quick=True)))

    evidence = in_lab(work)
    assert [None] * 4 == [evidence.texts, evidence.wire, evidence.said, evidence.shares]


def test_zone_files_give_file_and_line(tmp_path):
    """Offline a finding says on which line the record stands."""
    path = tmp_path / "broken.zone"
    path.write_text(BROKEN)
    sources = build_sources(SourceOptions(load_zones([path])))
    (result,) = asyncio.run(collected(sources.resolver.zone_data.domains, sources))
    assert "broken.example" == result.domain
    assert {f"{path}:2", f"{path}:3"} <= {finding.line for finding in result.findings}


def test_a_saved_lookup_is_checked_as_it_was(tmp_path):
    """What was saved is looked at, whatever DNS says by now; what was not saved is not asked for."""
    zone, path = tmp_path / "a.zone", tmp_path / "a.json"
    zone.write_text(ZONE)

    async def looked_up():
        return await examine("example.com", build_sources(SourceOptions(load_zones([zone]))))

    before = asyncio.run(looked_up()).snapshot
    path.write_text(json.dumps(lookup_shape(before)))
    sources = build_sources(SourceOptions(snapshots=[path], resolvers=["127.0.0.1:9"]))
    evidence = asyncio.run(examine("example.com", sources))
    assert before == evidence.snapshot
    assert evidence.texts is None
    with pytest.raises(InputError, match="not a look-up"):
        build_sources(SourceOptions(snapshots=[_text(tmp_path / "x.json", "{}")]))


def test_trouble_of_the_resolver_is_inconclusive():
    """A resolver that answers nothing makes no domain red."""
    sources = build_sources(SourceOptions(resolvers=["127.0.0.1:9"], quick=True))
    (result,) = asyncio.run(collected(["example.com"], sources))
    assert result.findings
    assert all(finding.inconclusive for finding in result.findings)


def test_domains_in_bulk_resolve_each_exchanger_once():
    """Twenty domains with one exchanger: its name is asked for once, and each domain has its result."""
    names = [f"d{number}.example" for number in range(20)]
    zone = "".join(f"{name}. MX 10 mail.example.com.\n" for name in names) + "mail.example.com. A 127.0.0.11\n"
    asked = []

    async def work(lab):
        lab.nameserver._tell = lambda event: asked.append((event.fields["name"], event.fields["kind"]))
        return await collected(names, build_sources(choice_of(lab, quick=True)), at_once=8)

    results = in_lab(work, zone)
    assert sorted(names) == sorted(result.domain for result in results)
    assert 1 == asked.count(("mail.example.com", "A"))


def test_probes_of_a_bulk_run_meet_each_address_once():
    """However many domains share an exchanger, it is connected to once."""
    names = [f"d{number}.example" for number in range(5)]
    zone = "".join(f"{name}. MX 10 mail.example.com.\n" for name in names) + "mail.example.com. A 127.0.0.11\n"

    async def work(lab):
        sources = build_sources(choice_of(lab, smtp=True, quick=True))
        sources = replace(sources, survey=Survey(ProbeSettings("probe.example", lab.port)))
        return await collected(names, sources), lab.counts("connected")

    results, connected = in_lab(work, zone)
    assert all(Need.PROBE in result.looked for result in results)
    assert {A: 1} == connected


def test_a_run_goes_on_where_another_ended(tmp_path):
    """Domains of whole lines are done; a line that was cut off is taken away, and its domain done again."""
    path = _text(tmp_path / "done.ndjson", '{"domain": "a.example"}\n{"domain": "b.exa')
    assert frozenset({"a.example"}) == done_in(path)
    assert '{"domain": "a.example"}\n' == path.read_text()
    assert frozenset() == done_in(tmp_path / "new.ndjson")
    with pytest.raises(InputError, match=r"x\.ndjson:1"):
        done_in(_text(tmp_path / "x.ndjson", "no\n"))


def test_who_stops_listening_stops_the_work():
    """Leaving after the first result leaves no task behind."""

    async def left():
        sources = build_sources(SourceOptions(resolvers=["127.0.0.1:9"], quick=True))
        results = check_all([f"d{number}.example" for number in range(50)], sources, CheckTerms(), at_once=4)
        async for _result in results:
            break
        await results.aclose()
        return len(asyncio.all_tasks())

    assert 1 == asyncio.run(left())


def test_a_zone_knows_no_other_names(tmp_path):
    """Names outside the zone files cannot be told offline."""
    zones = load_zones([_text(tmp_path / "a.zone", "example.com. MX 10 mail.elsewhere.example.\n")])
    assert isinstance(asyncio.run(zones.resolve("mail.elsewhere.example", "A")), Temporary)


def _text(path, text):
    path.write_text(text)
    return path
