"""Turns settings and arguments into working objects (floor 5): resolvers, TLS contexts, spools, mailers, subjects.

Rule 1: what touches the world is made here, and nowhere else, for a command, a program or a relay.
Rule 2: bad input is an InputError, a sentence that says what, where and how to fix it.
Rule 3: what is not asked for is not loaded: each stop imports a room when it makes something of it.

Stops: `subject` (a domain, a zone file or a reference set-up), `view` (the senders, mixes and outages of a simulation),
`published` (what a domain asks of TLS, for a simulation), `resolvers`, `contexts` (TLS), `documents` (MTA-STS
policies), `keys` (that sign mail), `keyfiles` (made and rotated), `spools`, `policy` (who we are, and the procedure),
`blocking` (for callers without a loop), `message` (with its envelope), `draft` (as programs submit it), `submission`
(as a spool keeps it), `rewriting` (of its sender and header), `holding` (of mail for later), `loops` (of events),
`chooser` (routes of the settings, else DNS), `mailer` (all of these together: routes, look-ups and deliveries).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.build.blocking import run_to_end
    from postroad.build.chooser import LONGEST_LIFE_S, Choice, Chooser, Followed, follow
    from postroad.build.contexts import (
        check_pem,
        check_plain,
        opportunistic_tls,
        server_tls,
        system_trust,
        trust_of,
        verified_tls,
    )
    from postroad.build.documents import (
        build_policies,
        policies_of,
        policy_fetch,
        policy_in,
        process_policies,
        steady,
        sts_policy_in,
    )
    from postroad.build.draft import Draft, Origin, addresses_named, finish_draft, parse_draft, qualified
    from postroad.build.holding import release_of
    from postroad.build.keyfiles import NewKey, begin_rotation, make_key, switch_keys
    from postroad.build.keys import KeyFile, build_signing, key_files, load_key, load_keys, sign_message
    from postroad.build.loops import loop_factory
    from postroad.build.mailer import Delivery, Mailer, Routed, Sent
    from postroad.build.message import Content, build_message, envelope_of, octets_of
    from postroad.build.policy import build_override, build_own, build_policy
    from postroad.build.published import PublishedTerms, RecordTerms, published_by, published_terms
    from postroad.build.resolvers import (
        build_resolver,
        check_servers,
        paced_resolver,
        resolver_at,
        servers_of,
        zone_resolver,
    )
    from postroad.build.rewriting import SenderError, rewritten
    from postroad.build.spools import lessons_in, open_queue, open_spool
    from postroad.build.subject import Subject, check_in_zone, destination_of, is_file, subject_of, subjects_of, zone_of
    from postroad.build.submission import NoAliasError, Submission, SubmissionRules, mail_of, mail_sent, origin_of
    from postroad.build.view import covered_by, down_of, records_of, sender_named, senders_of, sure, view_of

__getattr__, __dir__ = door(
    __name__,
    blocking="run_to_end",
    chooser="LONGEST_LIFE_S Choice Chooser Followed follow",
    contexts="check_pem check_plain opportunistic_tls server_tls system_trust trust_of verified_tls",
    documents="build_policies policies_of policy_fetch policy_in process_policies steady sts_policy_in",
    draft="Draft Origin addresses_named finish_draft parse_draft qualified",
    holding="release_of",
    keyfiles="NewKey begin_rotation make_key switch_keys",
    keys="KeyFile build_signing key_files load_key load_keys sign_message",
    loops="loop_factory",
    message="Content build_message envelope_of octets_of",
    policy="build_override build_own build_policy",
    resolvers="build_resolver check_servers paced_resolver resolver_at servers_of zone_resolver",
    rewriting="SenderError rewritten",
    mailer="Delivery Mailer Routed Sent",
    spools="lessons_in open_queue open_spool",
    submission="NoAliasError Submission SubmissionRules mail_of mail_sent origin_of",
    subject="Subject check_in_zone destination_of is_file subject_of subjects_of zone_of",
    published="PublishedTerms RecordTerms published_by published_terms",
    view="covered_by down_of records_of sender_named senders_of sure view_of",
)
