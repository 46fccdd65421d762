"""Mail sent for real under DANE and MTA-STS, in the lab: `postroad send`, `route` and `tls`, and from Python."""

import asyncio
import json
import threading
from itertools import product

import pytest
from tests.support.examples import some
from typer.testing import CliRunner

import postroad
from postroad.build import documents, process_policies, resolver_at
from postroad.build.documents import MOST_INTERNETS
from postroad.cli.root import app
from postroad.dns import parse_zones
from postroad.lab.certificate import LEAF_KEY
from postroad.words.outcome import Phase, Result
from postroad.words.tls import TlsLevel

HEAD = "$TTL 60\n$ORIGIN example.com.\n@ SOA ns h 1 2 3 4 60\n"
HOSTS = "@ MX 10 mx1\n@ MX 20 mx2\nmx1 A 127.0.0.11\nmx2 A 127.0.0.12\n"
SECURE = f"{HEAD}@ DNSKEY 257 3 13 AAAA\n{HOSTS}"
STS = f'{HEAD}{HOSTS}mta-sts A 127.0.0.80\n_mta-sts TXT "v=STSv1; id=a1;"\n'
GOOD = {"127.0.0.11": "good", "127.0.0.12": "good"}
POLICY = "version: STSv1\nmode: enforce\nmx: mx2.example.com\nmax_age: 604800\n"


def tlsa(host, data=LEAF_KEY, kind="3 1 1"):
    """A TLSA record of a host."""
    return f"_25._tcp.{host} TLSA {kind} {data}\n"


OTHER = "00" * 32
MISMATCH = SECURE + tlsa("mx1", OTHER) + tlsa("mx2")


def options_for(lab, **more):
    """How to send in a lab."""
    host, port = lab.resolver
    return postroad.SendOptions(
        resolvers=[f"{host}:{port}"],
        port=lab.port,
        https_port=lab.https_port or 443,
        authorities=lab.authority,
        **more,
    )


