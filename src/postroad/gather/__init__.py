"""A domain -> Snapshot, and its MTA-STS policy (floor 3): every question routing has, asked once.

Rule 1: it asks and decides nothing: what an answer means for mail is the business of `routing` and `tls`.
Rule 2: the number of names asked for, and of questions under way, is limited, whatever a domain publishes.
Rule 3: a name server in trouble is a fact of the snapshot, never an exception.

Stops: `asking` (`gather`: what is needed to route; `gather_more`: what people want to see; `gather_hosts`: named
hosts), `dane` (TLSA records, and whether the resolver validates), `demands` (what DANE and MTA-STS ask of each
exchanger), `saved` (a snapshot as JSON, and read back), `sts` (the record and the policy of MTA-STS), `https` (a
document), `response` (whether it came, and whole), `policies` (those of all domains, kept and refreshed),
`looking` (what a relay has kept, for people), `report_record` (where TLS reports go).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.gather.asking import GatherSettings, gather, gather_hosts, gather_more
    from postroad.gather.dane import gather_dane, gather_dane_of_hosts, why_dane_is_off
    from postroad.gather.demands import Demands, Policies, gather_demands, gather_demands_of_hosts
    from postroad.gather.https import HTTPS_PORT, Fetched, HttpsSettings, fetch, post
    from postroad.gather.looking import (
        RefreshedPolicies,
        RelayPolicies,
        fetched_once,
        kept_policies,
        not_fetched,
    )
    from postroad.gather.policies import KIND, StsPolicies, StsWorld
    from postroad.gather.report_record import gather_report_record
    from postroad.gather.response import MAX_OCTETS
    from postroad.gather.saved import STATUS, UnreadableFactsError, facts_shape, read_lookup
    from postroad.gather.sts import (
        Fetch,
        PublishedPolicies,
        StsFetched,
        gather_sts,
        gather_sts_policy,
        gather_sts_record,
        policy_host,
    )

__getattr__, __dir__ = door(
    __name__,
    asking="GatherSettings gather gather_hosts gather_more",
    dane="gather_dane gather_dane_of_hosts why_dane_is_off",
    demands="Demands Policies gather_demands gather_demands_of_hosts",
    https="Fetched HTTPS_PORT HttpsSettings fetch post",
    looking="RefreshedPolicies RelayPolicies fetched_once kept_policies not_fetched",
    policies="KIND StsPolicies StsWorld",
    report_record="gather_report_record",
    response="MAX_OCTETS",
    saved="STATUS UnreadableFactsError facts_shape read_lookup",
    sts="Fetch PublishedPolicies StsFetched gather_sts gather_sts_policy gather_sts_record policy_host",
)
