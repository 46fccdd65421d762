"""What a domain publishes of TLS, asked for by the commands that forecast: over the lab's DNS and its web server."""

import json

import pytest
from typer.testing import CliRunner

import postroad
from postroad.cli.root import app
from postroad.lab.certificate import LEAF_KEY

HEAD = "$TTL 60\n$ORIGIN example.com.\n@ SOA ns h 1 2 3 4 60\n"
HOSTS = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 127.0.0.11\nmx2 A 127.0.0.12\n"
STS = 'mta-sts A 127.0.0.80\n_mta-sts TXT "v=STSv1; id=a1;"\n'
TLSA = f"@ DNSKEY 257 3 13 AAAA\n_25._tcp.mx1 TLSA 3 1 1 {LEAF_KEY}\n"
TWO = ("--sender", "exchange-online", "--sender", "postfix")
"""One that asks for policies, and one that does not."""

POLICY = "version: STSv1\nmode: enforce\nmx: mx1.example.com\nmax_age: 604800\n"


def command(lab, name, *arguments):
    """A command that asks what the lab's domain publishes: its exit status, and what it prints."""
    host, port = lab.resolver
    there = ["--resolver", f"{host}:{port}", "--allow-loopback", "--authorities", str(lab.authority)]
    there += ["--https-port", str(lab.https_port)] if lab.https_port else []
    done = CliRunner().invoke(app, [name, *arguments, *TWO, "--published", *there])
    return done.exit_code, done.stdout + done.stderr


def options_for(lab):
    """The same in Python."""
    host, port = lab.resolver
    return postroad.SimulateOptions(
        resolvers=[f"{host}:{port}"],
        senders=["exchange-online", "postfix"],
        allow_loopback=True,
        published=True,
        authorities=lab.authority,
        https_port=lab.https_port or 443,
    )


def test_policy_and_records_are_those_published_now(postroad_lab):
    """By HTTPS and by DNS: one sender passes the exchanger over that the policy leaves out."""
    lab = postroad_lab(HEAD + HOSTS + STS + TLSA, policies={"example.com": POLICY})
    status, text = command(lab, "simulate", "example.com", "--json")
    tls = json.loads(text)["tls"]
    assert 0 == status
    assert ("enforce", ["mx1.example.com"]) == (tls["sts"]["mode"], tls["tlsa"])
    assert [("mx2.example.com", "unlisted")] == [(each["exchange"], each["cause"]) for each in tls["refusals"]]
    assert set(postroad.simulate("example.com", options=options_for(lab)).forecasts) == {"exchange-online", "postfix"}


def test_sets_are_compared_by_what_is_published_for_each(postroad_lab, tmp_path):
    """The domain in DNS has its policy; a zone file and a reference set-up beside it have none."""
    lab = postroad_lab(HEAD + HOSTS + STS, policies={"example.com": POLICY})
    planned = tmp_path / "planned.zone"
    planned.write_text(HEAD + HOSTS)
    status, text = command(lab, "compare", "example.com", str(planned), "Single", "--json")
    assert (0, ["enforce", None, None]) == (
        status,
        [each["tls"] and each["tls"]["sts"]["mode"] for each in json.loads(text)["sets"]],
    )


@pytest.mark.parametrize(
    ("zone", "policies", "expected"),
    [
        (HOSTS + STS, {}, "example.com announces an MTA-STS policy, but https://mta-sts.example.com/.well-known/"),
        (HOSTS + STS, {"example.com": "mode: enforce\n"}, "is not a valid policy"),
        (HOSTS + STS.replace("127.0.0.80", "127.0.0.81"), {}, "give it with --sts-policy"),
    ],
)
def test_policy_that_is_announced_and_cannot_be_had_is_told(postroad_lab, zone, policies, expected):
    """A forecast as without one would be wrong tomorrow: exit status 3, and what to give instead."""
    lab = postroad_lab(HEAD + zone, policies=policies)
    status, text = command(lab, "simulate", "example.com")
    assert (3, True) == (status, expected in " ".join(text.split()))


