"""Mail of a Django project: EMAIL_BACKEND = "postroad.django.EmailBackend".

POSTROAD in the settings says how; all of it may be left out:

    POSTROAD = {"mode": "enqueue", "spool": "/var/spool/postroad"}
    POSTROAD = {"mode": "send", "smarthost": "smtp.example.net:587", "login": ("user", "password")}

`mode`: "enqueue" puts mail into the spool of a relay, which delivers it, retries and reports; "send" delivers it at
once. With "enqueue" `spool` and `config` are as for `postroad.enqueue`; with "send" the other keys are fields of
`postroad.SendOptions`, and EMAIL_TIMEOUT is its `timeout_s` where that is not given.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any

from django.conf import settings  # type: ignore[import-untyped]  # it has no types of its own
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]  # as above
from django.core.mail.backends.base import BaseEmailBackend  # type: ignore[import-untyped]  # as above

from postroad.build import Sent, run_to_end
from postroad.sending import Client, SendOptions, enqueue
from postroad.spool import SpoolError
from postroad.words.inputs import InputError
from postroad.words.outcome import Result

_BATCH_S = 60.0  # a connection is not given up between messages that come together
_MOST_SHOWN = 10  # messages, in an error
_OF_ENQUEUE = ("spool", "config")


class NotDeliveredError(Exception):
    """The error that some messages did not reach all of their recipients: nobody tries them again.

    `sent` has the outcomes, those of messages that arrived among them.
    """

    def __init__(self, sent: tuple[Sent, ...]) -> None:
        self.sent = sent
        failed = [repr(each) for each in sent if each.result is not Result.DELIVERED]
        more = [f"and {len(failed) - _MOST_SHOWN:,} more"] if len(failed) > _MOST_SHOWN else []
        shown = "; ".join([*failed[:_MOST_SHOWN], *more])
        super().__init__(f"{len(failed)} of {len(sent)} messages not delivered: {shown}")


class EmailBackend(BaseEmailBackend):  # type: ignore[misc]  # its base has no types
    """The email backend: enqueues or sends as POSTROAD in the settings says; keywords take the place of its keys."""

    def __init__(self, fail_silently: bool = False, **given: Any) -> None:  # noqa: ANN401, FBT001, FBT002  # as Django calls it
        super().__init__(fail_silently=fail_silently)
        configured = getattr(settings, "POSTROAD", {})
        if not isinstance(configured, Mapping):
            raise ImproperlyConfigured('POSTROAD is not a dict; write one, as {"mode": "enqueue"}')
        self._how = dict(configured) | {key: value for key, value in given.items() if key in _keys()}
        self._mode = self._how.pop("mode", "enqueue")
        _check(self._how, self._mode)
        try:
            self._options = None if self._mode == "enqueue" else _options(self._how)
        except InputError as problem:
            raise ImproperlyConfigured(f"POSTROAD: {problem}") from problem

    def send_messages(self, email_messages: Iterable[Any]) -> int:
        """Enqueue or send; how many messages are durable, or have reached all of their recipients.

        Raises:
            InputError: an address or a message cannot be used.
            SpoolError: the spool cannot take it now.
            NotDeliveredError: with mode "send", some did not reach all of their recipients.

        """
        # Made here, so that a wrong header is Django's own error, before anything is sent
        messages = [(each.message(), each.from_email, each.recipients()) for each in email_messages or ()]
        messages = [(message, sender, recipients) for message, sender, recipients in messages if recipients]
        if not messages:
            return 0
        done: list[object] = []
        try:
            run_to_end(lambda: self._deliver(messages, done))
        except (InputError, SpoolError, NotDeliveredError):
            if not self.fail_silently:
                raise
        return len(done)

    async def _deliver(self, messages: list[tuple[Any, str, list[str]]], done: list[object]) -> None:
        """Fill `done` as it goes: what is durable counts, whatever follows. In silence one failure stops no other."""
        passed = (InputError, SpoolError) if self.fail_silently else ()
        if self._options is not None:
            await _send_all(self._options, messages, done, passed)
            return
        for message, sender, recipients in messages:
            with suppress(*passed):
                done.append(await enqueue(message, sender=sender or None, recipients=recipients, **self._how))


async def _send_all(
    options: SendOptions,
    messages: list[tuple[Any, str, list[str]]],
    done: list[object],
    passed: tuple[type[Exception], ...],
) -> None:
    tried = []
    async with Client(options, idle_s=_BATCH_S) as client:
        for message, sender, recipients in messages:
            with suppress(*passed):
                sent = await client.send(message, sender=sender or None, recipients=recipients)
                tried.append(sent)
                if sent.result is Result.DELIVERED:
                    done.append(sent)
    if len(done) < len(tried):
        raise NotDeliveredError(tuple(tried))


def _keys() -> tuple[str, ...]:
    return ("mode", *_OF_ENQUEUE, *(field.name for field in fields(SendOptions)))


def _check(how: Mapping[str, object], mode: object) -> None:
    """Nothing, or what is wrong with the keys of POSTROAD."""
    if mode not in ("enqueue", "send"):
        raise ImproperlyConfigured(f'POSTROAD: mode {mode!r} is neither "enqueue" nor "send"')
    known = _OF_ENQUEUE if mode == "enqueue" else [field.name for field in fields(SendOptions)]
    for key in how:
        if key not in known:
            near = difflib.get_close_matches(key, known, 1)
            fix = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}"
            raise ImproperlyConfigured(f"POSTROAD: {key!r} is not a key of mode {mode!r}; {fix}")


def _options(how: Mapping[str, Any]) -> SendOptions:
    return SendOptions(**{"timeout_s": getattr(settings, "EMAIL_TIMEOUT", None), **how})
