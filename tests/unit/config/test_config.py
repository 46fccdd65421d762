"""One file of settings: defaults for all, sentences for what is wrong."""

import os
from contextlib import suppress
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from tests.support.examples import some

from postroad.config import (
    USUAL_FILE,
    Config,
    RetryTable,
    SettingsFile,
    brief_of,
    dump,
    find,
    load,
    load_brief,
    read,
    survey,
    toml,
    unset,
)
from postroad.config.problems import section_in
from postroad.config.values import SPOOL
from postroad.deliver import DeliverSettings, LoopSettings, ReusePolicy
from postroad.pace import RetrySchedule
from postroad.receive.settings import ListenSettings, ReceiveLimits, ReceiveSettings, ReceiveTimeouts, Tls
from postroad.routing import PROCEDURES, StaticHost, WalkPolicy, by_domain, pick
from postroad.words.inputs import InputError

FILE = Path("/etc/p.toml")


def test_nothing_needs_to_be_set(monkeypatch):
    """An empty file is a relay for this machine: port 25 of loopback, nobody else."""
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    config = read("", FILE)
    assert Config() == config
    assert [("127.0.0.1", 25, "none")] == [(str(port.address), port.port, port.tls) for port in config.listen]
    assert (Path("/var/spool/postroad"), ()) == (config.spool.path, config.route)


def test_systemd_may_say_where_the_spool_is(monkeypatch):
    """StateDirectory= of the unit is the spool, where the file does not name one."""
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/postroad:/var/lib/other")
    assert Path("/var/lib/postroad") == Config().spool.path


OWN, PORT = Path("/home/ann/.local/state/postroad"), 2525
PLACES = [  # root, who may write the spool of the machine, whether that is there, a relay of their own runs, one begins
    ((True, False, False, False, True), None),
    ((False, True, True, True, True), None),
    ((False, False, False, False, False), (OWN, PORT)),
    ((False, False, False, False, True), (OWN, PORT)),
    ((False, False, True, False, False), None),
    ((False, False, True, True, False), (OWN, PORT)),
    ((False, False, True, False, True), (OWN, PORT)),
]


@pytest.mark.parametrize(("facts", "expected"), PLACES)
def test_a_plain_user_has_a_relay_of_their_own(monkeypatch, tmp_path, facts, expected):
    """Its spool and port are found by sendmail and queue too; mail goes where a relay takes it, if there are two."""
    is_root, may_write, is_there, runs, begins = facts
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME", "POSTROAD_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setattr("postroad.config.finding.USUAL_FILE", tmp_path / "none")
    monkeypatch.setattr(unset, "SPOOL", tmp_path if is_there else tmp_path / "none")
    monkeypatch.setattr(unset, "_OPEN_PORTS", tmp_path / "none")
    monkeypatch.setattr(unset, "_has_relay", lambda spool: runs and spool == OWN)
    monkeypatch.setattr(unset.os, "geteuid", lambda: 0 if is_root else 1000)
    monkeypatch.setattr(unset.os, "access", lambda *_: may_write)
    place = (SPOOL, 25) if expected is None else expected
    config = SettingsFile(begins=begins).load()
    assert place == (config.spool.place, config.listen[0].port)
    if not begins:
        brief = load_brief()
        assert place == (brief.spool, brief.listen[0].port)
        assert brief == brief_of(load())


