"""The settings (floor 5): one TOML file, every key with a default, every error a sentence.

Rule 1: what a setting is, is said once, in `model`: the reader, the errors, `config show` and the reference follow.
Rule 2: only `doubts` opens what a setting names (certificates, folders), and it changes nothing.
Rule 3: `model` costs pydantic, a tenth of a second. Who hands mail over and ends, needs `brief` alone.

Stops: `finding` (where the file is), `unset` (what holds where there is none), `values` (times, sizes, networks as
people write them), `senders` (tables of them), `kinds` (the same for pydantic), `model` (every setting), `table`,
`bounds`, `aliases`, `rewrite`, `spool` and `tls_report` (of it: what all tables are, those of how much clients may
send, and four more), `contradictions` (what two of them say against each other), `loading` (a file, as the settings it
has), `brief` (some of them, in no time), `identity` (who this machine is by them), `problems` (what is wrong with a
file, in sentences), `show` (the settings in effect, as TOML, and the reference), `doubts` (what can be used, but is
hardly meant, or cannot work).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.config.brief import Brief, brief_of, load_brief
    from postroad.config.doubts import past_exceptions, warnings
    from postroad.config.finding import USUAL_FILE, find
    from postroad.config.identity import aliases_of, hostname_of, node_of
    from postroad.config.loading import SettingsFile, dump, load, read, refused, survey
    from postroad.config.model import (
        AcceptTable,
        AliasesTable,
        AuthTable,
        CheckTable,
        Config,
        DeliverTable,
        DkimTable,
        DnsTable,
        LimitsTable,
        ListenTable,
        LogTable,
        MetricsTable,
        RelayTable,
        RetryTable,
        RouteHost,
        RouteTable,
        TimeoutsTable,
        TlsTable,
    )
    from postroad.config.rewrite import rewriting_of
    from postroad.config.show import defaults, toml
    from postroad.config.spool import SpoolTable
    from postroad.config.unset import OwnPlace, own_place
    from postroad.config.values import RESERVE, read_duration, read_place, write_place

__getattr__, __dir__ = door(
    __name__,
    brief="Brief brief_of load_brief",
    doubts="past_exceptions warnings",
    finding="USUAL_FILE find",
    identity="aliases_of hostname_of node_of",
    loading="SettingsFile dump load read refused survey",
    model="AcceptTable AliasesTable AuthTable CheckTable Config DeliverTable DkimTable DnsTable LimitsTable "
    "ListenTable LogTable MetricsTable RelayTable RetryTable RouteHost RouteTable TimeoutsTable TlsTable",
    rewrite="rewriting_of",
    show="defaults toml",
    spool="SpoolTable",
    unset="OwnPlace own_place",
    values="RESERVE read_duration read_place write_place",
)
