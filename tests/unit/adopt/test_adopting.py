"""The settings of other mail systems become settings of a relay, and what does not is named."""

import tomllib
from pathlib import Path

import pytest

from postroad.adopt import SYSTEMS
from postroad.config import load

MAIN_CF = """
# See /usr/share/postfix/main.cf.dist
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
compatibility_level = 3.6
smtpd_tls_cert_file=/etc/ssl/web3.pem
smtpd_tls_key_file=/etc/ssl/web3.key
smtpd_tls_security_level=may
smtp_tls_security_level=encrypt
smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated
    defer_unauth_destination
myhostname = web3.$mydomain
mydomain = example.com
alias_maps = hash:/etc/aliases
mydestination = $myhostname, localhost.$mydomain, localhost, lists.example.com
relayhost = [smtp.example.net]:submission
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd
mynetworks = 127.0.0.0/8 [::1]/128, 10.0.0.0/8
mailbox_size_limit = 0
inet_interfaces = 127.0.0.1, 10.0.0.5
inet_protocols = ipv4
masquerade_domains = example.com
smtp_generic_maps = hash:/etc/postfix/generic
transport_maps = hash:/etc/postfix/transport
always_bcc = archive@example.com
maximal_queue_lifetime = 3d
delay_warning_time = 4
minimal_backoff_time = 300s
smtpd_milters = inet:localhost:8891
message_size_limit = 26214400
smtp_destination_concurrency_limit = 5
"""
MASTER_CF = """
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o syslog_name=postfix/submission
  -o smtpd_tls_security_level=encrypt
smtps     inet  n       -       y       -       -       smtpd
  -o smtpd_tls_wrappermode=yes
pickup    unix  n       -       y       60      1       pickup
"""
OTHERS = {
    "/etc/postfix/sasl_passwd": "# hosts\n[smtp.example.net]:submission web3:s:e#cret\n",
    "/etc/postfix/generic": "root@web3.example.com ops@example.com\n@web3.local @example.com\n",
    "/etc/postfix/transport": "example.org smtp:[10.0.0.9]\n.example.org :\nold.example error:gone\n",
    "/etc/aliases": "root: ops@example.com\n",
}


def _adopt(system, files):
    """The draft, and the settings as a relay would read them."""
    draft = SYSTEMS[system].adopt(files.get, "/etc/postroad")
    return draft, tomllib.loads(draft.toml(system))


def test_postfix_as_a_client_of_a_smarthost():
    """What main.cf, master.cf and their tables say, with the line of each; milters and mailboxes are named."""
    draft, settings = _adopt("postfix", {"main.cf": MAIN_CF, "master.cf": MASTER_CF, **OTHERS})
    auth = {"user": "web3", "password_file": "/etc/postroad/smarthost-password"}
    assert {
        "hostname": "web3.example.com",
        "relay": {"networks": ["127.0.0.0/8", "::1/128", "10.0.0.0/8"]},
        "rewrite": {
            "always_bcc": ["archive@example.com"],
            "senders": {
                "root@web3.example.com": "ops@example.com",
                "web3.local": "example.com",
                ".example.com": "example.com",
            },
        },
        "aliases": {"file": "/etc/aliases"},
        "limits": {"message_size": 26214400},
        "deliver": {"families": [4], "concurrency_per_address": 5},
        "tls": {"certificate": "/etc/ssl/web3.pem", "key": "/etc/ssl/web3.key"},
        "retry": {"expiry": "3d", "warn_after": "4h", "first": "5m"},
        "route": [
            {"domains": ["*"], "next_hop": "smtp.example.net:587", "auth": auth},
            {"domains": ["example.org"], "next_hop": "10.0.0.9:25", "tls": "encrypt"},
            {"domains": [".example.org"], "next_hop": "smtp.example.net:587", "auth": auth},
        ],
        "listen": [
            {"address": address, "port": port, "tls": tls}
            for port, tls in ((25, "starttls"), (587, "starttls"), (465, "implicit"))
            for address in ("127.0.0.1", "10.0.0.5")
        ],
    } == settings
    assert {"smarthost-password": "s:e#cret"} == draft.secrets
    assert "s:e#cret" not in draft.toml("postfix")
    assert 'hostname = "web3.example.com"  # myhostname, main.cf:11' in draft.toml("postfix")
    assert ["main.cf:14", "main.cf:29", "/etc/postfix/transport:3"] == sorted(
        (each.where for each in draft.left), key=lambda where: ("main" not in where, where)
    )


