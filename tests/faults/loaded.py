"""All that a relay loads, and has made of its settings before it reads them; see `nursery`."""

from importlib import import_module
from importlib.util import find_spec
from multiprocessing import spawn

from tests.faults import child

from postroad.config import Config

LOADED = (
    "ctypes", "encodings.utf_8_sig", "importlib.readers", "multiprocessing.popen_forkserver", "resource", "uvloop",
    "dns.rdtypes.ANY.CNAME", "dns.rdtypes.ANY.MX", "dns.rdtypes.ANY.SOA", "dns.rdtypes.ANY.TXT", "dns.rdtypes.IN.A",
    "dns.rdtypes.IN.AAAA", "dns.zonefile", "typer._click.decorators", "postroad.build.loops", "postroad.cli.deliverer",
    "postroad.cli.root", "postroad.config.loading", "postroad.dns.master", "postroad.net.descriptors",
    "postroad.relay.process", "postroad.relay.service", "postroad.spool.opening", "postroad.spool.sqlite.spool",
    "postroad.views.text.blocks", "tests.faults.nursery",
    *(["postroad.spool.postgres.spool"] if find_spec("asyncpg") else ()),
)  # fmt: skip
for name in LOADED:
    import_module(name)
Config()
# Each fork would have the main module of the run as well: that is pytest, which takes longer than a relay to start
spawn._fixup_main_from_name = spawn._fixup_main_from_path = lambda _: None

__all__ = ["child"]
