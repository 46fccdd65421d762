"""An SMTP reply, its class and enhanced status."""

from __future__ import annotations

import re

from postroad.words.light import light

_ENHANCED = re.compile(r"([245])\.(\d{1,3})\.(\d{1,3})(?=\s|\Z)")


@light(frozen=True, slots=True)
class Reply:
    """Three digits and one text or more (RFC 5321 section 4.2). Lines hold no code and no CRLF."""

    code: int
    lines: tuple[str, ...] = ("",)

    @property
    def is_positive(self) -> bool:
        """2yz or 3yz: done, or go on."""
        return self.code // 100 in (2, 3)

    @property
    def is_temporary(self) -> bool:
        """4yz: not now."""
        return self.code // 100 == 4

    @property
    def is_permanent(self) -> bool:
        """5yz: no."""
        return self.code // 100 == 5

    @property
    def enhanced(self) -> str | None:
        """The enhanced code in front of the text (RFC 2034), if there is one and its class agrees with the code."""
        found = _ENHANCED.match(self.lines[0])
        return found.group() if found and found.group(1) == str(self.code // 100) else None

    @property
    def text(self) -> str:
        """The lines joined by one space, enhanced code included."""
        return self.lines[0] if len(self.lines) == 1 else " ".join([line for line in self.lines if line])

    def __str__(self) -> str:
        text = self.lines[0] if len(self.lines) == 1 else self.text
        return f"{self.code} {text}".rstrip()