@pytest.mark.parametrize(
    ("relayhost", "route"),
    [
        ("[smtp.example.net]", {"next_hop": "smtp.example.net:25"}),
        ("[smtp.example.net]:587", {"next_hop": "smtp.example.net:587"}),
        ("[2001:db8::1]:smtps", {"next_hop": "[2001:db8::1]:465"}),
        ("example.net", {"mx_of": "example.net"}),
        ("example.net:2525", {"next_hop": "example.net:2525"}),
        ("[smtp.example.net]:imap", None),
        ("", None),
    ],
)
def test_relayhost_in_each_of_its_forms(relayhost, route):
    """Brackets turn MX off, and a port may be a name; exchangers at another port there are none, and that is said."""
    draft, settings = _adopt("postfix", {"main.cf": f"relayhost = {relayhost}\ninet_interfaces = loopback-only\n"})
    assert ([{"domains": ["*"], **route}] if route else []) == settings.get("route", [])
    assert bool(draft.left) == (relayhost in ("example.net:2525", "[smtp.example.net]:imap"))


def test_a_smarthost_that_gets_a_password_is_no_name_of_exchangers():
    """Its brackets are often forgotten: the host itself gets the mail, and that is said."""
    lines = "relayhost = a.example\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = static:u:p\n"
    draft, settings = _adopt("postfix", {"main.cf": f"{lines}inet_interfaces = loopback-only\n"})
    assert ("a.example:25", ["a.example"]) == (settings["route"][0]["next_hop"], [each.what for each in draft.left])


def test_a_null_client_as_debian_installs_it_is_nearly_empty():
    """Postroad does by default what most of main.cf says."""
    peers = Path(__file__).parents[3] / ".peers" / "usr" / "share" / "postfix"
    if not peers.exists():
        pytest.skip("no Postfix here: `make peers` unpacks one")
    files = {name: (peers / name).read_text() for name in ("main.cf.debian",)}
    draft, settings = _adopt("postfix", {"main.cf": files["main.cf.debian"] + "inet_interfaces = loopback-only\n"})
    assert ({}, []) == (settings, draft.left)


@pytest.mark.parametrize(
    ("lines", "settings", "left"),
    [
        ("myhostname = $a\na = $myhostname", {}, ["main.cf:1"]),
        ("myhostname = $a\na = $b $b $b $b\nb = $a $a $a", {}, ["main.cf:1"]),
        (
            "myhostname = $a0\n" + "".join(f"a{n} = $a{n + 1}$a{n + 1}\n" for n in range(99)) + "a99 = x",
            {},
            ["main.cf:1"],
        ),
        ("relayhost = [mx.$mydomain]", {}, ["main.cf:1"]),
        ("relayhost = ${x?[a.example]}", {}, ["main.cf:1"]),
        ("inet_interfaces = $x", {}, ["main.cf:1"]),
        (
            "myhostname = a.b.example\nrelayhost = [mx.$mydomain]",
            {"hostname": "a.b.example", "route": [{"domains": ["*"], "next_hop": "mx.b.example:25"}]},
            [],
        ),
        ("transport_maps = hash:$config_directory/t", {"route": [{"domains": ["a.example"], "direct": True}]}, []),
    ],
)
def test_a_name_whose_meaning_is_not_known_is_never_taken_for_nothing(lines, settings, left):
    """Of what Postfix sets itself mydomain and config_directory are known; circles and conditions are not followed."""
    files = {"main.cf": f"{lines}\ninet_protocols = ipv4\n", "./t": "a.example smtp:\n"}
    if "inet_interfaces" not in lines:
        files["main.cf"] += "inet_interfaces = loopback-only\n"
    draft, adopted = _adopt("postfix", files)
    adopted.pop("deliver")
    assert (settings, left) == (adopted, [each.where for each in draft.left if "stands for" in each.why])


