"""What every table of the settings is, and the numbers they have in common."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]


LENIENT = "lenient"  # in the context: keys that disagree are let through, so that the rest can be looked at


class DisagreementError(ValueError):
    """What the keys of a table contradict each other in, a sentence for each."""

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__("\n".join(sentences))
        self.sentences = sentences


class SettingsTable(BaseModel):
    """A table of the settings file. What it does not know is an error; once read it does not change."""

    # Deferred, only the whole file gets a validator: one for each table would cost more than reading a file
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, defer_build=True)

    def disagreements(self) -> Iterator[str]:
        """What its keys, each of them right by itself, contradict each other in: all of it, not the first."""
        return iter(())

    @model_validator(mode="after")
    def _agrees(self, info: ValidationInfo) -> Self:
        found = () if (info.context or {}).get(LENIENT) else tuple(self.disagreements())
        if found:
            raise DisagreementError(found)
        return self
