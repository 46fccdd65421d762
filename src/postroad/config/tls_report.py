"""The table of the settings that is about TLS reports."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from postroad.config.kinds import MailAddress
from postroad.config.table import SettingsTable
from postroad.config.values import quoted


def _seen(text: str) -> str:
    if not text.isprintable():
        raise ValueError(f"{quoted(text)} has a character that cannot be seen; write it without")
    return text


class TlsReportTable(SettingsTable):
    """Daily reports to domains that ask for them (RFC 8460): how often TLS met their policy, and why it did not."""

    enabled: bool = Field(
        default=False,
        description="Whether sessions are counted and reports sent. Receivers must ignore reports without a DKIM"
        " signature of the domain in `sender`.",
    )
    sender: MailAddress | None = Field(
        default=None, description="Who reports are from. Unset: `tls-reports` at `hostname`."
    )
    contact: MailAddress | None = Field(
        default=None,
        description="Whom to ask about a report, at the domain of `sender`. Unset: the `sender`.",
    )
    organization: Annotated[str, Field(max_length=200), AfterValidator(_seen)] = Field(
        default="", description="The name that reports carry. Empty: the domain of `sender`."
    )

    def disagreements(self) -> Iterator[str]:
        """What its keys contradict each other in."""
        if self.contact and not self.sender:
            yield "contact needs sender: both are addresses at one domain"
        if self.contact and self.sender and self.contact.domain != self.sender.domain:
            yield (
                f"contact is at {self.contact.domain}, but sender at {self.sender.domain}; receivers require one domain"
                " (RFC 8460 section 5.3)"
            )