@pytest.mark.parametrize(
    ("lines", "networks", "left"),
    [
        ("mynetworks =", [], []),
        ("mynetworks = 10.0.0.0/8, 0.0.0.0/0 [::]/0", ["10.0.0.0/8"], ["0.0.0.0/0", "::/0"]),
        ("mynetworks = 10.0.0.0/8 !10.0.0.1 hash:/x", ["10.0.0.0/8"], ['"!10.0.0.1"', '"hash:/x"']),
        ("mynetworks = 10.0.0.0/8\nsmtpd_relay_restrictions = permit_sasl_authenticated, reject", [], ["smtpd_relay"]),
        ("mynetworks = 10.0.0.0/8\nsmtpd_relay_restrictions = permit_mynetworks, reject", ["10.0.0.0/8"], []),
        ("mynetworks = 10.0.0.0/8\nsmtpd_client_restrictions = reject", ["10.0.0.0/8"], ["smtpd_client"]),
        ("smtpd_relay_restrictions = permit", None, ["smtpd_relay"]),
        ("mynetworks_style = class", None, ["mynetworks_style"]),
        ("mynetworks_style = subnet\nmynetworks = 10.0.0.0/8", ["10.0.0.0/8"], []),
    ],
)
def test_nobody_may_relay_who_might_not_before(lines, networks, left):
    """Nor may everybody, whatever main.cf says: that is for an administrator to write."""
    draft, adopted = _adopt("postfix", {"main.cf": f"{lines}\ninet_interfaces = loopback-only\n"})
    assert networks == adopted.get("relay", {}).get("networks")
    assert left == [each.what[: len(name)] for each, name in zip(draft.left, left, strict=True)]


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ("smtp_tls_security_level = fingerprint", 'smtp_tls_security_level = "fingerprint"'),
        ("alias_maps = hash:/nope", 'alias_maps = "hash:/nope"'),
        ("alias_maps = hash:/a, hash:/b", 'alias_maps = "hash:/a, hash:/b"'),
        ("myorigin = /etc/mailname", 'myorigin = "/etc/mailname"'),
        ("message_size_limit = 0", 'message_size_limit = "0"'),
        ("smtpd_recipient_limit = many", 'smtpd_recipient_limit = "many"'),
        ("smtp_generic_maps = hash:/g", "root ops"),
        ("transport_maps = hash:/t", "me@a.example"),
    ],
)
def test_what_postfix_does_and_a_relay_would_not_is_named(lines, what):
    """Each of these was dropped without a word, or taken for something else."""
    files = {"/a": "", "/b": "", "/etc/mailname": "b.example\n", "/g": "root ops\n", "/t": "me@a.example smtp:[b]\n"}
    draft, _ = _adopt("postfix", {"main.cf": f"{lines}\ninet_interfaces = loopback-only\n", **files})
    assert [what] == [each.what for each in draft.left]


def test_what_single_services_of_postfix_do():
    """A port that asks for a login, or hands mail to a filter, and a client with TLS of its own."""
    master = (
        "587 inet n - y - - smtpd\n -o syslog_name=x -o smtpd_sasl_auth_enable=yes\n -o { content_filter = a b }\n"
        "odd inet n - y - - smtpd\nsmtp unix - - y - - smtp -o smtp_tls_security_level=encrypt\n"
    )
    draft, adopted = _adopt("postfix", {"main.cf": "inet_interfaces = 192.0.2.1\n", "master.cf": master})
    assert [{"address": "192.0.2.1", "port": 587}] == adopted["listen"]
    assert [
        "-o smtpd_sasl_auth_enable",
        "-o content_filter",
        "odd",
        "smtp -o smtp_tls_security_level",
    ] == [each.what for each in draft.left]


MSMTP = """
defaults
auth on
tls on
account shop
host smtp.shop.example
account provider
host smtp.example.net
port 587
from web3@example.com
allow_from_override off
user web3
password "se cret"
aliases /etc/aliases
proxy_host 127.0.0.1
account default : provider
"""


