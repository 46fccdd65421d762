"""`postroad lab try` with real senders: what it sees of them is what their models say."""

import json
import shlex

import pytest
from tests.interop import servers
from tests.interop.conftest import folder_for_others
from tests.interop.packages import PEERS, environment, want_packages, want_root
from tests.support.examples import in_whole_runs
from tests.support.forked import run

pytestmark = pytest.mark.root
# Situations whose end is seen, however slow the machine: Exim's command ends with its attempt, Postfix takes none here
# that is not delivered or returned
OF_EXIM = ("families-equals", "many-levels", "met-r450")
OF_POSTFIX = ("equals", "met-refuse", "met-g554", "met-starttls-454", "met-r550", "null-mixed")
OF_PEERS = ("LD_LIBRARY_PATH", "LD_PRELOAD", "PERL5LIB", "MAIL_CONFIG", "POSTLOG_SERVICE", "POSTLOG_HOSTNAME")
NSS = ("NSS_WRAPPER_PASSWD", "NSS_WRAPPER_GROUP")
EXIM = """
primary_hostname = mail.exim.example
exim_path = {peers}/usr/sbin/exim4
exim_user = {others}
exim_group = {others}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
keep_environment = *
deliver_drop_privilege = true
untrusted_set_sender = *
begin routers
dns:
  driver = dnslookup
  transport = smtp
begin transports
smtp:
  driver = smtp
begin retry
* * F,2h,15m
"""


def _in(surroundings, *command):
    """A command with what the packages need, which our own Python must not have."""
    return ["env", *(f"{name}={surroundings[name]}" for name in (*OF_PEERS, *NSS) if name in surroundings), *command]


def _tried(situations, command, daemon=()):
    """What `lab try` says."""
    only = [word for name in situations for word in ("--only", name)]
    behind = ["--daemon", shlex.join(map(str, daemon))] if daemon else []
    words = [*only, *behind, "--settle", "100" if daemon else "0.1", "--json", "--", *map(str, command)]
    ended = run(["lab", "try", *words])
    if ended.status == 3:
        pytest.skip(ended.stderr)
    assert 0 == ended.status, ended.stderr
    return json.loads(ended.stdout)


def _unexplained(told, sender):
    """What a model does not explain. A message that was put off before anybody was asked, says nothing about choice."""
    likeness = next(each for each in told["nearest"] if each["sender"] == sender)
    assert likeness["explained"] > sum(len(each["messages"]) for each in told["situations"]) / 2  # it asked, mostly
    return [each for each in likeness["differences"] if not each["seen"].startswith("no contact: deferred")]


@pytest.fixture(scope="module")
def packages():
    """Skip unless they are there, and may be used."""
    want_packages()
    want_root()


@in_whole_runs
def test_exim_is_what_its_model_says(packages):
    """IPv6 in front, whatever the host; five equals of six, and one of each preference beyond; on after 450."""
    with folder_for_others() as folder:
        servers.give_away(folder)
        (folder / "conf").write_text(EXIM.format(peers=PEERS, folder=folder, others=servers.OTHERS))
        surroundings = servers._exim_environment(folder)
        command = [PEERS / "usr/sbin/exim4", "-C", folder / "conf", "-odf", "-oi", "-f", "{from}", "{to}"]
        told = _tried(OF_EXIM, _in(surroundings, *command))
    assert [] == _unexplained(told, "exim")


@in_whole_runs
def test_postfix_is_what_its_model_says(packages):
    """On to the next address after a refusal or a 554, in clear after 454, returned for a null MX beside another."""
    with folder_for_others() as folder:
        master = servers.lay_postfix(folder, "inet_protocols = all\n", "")
        command = [PEERS / "usr/sbin/sendmail", "-i", "-f", "{from}", "{to}"]
        told = _tried(OF_POSTFIX, _in(master.surroundings, *command), _in(master.surroundings, *master.command))
    assert [] == _unexplained(told, "postfix")


def test_swaks_goes_no_further_than_the_first_address(packages):
    """A tool, and no mail server: its file says so."""
    told = _tried(("met-refuse",), _in(environment(), PEERS / "usr/bin/swaks", "--to", "{to}", "--from", "{from}"))
    contacts = [message["contacts"] for message in told["situations"][0]["messages"]]
    if not any(contacts):
        pytest.skip("this swaks has no Net::DNS, and finds no exchanger")
    assert ([1, 1], True) == ([len(each) for each in contacts], 'refuse = "defer"' in told["file"])
