"""The kinds of values in a settings file, as pydantic types."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainSerializer, PlainValidator, ValidationInfo

from postroad.config.values import (
    Network,
    read_address,
    read_domain,
    read_duration,
    read_endpoint,
    read_exchanger,
    read_host,
    read_mailbox,
    read_network,
    read_node_name,
    read_path,
    read_pattern,
    read_place,
    read_provider,
    read_refusals,
    read_route_name,
    read_server,
    read_size,
    read_targets,
    write_duration,
    write_place,
    write_size,
    write_targets,
)
from postroad.spool.postgres import is_url, without_password
from postroad.words.mail import Mailbox
from postroad.words.names import Address


def _database(value: Any) -> str:  # noqa: ANN401  # whatever stands in the file
    """The URL of a database; what it may have of a password is in no error."""
    if isinstance(value, str) and is_url(value):
        return value
    raise ValueError(
        'this is not the URL of a database; write one, such as "postgresql://postroad@db.example/mail", or a folder as '
        "path below [spool]"
    )


def _path(value: Any, info: ValidationInfo) -> Path:  # noqa: ANN401  # whatever stands in the file
    return read_path(value, (info.context or {}).get("folder", ""), info.field_name or "")


_AS_TEXT = PlainSerializer(str)

Duration = Annotated[float, PlainValidator(read_duration), PlainSerializer(write_duration)]
Size = Annotated[int, PlainValidator(read_size), PlainSerializer(write_size)]
DomainName = Annotated[str, PlainValidator(read_domain)]
Pattern = Annotated[str, PlainValidator(read_pattern)]
ExchangerPattern = Annotated[str, PlainValidator(read_exchanger)]
ProviderKey = Annotated[str, PlainValidator(read_provider)]
NodeName = Annotated[str, PlainValidator(read_node_name)]
RouteName = Annotated[str, PlainValidator(read_route_name)]
Refusals = Annotated[tuple[str, ...], PlainValidator(read_refusals), PlainSerializer(write_targets)]
NetworkRange = Annotated[Network, PlainValidator(read_network), _AS_TEXT]
IpAddress = Annotated[Address, PlainValidator(read_address), _AS_TEXT]
Host = Annotated[str | Address, PlainValidator(read_host), _AS_TEXT]
Database = Annotated[str, PlainValidator(_database), PlainSerializer(without_password)]
File = Annotated[Path, PlainValidator(_path), _AS_TEXT]
MailAddress = Annotated[Mailbox, PlainValidator(read_mailbox), _AS_TEXT]
Server = Annotated[str, PlainValidator(read_server)]
Place = Annotated[tuple[str | Address, int | None], PlainValidator(read_place), PlainSerializer(write_place)]
Targets = Annotated[tuple[str, ...], PlainValidator(read_targets), PlainSerializer(write_targets)]
Listening = Annotated[
    tuple[Address, int] | None,
    PlainValidator(read_endpoint),
    PlainSerializer(lambda place: write_place(place) if place else ""),
]