@pytest.mark.parametrize(
    ("system", "files", "settings", "secrets", "left"),
    [
        (
            "nullmailer",
            {
                "me": "web3.example.com\n",
                "remotes": "smtp.example.net smtp --port=587 --starttls --user=web3 --pass='se cret'\n# spare\n",
                "adminaddr": "ops@example.com\n",
                "allmailfrom": "web3@example.com\n",
                "queuelifetime": "604800\n",
            },
            {
                "hostname": "web3.example.com",
                "rewrite": {"senders": {"*": "web3@example.com"}},
                "aliases": dict.fromkeys(("root", "postmaster", "*"), "ops@example.com"),
                "retry": {"expiry": "7d"},
                "route": [{"domains": ["*"], "next_hop": "smtp.example.net:587", "auth": "web3"}],
            },
            ["se cret"],
            [],
        ),
        (
            "nullmailer",
            {
                "remotes": "smtp1.example.net\nsmtp2.example.net smtp --port=2525\nsmtp3.example.net smtp --ssl\n"
                "qm qmqp\n"
            },
            {
                "route": [
                    {
                        "domains": ["*"],
                        "hosts": [
                            {"host": "smtp1.example.net", "port": 25, "preference": 0},
                            {"host": "smtp2.example.net", "port": 2525, "preference": 10},
                        ],
                    }
                ]
            },
            [],
            ["remotes:3", "remotes:4"],
        ),
        (
            "msmtp",
            {"": MSMTP, "/etc/aliases": "root: ops@example.com"},
            {
                "rewrite": {"senders": {"*": "web3@example.com"}},
                "aliases": {"file": "/etc/aliases"},
                "route": [{"domains": ["*"], "next_hop": "smtp.example.net:587", "auth": "web3"}],
            },
            ["se cret"],
            ["msmtprc", "msmtprc:15"],
        ),
        (
            "dma",
            {
                "dma.conf": "SMARTHOST smtp.example.net\nPORT 587\nAUTHPATH /etc/dma/auth.conf\n"
                "SECURETRANSFER\nSTARTTLS\n"
                "MASQUERADE web3@example.com\nMAILNAME /etc/mailname\nFINGERPRINT aa\n",
                "/etc/mailname": "web3.example.com\n",
                "/etc/dma/auth.conf": "# one line each\nweb3|smtp.example.net:se:cret\n",
            },
            {
                "hostname": "web3.example.com",
                "rewrite": {"senders": {"*": "web3@example.com"}},
                "route": [{"domains": ["*"], "next_hop": "smtp.example.net:587", "auth": "web3"}],
            },
            ["se:cret"],
            ["dma.conf:8"],
        ),
        (
            "exim",
            {
                "update-exim4.conf.conf": "dc_eximconfig_configtype='satellite'\n"
                "dc_other_hostnames='web3.example.com'\n"
                "dc_local_interfaces='127.0.0.1 ; ::1'\ndc_readhost='example.com'\ndc_relay_nets='10.0.0.0/8'\n"
                "dc_smarthost='smtp.example.net::587'\ndc_hide_mailname='true'\n",
                "passwd.client": "# host:user:password\n*:web3:se:cret\n",
                "/etc/mailname": "web3.example.com\n",
            },
            {
                "rewrite": {"senders": {"web3.example.com": "example.com"}},
                "relay": {"networks": ["127.0.0.0/8", "::1/128", "10.0.0.0/8"]},
                "route": [{"domains": ["*"], "next_hop": "smtp.example.net:587", "auth": "web3"}],
            },
            ["se:cret"],
            ["update-exim4.conf.conf:2"],
        ),
    ],
)
def test_small_systems_and_their_smarthosts(system, files, settings, secrets, left):
    """Each becomes a few lines, with the password in a file of its own."""
    draft, adopted = _adopt(system, files)
    for route in adopted.get("route", []):
        if "auth" in route:
            route["auth"] = route["auth"]["user"]
    assert (settings, secrets) == (adopted, list(draft.secrets.values()))
    assert left == [each.where for each in draft.left]


