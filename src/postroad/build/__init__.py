"""What people write becomes what works (floor 5): resolvers, TLS contexts, spools, roads, and what is asked of them.

Rule 1: whatever touches the world is made here and handed up; no other room makes one for a command or a relay.
Rule 2: bad input is an InputError, a sentence that says what, where and how to fix it.
Rule 3: what is not asked for is not loaded: each stop imports its rooms when it makes something of them.

Stops: `subject` (a domain, a zone file or a reference set-up), `view` (the senders, mixes and outages of a simulation),
`road` (routes, look-ups and deliveries).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.build.road import (
        Delivery,
        Road,
        Routed,
        Sent,
        build_message,
        build_own,
        build_policy,
        build_resolver,
    )
    from postroad.build.subject import (
        Subject,
        check_in_zone,
        destination_of,
        is_file,
        load,
        subject_of,
        subjects_of,
    )
    from postroad.build.view import down_of, sender_named, view_of

__getattr__ = door(
    __name__,
    road="Delivery Road Routed Sent build_message build_own build_policy build_resolver",
    subject="Subject check_in_zone destination_of is_file load subject_of subjects_of",
    view="down_of sender_named view_of",
)