@pytest.fixture(scope="module", autouse=True)
def application():
    """A loop that goes on, as in an application: streams say goodbye in it."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    send.loop = loop
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def send(lab, to="user@example.com", **more):
    """One message; its attempt."""
    message, options = "Subject: x\n\nhello\n", options_for(lab, **more)
    sending = postroad.send(message, sender="me@example.net", recipients=[to], options=options)
    return asyncio.run_coroutine_threadsafe(sending, send.loop).result(10.0).deliveries[0].attempt


def send_alone(lab):
    """The same from a program that begins and ends a loop for each message."""
    message, options = "Subject: x\n\nhello\n", options_for(lab)
    sending = postroad.send(message, sender="me@example.net", recipients=["user@example.com"], options=options)
    return asyncio.run(sending).deliveries[0].attempt


def command(lab, name, *arguments):
    """The same on the command line: its exit status, and what it prints."""
    host, port = lab.resolver
    there = ["--resolver", f"{host}:{port}"]
    if name != "route":
        there += ["--port", str(lab.port), "--authorities", str(lab.authority)]
        there += ["--https-port", str(lab.https_port)] if lab.https_port else []
    done = CliRunner().invoke(app, [name, *arguments, *there], input="Subject: x\n\nhello\n")
    return done.exit_code, done.stdout


def told(attempt):
    """Whom it asked, how that ended, where and why."""
    return [(each.target.exchange, each.word, each.phase) for each in attempt.contacts]


def test_certificate_that_does_not_match_its_record_leaves_the_mail_to_the_backup(postroad_lab):
    """T1: the trail says which record of which host, and how the backup proved itself."""
    lab = postroad_lab(MISMATCH, certificates=GOOD)
    attempt = send(lab)
    assert [
        ("mx1.example.com", "deferred", Phase.STARTTLS),
        ("mx2.example.com", "delivered", Phase.DOT),
    ] == told(attempt)
    first, second = attempt.contacts
    assert "TLSA 3 1 1 of mx1.example.com does not match its certificate" == first.host.text
    assert (TlsLevel.PROVEN, "TLSA 3 1 1 matches the certificate") == (second.proof.level, second.proof.how)
    assert ["127.0.0.12"] == [str(message.address) for message in lab.received]


def test_the_handshake_names_the_host_as_its_records_do(postroad_lab):
    """By the base domain of the TLSA records, which may have a certificate of its own; elsewhere the exchanger."""
    alias = "@ MX 10 www\nwww CNAME mx1\nmx1 A 127.0.0.11\n"
    named = []
    for zone in (f"{HEAD}@ DNSKEY 257 3 13 AAAA\n{alias}{tlsa('mx1')}", HEAD + alias):
        lab = postroad_lab(zone, certificates={"127.0.0.11": "good"})
        lab.lab.at("127.0.0.11").habits.tls.sni_callback = lambda _socket, name, _context: named.append(name)
        assert Result.DELIVERED is send(lab).outcomes[0].result
    assert ["mx1.example.com", "www.example.com"] == named


def test_mail_waits_where_no_certificate_matches(postroad_lab):
    """T1: deferred 4.7.5; nobody was told a recipient."""
    lab = postroad_lab(SECURE + tlsa("mx1", OTHER) + tlsa("mx2", OTHER), certificates=GOOD)
    (outcome,) = send(lab).outcomes
    assert (Result.DEFERRED, "4.7.5", 0) == (outcome.result, outcome.status, sum(lab.lab.counts("rcpt").values()))


@pytest.mark.parametrize(
    ("fault", "result", "status"),
    [({}, Result.DELIVERED, "2.0.0"), ({"127.0.0.11": "no-starttls"}, "deferred", "4.7.4")],
)
def test_records_that_cannot_be_used_ask_for_encryption_with_whoever_is_there(postroad_lab, fault, result, status):
    """T4: usage 0 means nothing to SMTP, but that TLS is meant."""
    zone = SECURE.replace("@ MX 20 mx2\n", "") + tlsa("mx1", OTHER, "0 0 1")
    lab = postroad_lab(zone, faults=fault, certificates={"127.0.0.11": "foreign"})
    (outcome,) = send(lab).outcomes
    assert (result, status) == (outcome.result, outcome.status)


def test_exchanger_that_a_policy_does_not_list_is_passed_over(postroad_lab):
    """T5: it is not even contacted; the policy came by HTTPS."""
    lab = postroad_lab(STS, certificates=GOOD, policies={"example.com": POLICY})
    attempt = send(lab)
    assert [("mx1.example.com", "deferred", Phase.POLICY), ("mx2.example.com", "delivered", Phase.DOT)] == told(attempt)
    assert "the MTA-STS policy does not list mx1.example.com" == attempt.contacts[0].host.text
    assert 0 == lab.lab.counts("connected")[attempt.contacts[0].target.address]


def test_list_is_cut_at_ourselves_before_the_policy_is_looked_at(postroad_lab):
    """T5: an exchanger worse than ourselves takes no mail, though it is the only one listed."""
    lab = postroad_lab(STS, certificates=GOOD, policies={"example.com": POLICY})
    attempt = send(lab, own=["mx2.example.com"])
    assert [("mx1.example.com", "deferred", Phase.POLICY)] == told(attempt)
    assert [] == lab.received


def test_policy_does_not_let_through_what_dane_refuses(postroad_lab):
    """T9 (RFC 8461 section 2)."""
    zone = STS.replace(HEAD, f"{HEAD}@ DNSKEY 257 3 13 AAAA\n") + tlsa("mx2", OTHER)
    lab = postroad_lab(zone, certificates=GOOD, policies={"example.com": POLICY})
    attempt = send(lab)
    assert [("mx1.example.com", "deferred", Phase.POLICY), ("mx2.example.com", "deferred", Phase.STARTTLS)] == told(
        attempt
    )


@pytest.mark.parametrize(
    ("mode", "expected", "level"),
    some(
        [
            ("auto", "mx2.example.com", TlsLevel.PROVEN),
            ("dane", "mx2.example.com", TlsLevel.PROVEN),
            ("dane-only", "mx2.example.com", TlsLevel.PROVEN),
            ("opportunistic", "mx1.example.com", TlsLevel.ENCRYPTED),
            ("encrypt", "mx1.example.com", TlsLevel.ENCRYPTED),
            ("verify", "mx1.example.com", TlsLevel.PROVEN),
            ("off", "mx1.example.com", TlsLevel.CLEAR),
        ],
        3,
    ),
)
def test_each_mode_asks_of_hosts_what_it_says(postroad_lab, mode, expected, level):
    """The first host has a good certificate, and a TLSA record that does not match it.

    Every third mode; all in a whole run.
    """
    last = send(postroad_lab(MISMATCH, certificates=GOOD), tls=mode).contacts[-1]
    assert (expected, level) == (last.target.exchange, last.proof.level)


@pytest.mark.parametrize(("mode", "tls"), [("off", False), ("encrypt", True), ("auto", True)])
def test_modes_count_for_an_address_literal_too(postroad_lab, mode, tls):
    """It has no policy and no TLSA records, but there is STARTTLS to be used or left alone."""
    attempt = send(postroad_lab(MISMATCH, certificates=GOOD), "user@[127.0.0.11]", tls=mode)
    assert (Result.DELIVERED, tls) == (attempt.outcomes[0].result, attempt.contacts[0].tls is not None)


def test_mode_that_there_is_not_is_told_with_those_there_are(postroad_lab):
    """On the command line and in Python."""
    lab = postroad_lab(MISMATCH)
    with pytest.raises(postroad.InputError, match="there is no TLS mode 'maybe'; choose one of auto, off"):
        send(lab, tls="maybe")
    for name, words in (
        ("send", ["--from", "<>", "--to", "u@example.com"]),
        ("route", ["u@example.com"]),
        ("tls", ["t1"]),
    ):
        assert 2 == command(lab, name, *words, "--tls", "maybe")[0], name


def test_send_shows_the_demand_and_its_proof(postroad_lab):
    """`--explain` has both; nothing else has to be said to use DANE."""
    lab = postroad_lab(MISMATCH, certificates=GOOD)
    status, text = command(lab, "send", "--from", "<>", "--to", "u@example.com", "--explain")
    assert 0 == status
    assert "TLS at mx1.example.com: its certificate must match a TLSA record (3 1 1) (mx1.example.com has TLSA" in text
    assert "(TLSA 3 1 1 matches the certificate)" in text


def test_route_shows_what_each_exchanger_has_to_prove(postroad_lab):
    """Without --explain too, where it is anything but the usual."""
    lab = postroad_lab(MISMATCH, certificates=GOOD)
    status, text = command(lab, "route", "example.com", "--allow-loopback")
    assert (0, 2) == (status, text.count("its certificate must match a TLSA record (3 1 1)"))
    _, shape = command(lab, "route", "example.com", "--allow-loopback", "--json")
    levels = json.loads(shape)["levels"]
    assert ["dane", "dane"] == [each["tls"]["by"] for level in levels for each in level["exchangers"]]
    _, text = command(lab, "route", "example.com", "--allow-loopback", "--tls", "opportunistic")
    assert "certificate" not in text


ANSWERS = [
    (SECURE + tlsa("mx1") + tlsa("mx2"), {}, 0, "example.com: mail goes, and every exchanger proves who it is"),
    (MISMATCH, {}, 1, "example.com: mail goes to mx2.example.com; mx1.example.com is passed over"),
    (STS, {"example.com": POLICY}, 1, "example.com: mail goes to mx2.example.com; mx1.example.com is passed over"),
    (HEAD + HOSTS, {}, 0, "example.com: mail goes encrypted; nothing proves who takes it"),
]
FORMS = {"text": "{}\n", "markdown": "**{}**\n", "html": "{}", "json": '"verdict": "goes'}


@pytest.mark.parametrize(("case", "form"), some(product(ANSWERS, FORMS), 5))
def test_tls_answers_in_its_first_line_and_by_its_exit_status(postroad_lab, case, form):
    """The same in JSON, Markdown and as a page. Every fifth of them; all in a whole run."""
    zone, policies, status, begins = case
    lab = postroad_lab(zone, certificates=GOOD, policies=policies)
    found, said = command(lab, "tls", "example.com", "--format", form)
    place = said.find(FORMS[form].format(begins))
    assert (status, True) == (found, place == 0 if form in ("text", "markdown") else place > 0)


def test_hosts_that_do_not_answer_leave_it_open(postroad_lab):
    """Exit status 3: nobody can say."""
    lab = postroad_lab(HEAD + HOSTS, faults={"127.0.0.11": "refuse", "127.0.0.12": "refuse"}, certificates=GOOD)
    status, text = command(lab, "tls", "example.com")
    assert (3, True) == (status, "no session with mx1.example.com and mx2.example.com" in text)


def test_policy_is_tried_out_before_it_is_published(postroad_lab, tmp_path):
    """From a file, in place of the one that is published."""
    file = tmp_path / "mta-sts.txt"
    file.write_text(POLICY.replace("mx2", "*"))
    lab = postroad_lab(STS, certificates=GOOD, policies={"example.com": POLICY})
    assert (1, 0) == (
        command(lab, "tls", "example.com")[0],
        command(lab, "tls", "example.com", "--policy", str(file))[0],
    )


UNUSABLE = [b"", b"version: STSv1\nmode: on\n", b"\xff\xfe", POLICY.replace("enforce", "x").encode()]


@pytest.mark.parametrize(("octets", "record"), some(product(UNUSABLE, ["", '_mta-sts TXT "v=STSv1; id=a1"\n']), 3))
def test_policy_that_cannot_be_used_is_a_usage_error_that_names_its_file(tmp_path, octets, record):
    """Whether the domain announces one or not, and the same as where `advise` reads it.

    Every third of them; all in a whole run.
    """
    file, zone = tmp_path / "mta-sts.txt", tmp_path / "example.zone"
    file.write_bytes(octets)
    zone.write_text(HEAD + HOSTS + record)
    runs = [["tls", "example.com", "--policy"], ["advise", "example.com", "--sts-policy"]]
    one, other = (CliRunner().invoke(app, [*words, str(file), "--zone", str(zone)]) for words in runs)
    assert (2, 2, one.stderr) == (one.exit_code, other.exit_code, other.stderr)
    assert one.stderr.startswith(f"postroad: {file} ")


def test_record_that_cannot_be_used_is_a_finding_told_once(tmp_path):
    """As a policy that cannot be used is."""
    zone = tmp_path / "example.zone"
    zone.write_text(HEAD + HOSTS + '_mta-sts TXT "v=STSv1; id=no-id;"\n')
    done = CliRunner().invoke(app, ["tls", "example.com", "--zone", str(zone)])
    assert 1 == done.exit_code
    lines = [line for line in done.stdout.splitlines() if "MTA-STS" in line]
    assert len(lines) == len({line.rpartition(": ")[2] for line in lines}), lines


def test_routes_of_the_settings_count(postroad_lab, tmp_path):
    """`--config` says what TLS has to do, domain by domain; a smarthost is looked at in place of the domain."""
    lab = postroad_lab(MISMATCH, certificates=GOOD)
    file = tmp_path / "postroad.toml"
    file.write_text('[[route]]\ndomains = ["example.com"]\ntls = "opportunistic"\n')
    status, text = command(lab, "tls", "example.com", "--config", str(file))
    assert (0, "example.com: mail goes encrypted; nothing proves who takes it") == (status, text.splitlines()[0])
    assert "certificate must" not in command(lab, "route", "example.com", "--allow-loopback", "--config", str(file))[1]


@pytest.fixture
def fetches(monkeypatch):
    """The hosts that were asked for a policy."""
    asked = []

    async def fetch(resolver, host, path, settings):
        asked.append(host)
        return await real(resolver, host, path, settings)

    real = documents.fetch
    monkeypatch.setattr(documents, "fetch", fetch)
    return asked


def test_policy_is_fetched_once_for_all_messages_of_a_program(postroad_lab, fetches):
    """Over one loop or one for each message; DNS is asked for its id each time."""
    lab = postroad_lab(STS, certificates=GOOD, policies={"example.com": POLICY})
    attempts = [send(lab) for _ in range(3)] + [send_alone(lab) for _ in range(2)]
    assert {"mx2.example.com"} == {each.contacts[-1].target.exchange for each in attempts}
    assert ["mta-sts.example.com"] == fetches


def test_enforced_policy_stays_enforced_while_its_web_server_is_away(postroad_lab, fetches):
    """RFC 8461 section 3.3: also where the record names another id, or is gone; for as long as the program runs."""
    lab = postroad_lab(STS, certificates=GOOD, policies={"example.com": POLICY})
    send(lab)
    lab.lab.web.policies.clear()
    for zone in (STS, STS.replace("id=a1", "id=a2"), HEAD + HOSTS):
        lab.lab.nameserver.zones = parse_zones({"zone": zone})
        for attempt in (send(lab), send_alone(lab)):
            assert [Phase.POLICY, Phase.DOT] == [each.phase for each in attempt.contacts]
    # The new id is asked for once, and five minutes later again; a loop that is new has not heard of that
    assert ["mta-sts.example.com"] * 3 == fetches


def test_policies_of_another_internet_are_others(postroad_lab, fetches):
    """Who asks other name servers, or trusts other authorities, has not seen them."""
    for _ in range(2):
        send(postroad_lab(STS, certificates=GOOD, policies={"example.com": POLICY}))
    assert ["mta-sts.example.com"] * 2 == fetches


def test_what_a_program_keeps_has_bounds():
    """Each set of name servers has its policies; those unused for longest are forgotten."""

    async def story():
        kept = [process_policies(resolver_at("127.0.0.1", 53), [str(number)]) for number in range(MOST_INTERNETS + 1)]
        first, last = (process_policies(resolver_at("127.0.0.1", 53), [str(number)]) for number in (0, MOST_INTERNETS))
        return kept[0] is first, kept[-1] is last

    assert (False, True) == asyncio.run(story())
