"""What every table of the settings is, and the numbers they have in common."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Port = Annotated[int, Field(ge=1, le=65535)]
Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]


class SettingsTable(BaseModel):
    """A table of the settings file. What it does not know is an error; once read it does not change."""

    # Deferred, only the whole file gets a validator: one for each table would cost more than reading a file
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, defer_build=True)
