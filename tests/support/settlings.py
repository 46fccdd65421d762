"""Attempts and their times, for the tests of settling and bounces."""

from ipaddress import ip_address

from postroad.pace import RetrySchedule
from postroad.words.outcome import Outcome, Phase, Result, Scope
from postroad.words.trail import Target

SCHEDULE = RetrySchedule(first_s=300, jitter=0)

OK = Outcome(Result.DELIVERED, Scope.MESSAGE, "250 ok", "2.0.0", Phase.DOT)

LATER = Outcome(Result.DEFERRED, Scope.RECIPIENT, "450 later", "4.2.0", Phase.RCPT)

NEVER = Outcome(Result.FAILED, Scope.RECIPIENT, "550 no", "5.1.1", Phase.RCPT)

AWAY = Outcome(Result.DEFERRED, Scope.HOST, "connection refused", "4.4.1", Phase.CONNECT)

TARGET = Target("mail.example.com", ip_address("192.0.2.1"), 10)
