"""The relay as a process (floor 6): builds the rooms from a settings file and runs them together.

Rule 1: nothing of mail is decided here: `receive` takes it, the spool keeps it, `deliver` sends it.
Rule 2: a stop is orderly: no new mail, then no new deliveries, then what is unfinished is given back to the spool.

Stops: `settings` (from the file to the rooms' own), `check` (whether what a file names is there and can be used),
`finder` (the way to a destination), `preview` (the same for who only asks), `tls_reports` (what receivers hear of TLS),
`intake` (into the spool), `delivery` (the loop, or what stands for it), `process` (the relay), `guesses` (wrong
passwords at all relays), `reload` (what a change of the settings changes), `service` (signals, systemd), `listeners`
(of a process), `notices` (what the settings come to meanwhile), `split` (delivery by another process), `child` (its
life), `deliverer` (that process itself), `deliverer_settings` (what it is sent), `event_bus` (who hears of it),
`journal` (the log), `log_lines` (what it can say), `counts` (what is counted), `tally` (how much), `metrics` (numbers
over HTTP), `pages` (HTTP), `story` (of one message, for people), `overruling` (what people decide about mail that
waits).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.relay.check import problems
    from postroad.relay.deliverer import deliver
    from postroad.relay.overruling import GivenUp, give_up, move
    from postroad.relay.preview import mailer_as_relay, policies_as_relay
    from postroad.relay.process import Relay
    from postroad.relay.service import keep_standard_descriptors, serve
    from postroad.relay.settings import NextHop, RelaySettings, relay_settings, resolver_of, submitter_of
    from postroad.relay.story import chapter
    from postroad.relay.tls_reports import ReportStore

__getattr__, __dir__ = door(
    __name__,
    check="problems",
    deliverer="deliver",
    overruling="GivenUp give_up move",
    preview="mailer_as_relay policies_as_relay",
    process="Relay",
    service="keep_standard_descriptors serve",
    settings="NextHop RelaySettings relay_settings resolver_of submitter_of",
    story="chapter",
    tls_reports="ReportStore",
)