def test_a_plain_user_may_say_where_state_is_kept(monkeypatch, tmp_path):
    """By $XDG_STATE_HOME, if it is a whole path; a kernel that leaves port 25 to everybody is asked for it."""
    (ports := tmp_path / "ports").write_text("0\n")
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.setattr(unset, "_OPEN_PORTS", ports)
    monkeypatch.setattr(unset.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(unset.os, "access", lambda *_: False)
    monkeypatch.setenv("HOME", "/home/ann")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert (Path("/state/postroad"), 25) == (unset.own_place(begins=True).spool, unset.own_place(begins=True).port)
    monkeypatch.setenv("XDG_STATE_HOME", "state")
    assert OWN == unset.own_place(begins=True).spool
    monkeypatch.setattr(unset.os.path, "expanduser", lambda path: path)  # as for who has no home
    assert None is unset.own_place(begins=True)


def test_defaults_are_those_of_the_rooms():
    """What stands in the reference is what the rooms do when nobody says otherwise."""
    config = Config()
    limits, timeouts, out = config.limits, config.timeouts, config.deliver
    assert ReceiveLimits() == ReceiveLimits(
        size=limits.message_size,
        recipients=limits.recipients,
        hops=limits.hops,
        connections=limits.connections,
        connections_each=limits.connections_per_client,
        messages=limits.messages_per_connection,
        rate=limits.messages_per_minute,
        errors=limits.errors,
        idle_commands=limits.idle_commands,
        auth_failures=limits.auth_failures,
        auth_failures_rate=limits.auth_failures_per_minute,
        octets=limits.memory,
    )
    assert ReceiveTimeouts() == ReceiveTimeouts(
        command_s=timeouts.command,
        block_s=timeouts.block,
        tls_s=timeouts.tls,
        session_s=timeouts.session,
        least_rate=timeouts.least_rate,
    )
    assert ReceiveSettings("h") == ReceiveSettings(
        "h",
        networks=config.relay.networks,
        auth_in_clear_on_loopback=config.relay.auth_in_clear_on_loopback,
        completes=config.relay.complete_headers,
    )
    assert ListenSettings(config.listen[0].address) == ListenSettings(
        config.listen[0].address, config.listen[0].port, Tls(config.listen[0].tls)
    )
    assert RetrySchedule() == RetrySchedule(*(getattr(config.retry, name) for name in RetryTable.model_fields))
    assert ReusePolicy() == ReusePolicy(out.reuse_idle, out.reuse, out.reuse_messages)
    assert WalkPolicy() == WalkPolicy(stagger_s=out.stagger, level_stagger_s=out.level_stagger)
    assert PROCEDURES["rfc5321"].families == out.families
    defaults = LoopSettings()
    assert (defaults.queue.concurrency, defaults.queue.window.most) == (out.concurrency, out.concurrency_per_address)
    assert (DeliverSettings().port, DeliverSettings().timeouts.connect_s) == (out.port, out.connect_timeout)


FULL = """
hostname = "Relay.Example.net"
own = ["mx.example.net", "192.0.2.1"]
[spool]
path = "queue"
[[listen]]
address = "::"
port = 587
tls = "starttls"
[tls]
certificate = "cert.pem"
[relay]
networks = ["10.0.0.0/8", "192.0.2.7"]
[retry]
first = "10m"
[[route]]
domains = ["cluster.example", ".cluster.example"]
hosts = [{host = "10.0.0.5", weight = 3}, {host = "node2.example", port = 2525}]
[[route]]
domains = ["*"]
next_hop = "smtp.example.net:587"
auth = {user = "me", password_file = "/run/secret"}
[aliases]
root = "ops@example.com"
"*" = ["root", "night@example.com"]
[metrics]
listen = "127.0.0.1:9925"
"""


def test_a_whole_file_is_read():
    """Names become canonical, times seconds, and relative paths begin at the file."""
    config = read(FULL, FILE)
    assert ("relay.example.net", 600.0) == (config.hostname, config.retry.first)
    assert (Path("/etc/queue"), Path("/etc/cert.pem")) == (config.spool.path, config.tls.certificate)
    assert (ip_network("10.0.0.0/8"), ip_network("192.0.2.7/32")) == config.relay.networks
    assert (ip_address("127.0.0.1"), 9925) == config.metrics.listen
    assert (ip_address("::"), 587, "starttls") == tuple(dict(config.listen[0]).values())


def test_routes_are_ready_to_be_picked():
    """A cluster has its hosts by weight; a smarthost is a single host, to be verified where it gets a password."""
    table = by_domain(read(FULL, FILE).route)
    cluster, smarthost = pick(table, "sub.cluster.example"), pick(table, "elsewhere.test")
    assert (
        StaticHost(ip_address("10.0.0.5"), 25, 3),
        StaticHost("node2.example", 2525, 1),
    ) == cluster.static_hosts
    assert (StaticHost("smtp.example.net", 587),) == smarthost.static_hosts
    assert (None, "verify") == (cluster.demand, smarthost.demand)


def test_aliases_are_a_table_of_names():
    """Any key is a name, whatever its case; one address or several."""
    config = read("[aliases]\nRoot = 'a@b.c'\n'*' = ['root', 'd@e.f']\nfile = 'more'", FILE)
    assert {"root": ("a@b.c",), "*": ("root", "d@e.f")} == dict(config.aliases.table)
    assert Path("/etc/more") == config.aliases.file


@pytest.mark.parametrize(
    ("hosts", "more", "is_implicit"),
    [
        ("next_hop = 'a.b:465'", "", True),
        ("next_hop = 'a.b:465'", "security = 'starttls'", False),
        ("next_hop = 'a.b:465'", "tls = 'off'", False),
        ("next_hop = 'a.b:587'", "", False),
        ("next_hop = 'a.b'", "", False),
        ("next_hop = 'a.b:2465'", "security = 'tls'", True),
        ("hosts = [{host = 'a.b', port = 465}, {host = 'c.d', port = 2465}]", "security = 'tls'", True),
        ("hosts = [{host = 'a.b', port = 465}, {host = 'c.d', port = 465}]", "tls = 'verify'", True),
        ("mx_of = 'a.b'", "", False),
    ],
)
def test_port_465_begins_with_tls(hosts, more, is_implicit):
    """RFC 8314: without a word; at another port the settings say so."""
    (route,) = read(f"[[route]]\ndomains = ['*']\n{hosts}\n{more}", FILE).route
    assert is_implicit == route.is_implicit


def test_settings_do_not_change():
    """What was read stays: a reload makes new ones."""
    with pytest.raises(ValueError, match="frozen"):
        Config().retry.first = 1.0


def test_what_is_dumped_can_be_read_again():
    """The texts of times, sizes and addresses mean the same again."""
    from postroad.config.show import toml

    for text in ("", FULL):
        config = read(text, FILE)
        assert dump(config) == dump(read(toml(config), FILE))


REJECTS = "[[route]]\ndomains = ['a.b']\ndirect = true\non_reject = {{match = {0}, route = '{1}'}}\n"


SENTENCES = [
        ('hostnam = "a.example"', "hostnam: there is no such key; did you mean hostname?"),
        ("[limits]\nmessage_siz = 3", "limits.message_siz: there is no such key; did you mean message_size?"),
        ("port = 25", "port: there is no such key here; it belongs in [[listen]]"),
        ("[drian]", "drian: there is no such key; did you mean drain?"),
        ("[log]\nx = 1", "log.x: there is no such key; the keys here are format, level, level_prefix"),
        ("[limits]\nrecipients = 'many'",
         'limits.recipients: "many" has the wrong type; write a whole number, such as 10'),
        ("[limits]\nrecipients = 0", "limits.recipients: 0 is out of range; write 1 or more"),
        ("[limits]\nmessage_size = '50 mb'",
         'limits.message_size: "50 mb" is not a size; write octets, or a text such as "500KiB" or "50MiB"'),
        ("[[listen]]\nport = '25'", 'listen[1].port: "25" has the wrong type; write a whole number, such as 10'),
        ("[[listen]]\ntls = 'ssl'",
         'listen[1].tls: "ssl" is not one of the choices; write "none", "starttls" or "implicit"'),
        ("[listen]\nport = 25", "listen: there may be several of these tables; write [[listen]] in double brackets"),
        ("limits = 3", "limits: this is a table with its own keys; write [limits] and the keys below it"),
        ("[[listen]]\ntls = 'starttls'", "[[listen]] uses tls, but no certificate is set; add tls.certificate"),
        ("[tls]\nkey = 'x'", "tls.key is set, but tls.certificate is not; set both or neither"),
        ("[[listen]]\n[[listen]]", "listen has 127.0.0.1 port 25 twice; leave one out"),
        ("[retry]\nfirst = '5h'",
         "retry: the first retry comes after more than 0 s and no later than the longest interval"),
        ("[relay]\nnetworks = '10.0.0.0/8'",
         'relay.networks: "10.0.0.0/8" has the wrong type; write a list in brackets, such as ["one", "two"]'),
        ("[deliver]\nfamilies = []", "deliver: families is empty; write at least one of 4 and 6"),
        ("[deliver]\nsource = ['192.0.2.1', '192.0.2.2']", "deliver: source has IPv4 twice; leave one out"),
        ("[dns]\nresolvers = ['ns.example']",
         'dns.resolvers[1]: "ns.example" is not an address; write the name server\'s own, such as "192.0.2.53"'),
        ("[[route]]\nmx_of = 'a.example'",
         "route[1]: it is for no mail; write domains, exchangers or provider, or a name by which on_reject of another "
         "route finds it"),
        ("[[route]]\ndomains = ['*']", "route[1]: write exactly one of hosts, next_hop, mx_of and direct = true; "
         "or tls alone, for mail that follows DNS"),
        ("[[route]]\ndomains = ['*']\nnext_hop = 'a'\ndirect = true",
         "route[1]: write exactly one of hosts, next_hop, mx_of and direct = true; "
         "or tls alone, for mail that follows DNS"),
        ("[[route]]\nexchangers = ['*']\ndirect = true",
         'route[1].exchangers[1]: "*" would be every exchanger there is; write domains = ["*"] for all mail'),
        *((f"[[route]]\ndomains = ['a.b']\ndirect = true\ntls = 'verify'\n{key} = ['{address}']",
           f'route[1].{key}[1]: "{address}" is an IP address; write a domain name here, such as "mail.example.com"')
          for key in ("exchangers", "tls_names") for address in ("127.0.0.1", "[192.0.2.1]", "2001:db8::1")),
        ("[[route]]\nprovider = 'Mircosoft'\ndirect = true",
         'route[1].provider: "Mircosoft" is not a known provider; did you mean microsoft?'),
        ("[[route]]\nprovider = 3\ndirect = true",
         'route[1].provider: 3 is not a provider; write its name, such as "microsoft"'),
        ("[[route]]\nprovider = 'google'\ndirect = true\n[[route]]\nprovider = 'google-workspace'\ndirect = true",
         "the routes for the providers google and google-workspace are both for Google Workspace; leave one out"),
        ("[[route]]\nprovider = 'google'\ndirect = true\n[[route]]\nprovider = 'google'\ndirect = true",
         "[[route]] has the provider google twice; leave one out"),
        ("[[route]]\nexchangers = ['.a.b']\ndirect = true\n[[route]]\nexchangers = ['.A.b']\nmx_of = 'd'",
         "[[route]] has the exchanger .a.b twice; leave one out"),
        ("[[route]]\nname = 'x'\ndomains = ['a.b']\nmx_of = 'c'\n[[route]]\nname = 'x'\nmx_of = 'd'",
         "[[route]] has the name x twice; leave one out"),
        ("[[route]]\nname = 'the best one'\nmx_of = 'd'",
         'route[1].name: "the best one" is not a name for a route; write letters, digits and hyphens, such as "ses", '
         "40 at most"),
        *((f"spool.node = '{name}'",
           f'spool.node: "{name}" is not a name for a node; write letters, digits, dots and hyphens, such as '
           '"mx1.example.com", 100 at most, other than "writers"') for name in ("", "a b", "../x", "writers")),
        (REJECTS.format("'5.7.1'", "sse") + "[[route]]\nname = 'ses'\nmx_of = 'c'",
         'route[1].on_reject.route: no route has the name "sse"; did you mean ses?'),
        (REJECTS.format("'5.7.1'", "ses"),
         'route[1].on_reject.route: no route has the name "ses"; write name = "ses" in the route that is meant'),
        (REJECTS.format("'*'", "b") + "[[route]]\nname = 'b'\nmx_of = 'c'\non_reject = {match = '*', route = 'b'}",
         "route[2].on_reject.route: refused mail would go round in a circle (b > b); leave one on_reject out"),
        (REJECTS.format("[]", "b"),
         'route[1].on_reject.match: [] is not a pattern; write one, such as "5.7.1", or a list: ["5.7.1", "blocked"]'),
        (REJECTS.format("['451']", "b"),
         'route[1].on_reject.match: "451": only permanent refusals are matched; write a code that begins with 5'),
        (REJECTS.format("'blocked|spam'", "b"),
         'route[1].on_reject.match: "blocked|spam": a regular expression cannot be used here; write codes and words, '
         'several as a list: ["5.7.1", "blocked"]'),
        (REJECTS.format("' '", "b"),
         'route[1].on_reject.match: " ": write a code or some words, 200 characters at most'),
        ("[[route]]\ndomains = ['*']\n[[route.hosts]]\nhost = 'a'\npreference = -1",
         "route[1].hosts[1].preference: -1 is out of range; write 0 or more"),
        ("[[route]]\ndomains = ['*']\nnext_hop = 'a'\ntls = 'off'\nauth = {user = 'u', password_file = 'p'}",
         'route[1]: auth sends a password, which TLS must protect; write tls = "verify"'),
        ("[[route]]\ndomains = ['*']\nmx_of = 'a'\nauth = {user = 'u', password_file = 'p'}",
         "route[1]: auth needs hosts or next_hop: a password is never sent to hosts that DNS names"),
        ("[[route]]\ndomains = ['a.b']\nmx_of = 'c'\n[[route]]\ndomains = ['A.b']\nmx_of = 'd'",
         "[[route]] has the domain a.b twice; leave one out"),
        ("[[route]]\ndomains = ['*']\nmx_of = 'a.b'\nsecurity = 'tls'",
         "route[1]: security needs hosts or next_hop: exchangers use STARTTLS on port 25"),
        ("[[route]]\ndomains = ['*']\nnext_hop = 'a.b:465'\nsecurity = 'tls'\ntls = 'off'",
         'route[1]: security = "tls" and tls = "off" contradict each other; leave one out'),
        ("[[route]]\ndomains = ['*']\nhosts = [{host = 'a.b', port = 465}, {host = 'a.b', port = 587}]",
         'route[1]: port 465 starts TLS at once, others use STARTTLS;'
         ' write security = "tls" or "starttls" for all'),
        ("[[route]]\ndomains = ['*']\nnext_hop = 'a.b:465'\nca_file = 'x'",
         'route[1]: ca_file is only used with tls = "verify"; write that, or leave ca_file out'),
        ("[aliases]\nroot = 1", 'aliases.root: 1 is not an address; write one,'
         ' or a list such as ["a@example.com", "b@example.com"]'),
        ("[aliases]\nroot = '|/bin/x'", 'aliases.root: "|/bin/x": programs are not supported; write an address'),
        ("[aliases]\nops = 'a@b@'", 'aliases.ops: "a@b@" is neither an address nor an alias'
         " (the part before the @, 'a@b', has a character that needs quoting); write user@example.com"),
        ("[aliases]\nops = []",
         'aliases: "ops" has no address; write one, such as "user@example.com", or leave it out'),
        ("[aliases]\n'a@b' = 'ops'",
         'aliases: "a@b" is not a name; write only the part before the @: it holds for all names of this machine'),
        ("[aliases]\nOps = 'a@b.c'\nops = 'a@b.c'", "aliases: it has ops twice; leave one out"),
        ('[relay]\nusers = "a\\u0000b"',
         'relay.users: "a\\x00b" is not a path; write one, such as "/etc/postroad/users"'),
        ("dkim.keys = 1", 'dkim.keys: 1 is not a path; write one, such as "/etc/postroad/keys"'),
        ("spool.path = ['x']", "spool.path: ['x'] is not a path; write one, such as \"/var/spool/postroad\""),
        ("dns.zones = ['a\\nb']".replace("'", '"'),
         'dns.zones[1]: "a\\nb" is not a path; write one, such as "/etc/postroad/example.com.zone"'),
        *((f"[[route]]\n{key} = ['*.outlook.com']\ndirect = true\nname = 'x'",
           f'route[1].{key}[1]: "*.outlook.com" has a star; write ".outlook.com" for all names below it')
          for key in ("exchangers", "domains")),
        ("[[route]]\nexchangers = ['.']\ndirect = true",
         'route[1].exchangers[1]: ".": a domain name is missing; write a domain name, such as "mail.example.com"'),
        ("[[route]]\ndomains = ['*']\nhosts = ['a.test']",
         'route[1].hosts[1]: each of these is a table; write {host = "a.test"}, or [[route.hosts]] and its keys below'
         " that"),
        ("listen = [25]",
         "listen[1]: each of these is a table; write {address = ...}, or [[listen]] and its keys below that"),
        ("[metrics]\nlisten = 9925",
         'metrics.listen: 9925 is not an address with a port; write both, such as "127.0.0.1:9925"'),
        ("hostname = mail",
         "it is not valid TOML: Invalid value (at line 1, column 12); put texts in quotes"),
    ]  # fmt: skip


def complaint(text):
    """What is said of a file."""
    with pytest.raises(InputError) as caught:
        read(text, FILE)
    return str(caught.value)


def test_what_is_wrong_is_a_sentence():
    """Each error names the file, the key, what is wrong and what to write."""
    assert {text: f"/etc/p.toml: {told}" for text, told in SENTENCES} == {
        text: complaint(text) for text, _ in SENTENCES
    }


@pytest.mark.parametrize("value", ["'x'", "1", "2020-13-01", "'2020-13-01'", "2020-01-01T10:00:00", "''", "true", "[]"])
def test_a_day_that_is_none(value):
    """`until` says what a day looks like."""
    with pytest.raises(InputError) as caught:
        read(f"[[route]]\ndomains = ['*']\ndirect = true\nuntil = {value}", FILE)
    if value != "2020-13-01":  # TOML has days itself
        assert str(caught.value).endswith(' is not a day; write one, such as "2026-12-31"')


@pytest.mark.parametrize(
    "value",
    ["1", "-1", "1.5", "inf", "true", "''", "'x'", f"'{'x' * 300}'", "[]", "[1]", "['x']", "[[]]", "{}", "{x = 1}"],
)
def test_no_error_is_in_the_words_of_a_library(value):
    """Whatever stands at any key of any table. Every fifth key; all in a whole run."""
    tables = [("", Config), *((name, section_in(each.annotation)) for name, each in Config.model_fields.items())]
    keys = [(header, key) for header, section in tables if section for key in section.model_fields]
    for header, key in some(keys, 5, len(value)):
        opening = f"[[{header}]]\n" if header in ("listen", "route") else f"[{header}]\n" if header else ""
        try:
            read(f"{opening}{key} = {value}", FILE)
        except InputError as problem:
            assert "should" not in str(problem)  # noqa: PT017  # most values are none for most keys


def test_all_that_is_wrong_is_told_at_once():
    """Nobody mends a file error by error."""
    with pytest.raises(InputError) as caught:
        read("x = 1\n[limits]\nerrors = 0\n[log]\nlevel = 1", FILE)
    assert 3 == len(str(caught.value).splitlines())


def test_a_file_that_is_not_there_is_named(tmp_path):
    """A file asked for by name must be there."""
    with pytest.raises(InputError, match=r"none.toml: cannot be read: No such file or directory"):
        load(tmp_path / "none.toml")


def test_a_file_in_another_encoding_is_told_so(tmp_path):
    """TOML is UTF-8."""
    (tmp_path / "p.toml").write_bytes(b"hostname = '\xff'")
    with pytest.raises(InputError, match="is not valid UTF-8 at octet 12"):
        load(tmp_path / "p.toml")


def test_the_environment_may_name_the_file(tmp_path, monkeypatch):
    """$POSTROAD_CONFIG is for whom no option can be given: a sendmail called by others."""
    (tmp_path / "p.toml").write_text('hostname = "here.example"')
    monkeypatch.setenv("POSTROAD_CONFIG", str(tmp_path / "p.toml"))
    assert "here.example" == load().hostname
    monkeypatch.delenv("POSTROAD_CONFIG")
    assert find() == (USUAL_FILE if USUAL_FILE.exists() else None)


URL = "postgresql://ann:hunter2@db.example/mail"


@pytest.mark.parametrize("text", [f'spool = "{URL}"', f'[spool]\nurl = "{URL}"\nnode = "mx1"\nasynchronous = true'])
def test_a_spool_may_be_a_database(text):
    """By its URL, in short or in a table; what is shown of it is without its password."""
    config = read(text, FILE)
    assert (URL, False) == (config.spool.place, "hunter2" in toml(config))
    assert "postgresql://ann@db.example/mail" == read(toml(config), FILE).spool.url


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'[spool]\nurl = "{URL}"\npath = "x"', "spool: mail is kept in a folder or in a database; remove path or url"),
        (f'[spool]\nurl = "{URL}"\nreserve = 1', "spool: reserve is for a folder; remove it, or url"),
        ("[spool]\nasynchronous = true", "spool: asynchronous is for a database; add url, or remove it"),
        ('spool = "mysql://ann:hunter2@db.example/mail"', "spool.url: this is not the URL of a database"),
        ('spool = "/var/spool/x"', '"postgresql://postroad@db.example/mail", or a folder as path below [spool]'),
        ("spool = 5", "spool"),
    ],
)
def test_a_spool_is_in_one_place(text, sentence):
    """What contradicts itself is said, and no password with it."""
    with pytest.raises(InputError) as problem:
        read(text, FILE)
    assert (True, False) == (sentence in str(problem.value), "hunter2" in str(problem.value))