@pytest.mark.parametrize(
    ("system", "files", "secrets"),
    [
        ("msmtp", {"": "host a.example\r\nauth on\r\nuser u\r\npassword\tfoo#b\\ar'\t x\r\n"}, ["foo#b\\ar'\t x"]),
        ("msmtp", {"": 'host a.example\nauth on\nuser u\npassword "se#\\"\n'}, ["se#\\"]),
        ("msmtp", {"": "host a.example\nauth on\nuser u\npasswordeval echo s3cret\n"}, []),
        ("nullmailer", {"remotes": "a.example smtp port=587 starttls user=u pass='it is'#x\n"}, ["it is#x"]),
        ("nullmailer", {"remotes": "a.example smpt --pass=s3cret\nb.example smtp --pass='s3cret\n"}, []),
        (
            "postfix",
            {
                "main.cf": "relayhost = [a.example]\nsmtp_sasl_auth_enable = yes\n"
                "smtp_sasl_password_maps = ldap:/l, hash:/nope, static:u:s3cret\ninet_interfaces = loopback-only\n",
                "/l": "[a.example] wrong:table\n",
            },
            ["s3cret"],
        ),
        (
            "dma",
            {"dma.conf": "SMARTHOST a.example\nAUTHPATH auth.conf\n", "auth.conf": "u|a.example:p\udce9\n"},
            ["p\udce9"],
        ),
    ],
)
def test_a_password_is_taken_over_to_its_last_octet_and_never_shown(system, files, secrets):
    """Neither a mark of comments nor a quote ends it, and what is left is named without it."""
    draft, _ = _adopt(system, files)
    assert secrets == list(draft.secrets.values())
    assert "s3cret" not in draft.toml(system) + "".join(map(str, draft.left))


def test_options_of_nullmailer_need_no_dashes():
    """As in the example of nullmailer-send(8); what is not known is named."""
    draft, settings = _adopt("nullmailer", {"remotes": "a.example smtp port=2525 ssl source=192.0.2.1\n"})
    route = {"domains": ["*"], "next_hop": "a.example:2525", "security": "tls", "tls": "verify"}
    assert ([route], ["remotes:1: source: Postroad has no equivalent"]) == (
        settings["route"],
        list(map(str, draft.left)),
    )


EXIM = "dc_eximconfig_configtype='smarthost'\ndc_local_interfaces='127.0.0.1'\n"


@pytest.mark.parametrize(
    ("system", "files", "settings", "left"),
    [
        *(
            ("exim", f"{EXIM}dc_smarthost='{written}'", {"route": [{"domains": ["*"], **way}]}, [])
            for written, way in (
                ("192.168.2.4::587", {"next_hop": "192.168.2.4:587"}),
                ("[192.168.2.4]::587", {"next_hop": "192.168.2.4:587"}),
                ("2001::0db8::f::4::::2", {"next_hop": "[2001:0db8:f:4::2]:25"}),
                ("[2001::0db8::f::4::::2]::587", {"next_hop": "[2001:0db8:f:4::2]:587"}),
                (
                    "a.example::587 : b.example",
                    {
                        "hosts": [
                            {"host": "a.example", "port": 587, "preference": 0},
                            {"host": "b.example", "port": 25, "preference": 10},
                        ]
                    },
                ),
            )
        ),
        ("exim", f"{EXIM}dc_smarthost='a.example/mx'", {}, ['dc_smarthost = "a.example/mx"']),
        ("exim", "dc_eximconfig_configtype='local'", {}, ['dc_eximconfig_configtype = "local"']),
        ("exim", f'{EXIM}dc_relay_nets="*"', {"relay": {"networks": ["127.0.0.0/8", "::1/128"]}}, ['"*"']),
        (
            "exim",
            "dc_local_interfaces=''",
            {"listen": [{"address": "0.0.0.0", "port": 25}, {"address": "::", "port": 25}]},
            [],
        ),
        (
            "exim",
            "dc_local_interfaces='127.0.0.1.10025 ; [::1]:587'",
            {"listen": [{"address": "127.0.0.1", "port": 10025}, {"address": "::1", "port": 587}]},
            [],
        ),
        ("exim", f"{EXIM}dc_readhost='c.example'\ndc_hide_mailname='false'", {}, []),
        (
            "exim",
            f"{EXIM}dc_readhost='c.example'\ndc_hide_mailname='true'",
            {"rewrite": {"senders": {"web3.example": "c.example"}}},
            [],
        ),
        ("dma", "MASQUERADE ops@\n", {}, ['MASQUERADE = "ops@"']),
        (
            "dma",
            "MASQUERADE ops@\nMAILNAME web3\n",
            {"hostname": "web3", "rewrite": {"senders": {"*": "ops@web3"}}},
            [],
        ),
        (
            "dma",
            "SMARTHOST a.example\nPORT x\n",
            {"route": [{"domains": ["*"], "next_hop": "a.example:25"}]},
            ['PORT = "x"'],
        ),
    ],
)
def test_what_debians_systems_say_as_their_manuals_have_it(system, files, settings, left):
    """The examples of update-exim4.conf(8), lists, names of this machine; what has no counterpart is named."""
    name = {"exim": "update-exim4.conf.conf", "dma": "dma.conf"}[system]
    draft, adopted = _adopt(system, {name: files, "/etc/mailname": "web3.example\n"})
    assert (settings, left) == (adopted, [each.what for each in draft.left])


