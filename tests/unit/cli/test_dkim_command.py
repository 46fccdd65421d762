"""`postroad dkim`: keys and records, against several authoritative servers of which some lag."""

import asyncio
import json
import threading
from ipaddress import ip_address
from pathlib import Path

import pytest
from tests.support.examples import some
from tests.support.json_schema import wrong_with
from tests.support.signing import ed25519_pem, rsa_key, rsa_pem
from typer.testing import CliRunner

from postroad.build import load_keys
from postroad.cli.root import app
from postroad.dns import parse_zones
from postroad.examine import published as published_module
from postroad.lab.nameserver import DnsFault, Nameserver
from postroad.sign import KeyState, record_of, zone_text
from postroad.views.json.schema import schema

HEAD = """$ORIGIN example.com.
$TTL 300
@ SOA ns1 host 1 1 1 1 1
@ NS ns1
@ NS ns2
@ NS ns3
ns1 A 127.0.0.1
ns2 A 127.0.0.2
ns3 A 127.0.0.3
@ MX 10 mail
mail A 127.0.0.11
"""
SCHEMA = schema()


class Servers:
    """Three name servers of one zone, each with a copy of its own; the first is the resolver, too."""

    def __init__(self):
        self.all = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self):
        """Listen at three addresses, on one port."""
        self._thread.start()
        self._wait(self._begin())

    def stop(self):
        """Free them."""
        self._wait(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def publish(self, *records, at=(0, 1, 2)):
        """Give some of them a zone with these lines."""
        for place in at:
            self.all[place].zones = parse_zones({"zone": HEAD + "".join(f"{line}\n" for line in records)})

    async def _begin(self):
        port = 0
        for host in ("127.0.0.1", "127.0.0.2", "127.0.0.3"):
            server = Nameserver(parse_zones({"zone": HEAD}))
            await server.start(ip_address(host), port)
            port = server.endpoint.port
            self.all.append(server)
        self.port = port

    async def _end(self):
        for server in self.all:
            await server.stop()

    def _wait(self, work):
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


@pytest.fixture
def servers():
    """Three name servers."""
    three = Servers()
    three.start()
    yield three
    three.stop()


@pytest.fixture
def folder(tmp_path):
    """A folder with an active key."""
    (tmp_path / "keys").mkdir()
    put(tmp_path / "keys", "2025a", ed25519_pem())
    return tmp_path / "keys"


def put(folder, selector, octets):
    """A key file."""
    path = folder / "example.com" / f"{selector}.pem"
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_bytes(octets)


def line(folder, selector, change=lambda text: text):
    """The record of a key as a line of the zone."""
    [key] = [each for each in load_keys(folder) if each.selector == selector]
    return f"{selector}._domainkey TXT {zone_text(change(record_of(key)))}"


def run(folder, *words, servers=None):
    """The finished command."""
    where = ["--resolver", f"127.0.0.1:{servers.port}", "--dns-port", str(servers.port)] if servers else []
    return CliRunner().invoke(app, ["dkim", *map(str, words), "--keys", str(folder), *where])


def state(folder, selector):
    """What a key file says."""
    [key] = [each for each in load_keys(folder) if each.selector == selector]
    return key.not_before, key.not_after


def test_what_is_printed_can_be_pasted_into_the_zone(folder, tmp_path):
    """`record` prints a zone file: it is found right where it was pasted, strings of 255 octets and all."""
    put(folder, "2025b", rsa_pem(2048))
    zone = tmp_path / "zone"
    zone.write_text(HEAD + run(folder, "record", "example.com").stdout)
    done = run(folder, "check", "--zone", zone)
    assert 0 == done.exit_code
    assert 2 == done.stdout.count("the record is right at the zone files")
    assert '" "' in zone.read_text()
    [value] = run(folder, "record", "--selector", "2025b", "--format", "value").stdout.splitlines()
    assert f"2025b._domainkey.example.com {record_of(load_keys(folder)[1])}" == value


def test_a_new_key_and_what_comes_next(folder):
    """Its record, and the command that lets it sign; a key that is there is an error."""
    done = run(folder, "new", "example.com", "--selector", "next", "--type", "ed25519")
    assert (0, True) == (done.exit_code, "postroad dkim rotate example.com" in done.stdout)
    assert line(folder, "next").replace(" TXT", ".example.com. IN TXT") in done.stdout
    assert 2 == run(folder, "new", "example.com", "--selector", "next").exit_code


def test_all_is_well(folder, servers):
    """Every name server and the resolver have the record."""
    servers.publish(line(folder, "2025a"))
    done = run(folder, "check", "example.com", servers=servers)
    assert (0, True) == (done.exit_code, "right at 3 name servers and the resolver" in done.stdout)


CHANGES = {
    "revoked": lambda text: text.partition("p=")[0] + "p=",
    "form": lambda text: f"{text}; ;",
    "key-type": lambda text: text.replace("k=ed25519", "k=rsa"),
    "key": lambda text: text[:-5],
    "different": lambda text: text.replace("p=i", "p=j"),
    "testing": lambda text: f"{text}; t=y",
}


@pytest.mark.parametrize("kind", some([*CHANGES, "missing", "several-records"], 3))
def test_one_server_that_differs_is_found(folder, servers, kind):
    """The other two and the resolver are right: the one is named, with what is wrong there.

    Every third of them; all in a whole run.
    """
    good = line(folder, "2025a")
    bad = {"missing": [], "several-records": [good, '2025a._domainkey TXT "x"']}
    servers.publish(good)
    servers.publish(*bad.get(kind, [line(folder, "2025a", CHANGES.get(kind, str))]), at=[2])
    done = run(folder, "check", "--json", servers=servers)
    [key] = json.loads(done.stdout)["keys"]
    assert (1, "findings") == (done.exit_code, key["status"])
    found = {each["server"]: [fault["kind"] for fault in each["faults"]] for each in key["servers"]}
    assert {"ns1.example.com": [], "ns2.example.com": [], "ns3.example.com": [kind]} == found
    assert "ns3.example.com (127.0.0.3)" in run(folder, "check", servers=servers).stdout


def test_a_server_that_says_nothing_is_inconclusive(folder, servers):
    """It may have the record, so that is no finding; 3, as in each command."""
    servers.publish(line(folder, "2025a"))
    servers.all[1].troubles["2025a._domainkey.example.com", "*"] = DnsFault.SERVFAIL
    done = run(folder, "check", servers=servers)
    assert (3, True) == (done.exit_code, "inconclusive: 127.0.0.2" in done.stdout)


def test_a_server_that_is_not_there_is_inconclusive(folder):
    """Nobody to ask at all: 3."""
    done = CliRunner().invoke(app, ["dkim", "check", "--keys", str(folder), "--resolver", "127.0.0.1:9"])
    assert (3, True) == (done.exit_code, "cannot be looked up" in done.stdout)


def test_a_key_that_was_only_made_needs_no_record_yet(folder, servers):
    """Its record is missing everywhere, which is no finding; at one server with another key it is one."""
    put(folder, "2026a", b"Not-Before: never\n" + ed25519_pem(1))
    servers.publish(line(folder, "2025a"))
    assert 0 == run(folder, "check", servers=servers).exit_code
    servers.publish(line(folder, "2025a"), "2026a._domainkey TXT v=DKIM1", at=[1])
    assert 1 == run(folder, "check", servers=servers).exit_code


def test_an_alias_is_followed_to_its_own_servers(folder, servers):
    """The record is at a provider: its name servers are asked, not those of the zone with the alias."""
    alias = "2025a._domainkey CNAME key.provider.example."
    servers.publish(alias)
    record = line(folder, "2025a").removeprefix("2025a._domainkey")
    provider = f"$ORIGIN provider.example.\n@ SOA a a 1 1 1 1 1\n@ NS ns\nns A 127.0.0.1\nkey{record}\n"
    servers.all[0].zones = parse_zones({"zone": f"{HEAD}{alias}\n", "provider": provider})
    done = run(folder, "check", "--json", servers=servers)
    [key] = json.loads(done.stdout)["keys"]
    said = {each["server"] for each in key["servers"]}
    assert (0, {"ns1.example.com", "ns.provider.example"}) == (done.exit_code, said)  # ns1 has both zones


def test_a_rotation_waits_for_the_last_server(folder, servers):
    """Made, published at one, at two, at all three: only then is the moment written, in both files."""
    servers.publish(line(folder, "2025a"))
    first = run(folder, "rotate", "example.com", "--now", servers=servers)
    [new] = [key.selector for key in load_keys(folder) if key.selector != "2025a"]
    assert (3, True) == (first.exit_code, line(folder, new).split("TXT")[1] in first.stdout)
    for at in ([0], [0, 2]):
        servers.publish(line(folder, "2025a"), line(folder, new), at=at)
        again = run(folder, "rotate", "example.com", "--now", servers=servers)
        assert (3, True) == (again.exit_code, f"published at {len(at)} of 3 name servers" in again.stdout)
        assert "ns2.example.com (127.0.0.2): there is no TXT record" in again.stdout
    servers.publish(line(folder, "2025a"), line(folder, new))
    done = run(folder, "rotate", "example.com", "--now", servers=servers)
    assert 0 == done.exit_code
    assert state(folder, new)[0] == state(folder, "2025a")[1]
    assert "systemctl reload postroad" in done.stdout
    assert "The record 2025a._domainkey.example.com may be removed after" in done.stdout
    before = {path: path.read_bytes() for path in Path(folder).glob("*/*")}
    assert (0, done.stdout) == ((last := run(folder, "rotate", "example.com", servers=servers)).exit_code, last.stdout)
    assert before == {path: path.read_bytes() for path in Path(folder).glob("*/*")}


def test_a_rotation_that_waits_asks_again(folder, servers, monkeypatch):
    """The record comes while it waits; nobody has to call it again."""
    servers.publish(line(folder, "2025a"))
    slept = []

    async def sleep(seconds):
        slept.append(seconds)
        [new] = [key.selector for key in load_keys(folder) if key.selector != "2025a"]
        servers.publish(line(folder, "2025a"), line(folder, new), at=range(len(slept)))

    monkeypatch.setattr("postroad.cli.dkim.pause", sleep)
    done = run(folder, "rotate", "example.com", servers=servers)
    assert (0, [published_module.ROUND_S] * 3) == (done.exit_code, slept)


def test_a_rotation_gives_up_when_its_time_is_over(folder, servers, monkeypatch):
    """The key signs on, the new one waits, and the exit status says that it is to be called again."""

    async def sleep(seconds):
        pass

    monkeypatch.setattr("postroad.cli.dkim.pause", sleep)
    assert 3 == run(folder, "rotate", "example.com", "--wait", "1m", servers=servers).exit_code
    assert [KeyState.ACTIVE, KeyState.WAITING] == [key.state(2_000_000_000.0) for key in load_keys(folder)]


def test_a_first_key_signs_when_it_is_published(tmp_path, servers, monkeypatch):
    """`new`, then `rotate`: nobody signed, so it begins at once."""
    rsa = "cryptography.hazmat.primitives.asymmetric.rsa.generate_private_key"
    monkeypatch.setattr(rsa, lambda _exponent, bits: rsa_key(bits))
    assert 0 == run(tmp_path, "new", "example.com", "--selector", "s1").exit_code
    servers.publish(line(tmp_path, "s1"))
    done = run(tmp_path, "rotate", "example.com", servers=servers)
    assert (0, True) == (done.exit_code, "s1 (RSA 2048) of example.com: active" in done.stdout)


@pytest.mark.parametrize(
    "words", [["new", "example.net", "--type", "ed25519"], ["record"], ["check"], ["rotate", "example.com"]]
)
def test_json_is_what_the_schema_says(folder, servers, words):
    """Before and after a switch, with what is missing."""
    for _ in range(2):
        done = run(folder, *words, "--json", servers=servers if words[0] in ("check", "rotate") else None)
        assert [] == wrong_with(json.loads(done.stdout), SCHEMA["answers"][f"dkim {words[0]}"], SCHEMA["$defs"])
        servers.publish(*(line(folder, key.selector) for key in load_keys(folder) if key.domain == "example.com"))
