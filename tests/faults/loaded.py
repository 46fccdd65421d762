"""All that a relay loads; see `nursery`."""

from importlib import import_module

from tests.faults import child

LOADED = (
    "ctypes", "resource", "uvloop", "postroad.cli.root", "postroad.build", "postroad.config", "postroad.relay.process",
    "postroad.relay.service", "postroad.spool.sqlite", "postroad.views.text.blocks", "tests.faults.nursery",
)  # fmt: skip
for name in LOADED:
    import_module(name)

__all__ = ["child"]
