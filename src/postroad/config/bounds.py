"""The settings of how much clients may send, and how long they may take."""

from __future__ import annotations

from pydantic import Field

from postroad.config.kinds import Duration, Size
from postroad.config.table import AtLeastOne, Count, SettingsTable
from postroad.config.values import HOLD_S, MESSAGE_SIZE, MIB


class LimitsTable(SettingsTable):
    """What clients may send. A client is an IPv4 address or an IPv6 /64."""

    message_size: Size = Field(default=MESSAGE_SIZE, description="Maximum size of a message.")
    recipients: AtLeastOne = Field(default=1000, description="Maximum recipients of a message.")
    hops: AtLeastOne = Field(default=100, description="Maximum Received fields of a message; more mean a mail loop.")
    connections: AtLeastOne = Field(default=1000, description="Maximum connections, total.")
    connections_per_client: AtLeastOne = Field(default=100, description="Maximum connections per client.")
    messages_per_connection: Count = Field(default=0, description="Maximum messages per connection; 0: no limit.")
    messages_per_minute: Count = Field(default=0, description="Maximum messages a minute per client; 0: no limit.")
    errors: AtLeastOne = Field(default=20, description="Refused commands after which the connection is closed.")
    idle_commands: AtLeastOne = Field(
        default=100, description="Maximum NOOP, RSET and similar commands between two messages."
    )
    auth_failures: AtLeastOne = Field(default=3, description="Wrong passwords after which the connection is closed.")
    auth_failures_per_minute: AtLeastOne = Field(
        default=20, description="Maximum wrong passwords a minute per client, at all relays on the spool together."
    )
    hold: Duration = Field(
        default=HOLD_S,
        description="How far ahead the sender of a message may set the time of its delivery (FUTURERELEASE, RFC 4865; "
        "`sendmail --at`); 0: not at all. Only for clients that may relay.",
    )
    memory: Size = Field(
        default=64 * MIB, description="Maximum memory for incoming messages, all connections together."
    )


class TimeoutsTable(SettingsTable):
    """How long a client may take."""

    command: Duration = Field(
        default=300.0, description="Wait this long for the next command. RFC 5321 requires at least 5 minutes."
    )
    block: Duration = Field(default=180.0, description="Longest pause within a message.")
    tls: Duration = Field(default=60.0, description="Time limit for the TLS handshake.")
    session: Duration = Field(
        default=3600.0, description="Longest session; a message that is arriving then gets `block` more to finish."
    )
    least_rate: Count = Field(
        default=100, description="Slowest rate at which a message may arrive, in octets a second."
    )
