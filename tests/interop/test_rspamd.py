"""rspamd judges what we sign, with the records that a name server has from `postroad dkim record`."""

import asyncio
import contextlib
import json
import os
import subprocess
import threading
import time
import urllib.request
from http import HTTPStatus

import pytest
from tests.interop import places
from tests.interop.conftest import folder_for_others
from tests.interop.letters import BODIES, hand_over, message
from tests.interop.packages import OTHERS, PEERS, environment, give_away
from tests.interop.servers import SELECTORS, Process
from tests.support.examples import some
from tests.support.patience import PATIENCE_S

from postroad.build import load_keys
from postroad.dns import parse_zones
from postroad.lab.nameserver import Nameserver
from postroad.views.text.dkim import zone_lines

PROGRAM, CLIENT = PEERS / "usr/bin/rspamd", PEERS / "usr/bin/rspamc"
CONF = """
options {{
  filters = "dkim";
  dns {{ nameserver = ["{dns.address}:{dns.port}"]; timeout = 2s; }}
  url_tld = "{folder}/suffixes";
  control_socket = "{folder}/control mode=0600";
  tempdir = "{folder}";
}}
logging {{ type = "console"; level = "notice"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
lua = "{folder}/none.lua";
"""
WHERE = {"PLUGINSDIR": "plugins", "LUALIBDIR": "lualib", "RULESDIR": "rules", "SHAREDIR": ""}


@pytest.fixture(scope="module")
def name_server(relay):
    """A name server that has the records of the relay's keys, as they are printed."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    lines = "\n".join(zone_lines(load_keys(relay.keys), time.time(), 0.0))
    server = Nameserver(parse_zones({"zone": f"$ORIGIN home.example.\n$TTL 60\n@ SOA a a 1 1 1 1 1\n{lines}\n"}))
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(PATIENCE_S)
    yield server.endpoint
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(PATIENCE_S)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture(scope="module")
def judge(name_server):
    """A function: the selectors whose signatures rspamd believes, and those it does not."""
    if not PROGRAM.exists():
        pytest.skip("rspamd is not here: run `make peers`")
    port = places.Ports.free().smtp
    with folder_for_others() as folder:
        (folder / "conf").write_text(CONF.format(dns=name_server, folder=folder, port=port))
        (folder / "suffixes").write_text("example\n")
        (folder / "none.lua").touch()
        shared = PEERS / "usr/share/rspamd"
        paths = [f"--var={name}={shared / part}" for name, part in WHERE.items()]
        paths += [f"--var={name}={folder}" for name in ("CONFDIR", "LOCAL_CONFDIR", "RUNDIR", "DBDIR", "LOGDIR")]
        user = ["-u", OTHERS, "-g", OTHERS] if os.geteuid() == 0 else []
        if user:
            give_away(folder)
        surroundings = environment()
        surroundings["LD_LIBRARY_PATH"] += f":{PEERS / 'usr/lib/rspamd'}"
        process = Process(folder, [PROGRAM, "-f", *user, "-c", folder / "conf", *paths], env=surroundings)

        def say(content):
            command = [CLIENT, "-h", f"127.0.0.1:{port}", "-i", "198.51.100.1", "--json", "symbols"]
            done = subprocess.run(command, env=surroundings, input=content, capture_output=True, check=True)
            symbols = json.loads(done.stdout)["symbols"]
            return tuple(
                sorted(option.rpartition("=")[2] for option in symbols.get(name, {}).get("options", ()))
                for name in ("R_DKIM_ALLOW", "R_DKIM_REJECT")
            )

        process.await_that(lambda: _is_up(port))
        yield say
        process.stop()


def _is_up(port):
    with (
        contextlib.suppress(OSError),
        urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=PATIENCE_S) as reply,
    ):
        return reply.status == HTTPStatus.OK
    return False


@pytest.mark.parametrize("name", some(BODIES, 2))
def test_rspamd_believes_what_the_relay_signs(relay, box, ports, judge, name):
    """Both signatures, whatever is in the message; its keys come from the zone file that we print.

    Every second body; all in a whole run.
    """
    hand_over((places.RELAY, ports.relay), [to := f"rspamd-{name}@home.example"], message(name))
    [kept] = box.wait(to)
    assert (sorted(SELECTORS), []) == judge(kept.content)


def test_rspamd_notices_a_rewriter(relay, box, ports, judge):
    """A tag in the subject, another word in the body: as a mailing list would."""
    hand_over((places.RELAY, ports.relay), ["rspamd-rewritten@home.example"], message("plain"))
    [kept] = box.wait("rspamd-rewritten@home.example")
    for old, new in ((b"Subject: ", b"Subject: [list] "), (b"Hello.", b"Hullo.")):
        assert ([], sorted(SELECTORS)) == judge(kept.content.replace(old, new))
