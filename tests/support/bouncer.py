"""A PgBouncer in transaction mode in front of a server: each transaction has another session."""

import os
import subprocess
import time

from tests.interop.packages import PEERS, environment
from tests.support.patience import PATIENCE_S
from tests.support.postgres import _user

BOUNCER = PEERS / "usr/sbin/pgbouncer"
SETTINGS = """
[databases]
* = host={server} user=postgres
[pgbouncer]
listen_addr =
unix_socket_dir = {room}
auth_type = any
pool_mode = transaction
default_pool_size = {sessions}
server_lifetime = 3600
server_round_robin = 1
server_login_retry = 1
pidfile = {room}/pid
logfile = {room}/log
"""


def start(room, server, sessions=2):
    """Start one whose socket is in a folder, with so many sessions for all clients."""
    room.mkdir()
    (room / "settings").write_text(SETTINGS.format(server=server.root, room=room, sessions=sessions))
    if _user():
        os.chown(room, _user(), -1)
    subprocess.run([BOUNCER, "-d", "-q", room / "settings"], env=environment(), user=_user(), check=True, cwd="/")
    given_up_at = time.monotonic() + PATIENCE_S
    while not (room / "pid").exists():  # it leaves for the background first, and opens its socket there
        assert time.monotonic() < given_up_at, (room / "log").read_text()
        time.sleep(0.005)


def stop(room, how):
    """Send it a signal."""
    os.kill(int((room / "pid").read_text()), how)
