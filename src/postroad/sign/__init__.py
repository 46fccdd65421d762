"""DKIM signatures (floor 1): which key signs a message, and its DKIM-Signature fields (RFC 6376, 8301, 8463, 8616).

Rule 1: a message is hashed while its pieces stream past, in any cut, and never held whole.
Rule 2: what is signed is what is stored: nothing after it may change a field that is named in h=, or the body.
Rule 3: no key of the author's domain, no signature; a message that readers could take in two ways is not signed.

Stops: `fields` (a header taken apart), `canonical` (header and body as they are hashed), `keys` (a key file, and when a
key signs), `record` (its record in DNS), `rotation` (a key and its successor), `author` (whose domain signs),
`signature` (the field, its tags and folds), `signer` (one message).
"""

from typing import TYPE_CHECKING

from postroad.words.doors import door

if TYPE_CHECKING:
    from postroad.sign.canonical import BodyHash, Form
    from postroad.sign.keys import (
        GOOD_BITS,
        LEAST_BITS,
        MOST_BITS,
        NOT_BEFORE,
        KeyState,
        SigningKey,
        moment_text,
        read_key,
        with_lines,
    )
    from postroad.sign.record import (
        KeyRecord,
        RecordFault,
        RecordFaultKind,
        judge,
        parse_record,
        record_of,
        strings_of,
        zone_text,
    )
    from postroad.sign.rotation import (
        ED25519,
        KINDS,
        RSA,
        KeyEdit,
        RotationPlan,
        kind_of,
        next_selector,
        plan_rotation,
        removable_at,
        switch,
    )
    from postroad.sign.signature import surplus
    from postroad.sign.signer import HEADER, MessageSigner, SigningPolicy, Unsigned, author_of, whole_lines

__getattr__, __dir__ = door(
    __name__,
    canonical="BodyHash Form",
    keys="GOOD_BITS LEAST_BITS MOST_BITS NOT_BEFORE KeyState SigningKey moment_text read_key with_lines",
    record="KeyRecord RecordFault RecordFaultKind judge parse_record record_of strings_of zone_text",
    rotation="ED25519 KINDS RSA KeyEdit RotationPlan kind_of next_selector plan_rotation removable_at switch",
    signature="surplus",
    signer="HEADER MessageSigner SigningPolicy Unsigned author_of whole_lines",
)