@pytest.mark.parametrize(("wait", "is_right"), [("0s", True), ("60s", True), ("61s", False), ("1000 days", False)])
def test_mail_waits_a_minute_at_most_for_a_policy(wait, is_right):
    """A web server that hangs would hold it up."""
    text = f"deliver.mta_sts_wait = '{wait}'"
    if is_right:
        read(text, FILE)
        return
    with pytest.raises(InputError, match=r"deliver: mta_sts_wait is longer than a minute.*; write less"):
        read(text, FILE)


@pytest.mark.parametrize("read_it", [load, load_brief, survey, lambda path: SettingsFile(path).load()])
@pytest.mark.parametrize("text", ["", "\n\n", "# hostname = 'a.example'\n"])
def test_file_without_any_setting_is_an_error(tmp_path, read_it, text):
    """Somebody is writing it, or the disk is full: all defaults are never what is meant by it."""
    path = tmp_path / "postroad.toml"
    path.write_text(text)
    with pytest.raises(InputError) as wrong:
        read_it(path)
    assert str(wrong.value) == (
        f"{path}: it has no settings, so it may be cut off, or still being written; set at least hostname"
    )


WHOLE = (
    'hostname = "a.example"\ndrain = "55s"\n[[listen]]\nport = 2525\n\n'
    '[[route]]\ndomains = ["b.example"]\nmx_of = "c.example"\n'
)


