"""A walk that can be forked, so that the simulation can follow every way an attempt may take.

It decides as any other, for it is one; what it can besides is to fork, and to say when two go on alike.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable

from postroad.routing.walk import Candidate, CandidateState, Heard, OpenContact, Walk, combined
from postroad.words.trail import Target


class ForkingWalk(Walk):
    """A walk that can be forked, and compared with others."""

    def fork(self, targets: tuple[Target, ...]) -> ForkingWalk:
        """Another walk that has come as far, with these targets in the place of the last one, just started.

        So a plan can be drawn while it is walked: what comes last in it stands for all that is not yet drawn.
        """
        last = len(self._contacts) - 1
        return self._copy(targets, last, without=self._open[last].candidate)

    def copy(self) -> ForkingWalk:
        """The same, to go its own way."""
        return self._copy((), len(self._contacts))

    def _copy(self, targets: tuple[Target, ...], contacts: int, without: Candidate | None = None) -> ForkingWalk:
        other = ForkingWalk((), 0, self.policy, now=self._begun)
        copies = {
            id(candidate): _copied(candidate)
            for candidate in self._all_candidates()
            if candidate is not without and self._matters(candidate)
        }
        other._candidates = [*copies.values(), *map(Candidate, targets)]
        other._targets = tuple([candidate.target for candidate in other._candidates])
        other._open = {
            number: OpenContact(copies[id(contact.candidate)], contact.started, contact.greeting_due)
            for number, contact in self._open.items()
            if number < contacts
        }
        other._settled = [*self._settled]
        other._heard = {
            index: Heard([*heard.answers], {*heard.refused_by}, heard.ceiling) for index, heard in self._heard.items()
        }
        other._contacts = self._contacts[:contacts]
        return other

    @property
    def may_be_asked(self) -> tuple[Target, ...]:
        """Who is being contacted, or may yet be."""
        return tuple([candidate.target for candidate in self._all_candidates() if self._matters(candidate)])

    def standing(self, now: float, kind: Callable[[Target], Hashable]) -> Hashable:
        """All that its future depends on, with times from now: walks of one standing go on alike.

        `kind` says which targets behave alike.
        """
        names: dict[str, int] = {}
        started = {
            id(open_.candidate): (round(now - open_.started, 6), open_.greeting_due) for open_ in self._open.values()
        }
        candidates = [
            (
                kind(candidate.target),
                names.setdefault(candidate.target.exchange, len(names)),
                candidate.target.preference,
                candidate.clear,
                started.get(id(candidate)),
                self._allowed(candidate.target),
            )
            for candidate in self._all_candidates()
            if self._matters(candidate)
        ]
        said = [(index, _said(heard)) for index, heard in self._heard.items()]
        return tuple(candidates), tuple(said), tuple([settled and settled.result for settled in self._settled])

    def _matters(self, candidate: Candidate) -> bool:
        """Whether it is open, or may be."""
        return candidate.state is CandidateState.OPEN or (
            candidate.state is CandidateState.FRESH and bool(self._allowed(candidate.target))
        )


def _copied(candidate: Candidate) -> Candidate:
    other = Candidate(candidate.target)
    other.state, other.clear = candidate.state, candidate.clear
    return other


def _said(heard: Heard) -> Hashable:
    """What it comes to for a recipient if nobody says more, and the highest preference that may."""
    return combined(heard.answers).result, heard.ceiling