@pytest.mark.parametrize(
    ("system", "files", "why"),
    [
        (
            "exim",
            {"update-exim4.conf.conf": f"{EXIM}dc_smarthost='a.example'", "passwd.client": "b:u:p\n"},
            "no line there",
        ),
        ("dma", {"dma.conf": "SMARTHOST a\nAUTHPATH p\nINSECURE\n", "p": "u|a:p\n"}, "in the clear"),
        ("msmtp", {"": "host a\nauth on\nuser u\npassword p\n"}, "in the clear"),
        ("nullmailer", {"remotes": "a smtp user=u pass=p\n"}, "in the clear"),
        ("msmtp", {"": "host a\nprotocol lmtp\n"}, "no equivalent"),
        ("msmtp", {"": "host a\nport sbumission\n"}, "not a port; 25 is used instead"),
        ("msmtp", {"": "host a\naliases /nope\n"}, "cannot be read"),
        ("msmtp", {"": "host a\naliases /a\n", "/a": "default: ops@example.com\n"}, '"default:"'),
    ],
)
def test_what_small_systems_do_and_a_relay_would_not_is_named(system, files, why):
    """Each of these was dropped without a word."""
    draft, _ = _adopt(system, files)
    assert [True] == [why in each.why for each in draft.left]


def test_a_star_begins_the_name_of_a_smarthost_in_passwd_client():
    """As nwildlsearch has it; the first line that fits counts."""
    files = {"update-exim4.conf.conf": f"{EXIM}dc_smarthost='smtp.example.net'"}
    draft, _ = _adopt("exim", {**files, "passwd.client": "x.example:no:no\n*.Example.net:u:p:q\n*:no:no\n"})
    assert ["p:q"] == list(draft.secrets.values())


def test_what_is_no_text_is_named_and_not_written():
    """A file of TOML can have any character but half ones and marks for terminals."""
    for host in ("smtp.ex\udce9mple.com", "a\x7f"):
        draft, settings = _adopt("msmtp", {"": f"host {host}\n"})
        assert ({}, ["account default"]) == (settings, [each.where for each in draft.left])
    _, settings = _adopt("postfix", {"main.cf": "alias_maps = /\x1b\ninet_interfaces = loopback-only\n", "/\x1b": ""})
    assert {"aliases": {"file": "/\x1b"}} == settings


def test_what_is_taken_over_is_what_a_relay_reads(tmp_path):
    """The file that is written is right, but for the certificate that is not here."""
    files = {"main.cf": MAIN_CF.replace("smtpd_tls_cert_file=/etc/ssl/web3.pem\n", ""), **OTHERS}
    files["/etc/aliases"] = None
    draft, _ = _adopt("postfix", files)
    (tmp_path / "postroad.toml").write_text(draft.toml("postfix"))
    assert "web3.example.com" == load(tmp_path / "postroad.toml").hostname