def test_domain_that_publishes_nothing_is_forecast_as_ever(postroad_lab):
    """No record and no TLSA: there is nothing to tell."""
    lab = postroad_lab(HEAD + HOSTS)
    status, text = command(lab, "simulate", "example.com", "--json")
    assert (0, None) == (status, json.loads(text)["tls"])


def test_record_that_cannot_be_used_announces_nothing(postroad_lab):
    """RFC 8461 section 3.1: then senders assume that there is no policy."""
    lab = postroad_lab(HEAD + HOSTS + '_mta-sts TXT "v=STSv1; id=a b;"\n')
    status, text = command(lab, "simulate", "example.com", "--json")
    assert (0, None) == (status, json.loads(text)["tls"])


def test_authorities_that_cannot_be_read_are_an_error(postroad_lab, tmp_path):
    """Before anything is asked."""
    lab = postroad_lab(HEAD + HOSTS)
    host, port = lab.resolver
    asked = [
        "simulate", "example.com", "--published", "--resolver", f"{host}:{port}",
        "--authorities", str(tmp_path / "none.pem"),
    ]  # fmt: skip
    done = CliRunner().invoke(app, asked)
    assert (2, True) == (done.exit_code, "choose a PEM file" in " ".join(done.stderr.split()))


def test_advice_goes_by_what_is_published(postroad_lab, tmp_path):
    """An exchanger that the policy leaves out is to be listed; the same from a file, and in Python."""
    lab = postroad_lab(HEAD + HOSTS + STS, policies={"example.com": POLICY})
    file = tmp_path / "mta-sts.txt"
    file.write_text(POLICY)
    zone = tmp_path / "example.com.zone"
    zone.write_text(HEAD + HOSTS)
    status, text = command(lab, "advise", "example.com", "--json")
    of_file = CliRunner().invoke(
        app, ["advise", str(zone), *TWO, "--sts-policy", str(file), "--allow-loopback", "--json"]
    )
    lines = [["mx: mx2.example.com"]] * 2
    assert (1, 1, lines) == (
        status, of_file.exit_code, [json.loads(each)["policy_lines"] for each in (text, of_file.stdout)],
    )  # fmt: skip
    assert ("mx2.example.com",) == postroad.advise("example.com", options=options_for(lab)).listed


def test_zone_file_of_a_signed_domain_is_advised_by_its_tlsa_records(tmp_path):
    """What would be new beside them is to have some first."""
    zone = tmp_path / "example.com.zone"
    zone.write_text(f"{HEAD}@ DNSKEY 257 3 13 AAAA\n@ MX 10 mx1\nmx1 A 192.0.2.11\nmx1 A 192.0.2.12\n{TLSA}")
    done = CliRunner().invoke(app, ["advise", str(zone), "--allow", "split", *TWO])
    assert "mx1.example.com has TLSA records, mx2.example.com has none: publish them first" in " ".join(
        done.stdout.split()
    )


@pytest.mark.parametrize("sets", [("t1", "t2"), ("FILE", "t2")])
def test_zones_alone_publish_nothing_and_are_told_so(tmp_path, sets):
    """By `compare` as by the others; what was given is not asked for again."""
    (tmp_path / "a.zone").write_text(HEAD + HOSTS)
    (tmp_path / "p.txt").write_text("version: STSv1\nmode: testing\nmx: a.example\nmax_age: 604800\n")
    names = [str(tmp_path / "a.zone") if each == "FILE" else each for each in sets]
    bare = CliRunner().invoke(app, ["compare", *names, "--published"])
    given = CliRunner().invoke(app, ["compare", *names, "--published", "--sts-policy", str(tmp_path / "p.txt")])
    advice = "zone files publish nothing: give the MTA-STS policy with --sts-policy, and leave --published out"
    assert (2, f"postroad: {advice}\n") == (bare.exit_code, bare.stderr)
    assert (2, "postroad: zone files publish nothing: leave --published out\n") == (given.exit_code, given.stderr)
