"""What `check` does with a domain (floor 6): gather the evidence, run the rules, weigh the findings.

Rule 1: what may be asked is said in `Sources`, once for all domains; offline sources never touch the network.
Rule 2: domains share what they have in common: each name is resolved once, each address visited once.
Rule 3: a domain in trouble is a result; what fails at a host is a fact of the evidence; only bad input is an error.
Rule 4: a visit is one connection, no mail, QUIT at the end; a second only to read a certificate that is not trusted.
Recipients are asked for only in a deep one, which its owner has confirmed; nothing is ever sent to them.

Stops: `evidence` (a domain -> Evidence), `policies` (SPF, MTA-STS, TLSA, DKIM records, TLS reports),
`servers` (each authoritative server, sizes of answers), `published` (the records of our keys at each of them), `visit`
(one SMTP session), `survey` (all of them, after a control target said that port 25 is open from here), `certificate`
(what a server showed), `shares` (who is asked first, once for each shape), `sources` (live DNS, zone files, saved
look-ups), `verdict` (what is ignored or accepted, and the exit status), `bulk` (many domains, a few at a time),
`resume` (what an earlier run has done), `protection` (for `tls`: what protects mail on its way), `troubles` (what
advice must know of it), `taken` (the names that advice must not make).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.examine.bulk import check_all, check_one
    from postroad.examine.evidence import Sources, examine
    from postroad.examine.protection import (
        AddressSeen,
        ExchangerSeen,
        LookSettings,
        PolicySeen,
        Protection,
        TlsaSeen,
        TlsResult,
        TlsVerdict,
        look,
    )
    from postroad.examine.published import (
        KeySources,
        KeyStatus,
        PublishedKey,
        RecordAt,
        ask_everybody,
        ask_servers,
        key_status,
        wait_for_records,
    )
    from postroad.examine.resume import done_in
    from postroad.examine.sources import SourceOptions, build_sources, read_snapshot
    from postroad.examine.survey import Survey
    from postroad.examine.taken import taken_names
    from postroad.examine.troubles import checker, records_evidence
    from postroad.examine.verdict import CheckTerms, Tolerated, exit_status, weigh, worst
    from postroad.examine.visit import ProbeSettings, ProbeTarget

__getattr__, __dir__ = door(
    __name__,
    bulk="check_all check_one",
    evidence="Sources examine",
    protection="AddressSeen ExchangerSeen TlsResult LookSettings PolicySeen Protection TlsaSeen TlsVerdict look",
    published="KeySources KeyStatus PublishedKey RecordAt ask_everybody ask_servers key_status wait_for_records",
    resume="done_in",
    sources="SourceOptions build_sources read_snapshot",
    survey="Survey",
    taken="taken_names",
    troubles="checker records_evidence",
    verdict="CheckTerms Tolerated exit_status weigh worst",
    visit="ProbeSettings ProbeTarget",
)