def test_file_that_is_read_again_is_not_taken_cut_off_within_a_line(tmp_path):
    """Wherever it is cut: then it is an error, if only for its last line; the whole one is taken again."""
    path = tmp_path / "postroad.toml"
    path.write_text(WHOLE)
    file = SettingsFile(path)
    whole = file.load()
    taken = []
    for size in range(len(WHOLE)):
        path.write_text(WHOLE[:size])
        with suppress(InputError):
            file.load()
            taken.append(size)
        path.write_text(WHOLE)
        assert whole == file.load()
    assert {"\n"} == {WHOLE[size - 1] for size in taken}


def test_a_pipe_in_the_place_of_a_file_that_is_read_again_is_not_waited_for(tmp_path):
    """A relay would do nothing else; at its start it is a person who waits, and `--config <(decrypt FILE)` works."""
    path = tmp_path / "postroad.toml"
    path.write_text(WHOLE)
    file = SettingsFile(path)
    file.load()
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(InputError, match="is not a regular file"):
        file.load()


def test_file_may_be_shortened_by_whole_lines_or_changed_without_an_end_of_line(tmp_path):
    """People do both."""
    path = tmp_path / "postroad.toml"
    path.write_text(WHOLE)
    file = SettingsFile(path)
    file.load()
    path.write_text(WHOLE.partition("[[route]]")[0])
    assert () == file.load().route
    path.write_text('hostname = "d.example"')
    assert "d.example" == file.load().hostname == file.load().hostname


UNSEEN = ["\\u001b[31m", "a\\u202eb", "\\u0000", "x\\ny"]


@pytest.mark.parametrize("text", UNSEEN)
@pytest.mark.parametrize(
    ("key", "said"),
    [
        ('dns.resolvers = ["192.0.2.1{}"]', "is not an address; write the name server's own, such as \"192.0.2.53\""),
        ('metrics.listen = "127.0.0.1{}:25"', 'is not an address with a port; write both, such as "127.0.0.1:9925"'),
        ('tls_report.organization = "{}"', "has a character that cannot be seen; write it without"),
        ('route = [{{domains = ["*"], next_hop = "a.example", on_reject = {{match = "{}", route = "b"}}}}]',
         "it has a character that cannot be seen, which no reply has; write it without"),
        ('tls_report.sender = "{}"', "write an address as user@domain"),
    ],
)  # fmt: skip
def test_what_cannot_be_seen_is_told_with_what_to_write(key, text, said):
    """Once, and not as something else that is no use there."""
    with pytest.raises(InputError) as wrong:
        read(key.format(text), FILE)
    assert any(line.endswith(said) for line in wrong.value.lines), wrong.value.lines
    assert all(line.isprintable() and "mail.example.com" not in line for line in wrong.value.lines)


def test_a_table_with_a_wrong_key_and_others_that_disagree(tmp_path):
    """What the rest of the file is checked with has neither: no relay could be made of them."""
    path = tmp_path / "postroad.toml"
    path.write_text('[retry]\nfirst = "0s"\nexpiry = "soon"\n')
    wrong, settings = survey(path)
    assert (1, Config().retry) == (len(wrong), settings.retry)
