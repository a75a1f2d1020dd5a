"""The specification of the functions' log lines, which defines the lines that can follow others.

A token secret has one published version at a time. A run of a function replaces it with a new version at most once, a
replaced version never comes back by itself, and no other program publishes versions. Each run writes one line when it
ends. The line says what the run did and which version was published at that time. So the lines of an account can be
checked against each other in any order.

The tests check every implementation of the ports against this specification, and `conformance.py` checks a production
log.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from log_line import FAILED, LOST, SEEN, Impossible, Line
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome
from talend_token.document import advisory_seconds

CREDENTIALS_CHANGED = "credentials changed"
LEFT_STAGED = "published a token that an interrupted run had left staged"

_ROTATE = {
    Outcome.ROTATED,
    Outcome.FRESH,
    Outcome.UNCHANGED,
    Outcome.SUPERSEDED,
    Outcome.IN_PROGRESS,
    Outcome.WAITING_FOR_CREDENTIALS,
    Outcome.CHECKED,
}
_OUTCOMES: dict[str, set[Outcome]] = {
    Trigger.SCHEDULE: _ROTATE,
    Trigger.WATCHDOG: _ROTATE,
    # A forced rotation always replaces the token, and it fails if the credentials are missing.
    Trigger.MANUAL: _ROTATE - {Outcome.FRESH, Outcome.WAITING_FOR_CREDENTIALS},
    CREDENTIALS_CHANGED: (_ROTATE | {Outcome.IGNORED}) - {Outcome.WAITING_FOR_CREDENTIALS},
    Trigger.REJECTED: {
        Outcome.ROTATED,
        Outcome.SUPERSEDED,
        Outcome.IN_PROGRESS,
        Outcome.TOO_SOON,
        Outcome.BUDGET_EXHAUSTED,
    },
}
# After any other error, a version may still have been published, because only the answer was lost.
_PUBLISHED_NOTHING = {
    "InvalidSettings",
    "InvalidEvent",
    "InvalidApiUrl",
    "CredentialsError",
    "NoCredentialsYet",
    "LockUnavailable",
    "CircuitOpen",
    "CredentialsRefused",
    "TokenUnavailable",
    "InvalidTokenResponse",
    "RejectedTokenAgain",
    "TokenRejectedByProbe",
}
# Secrets Manager is eventually consistent, but AWS does not publish a figure.
STALE_SECONDS = 5.0
# `remaining_seconds` is rounded, and the clocks of two machines differ.
_CLOCK_SECONDS = 2.5
# A lock stays for at most the longest timeout of a function after its holder has stopped.
_LOCK_SECONDS = 61
_DAY_SECONDS = 86_400
_VERSIONS_A_DAY = 100
# A younger token is replaced neither by the schedule nor for a consumer.
_YOUNG_FRACTION = 30


def check(lines: Iterable[Line], *, stale_seconds: float = STALE_SECONDS) -> None:
    """Check lines against the specification, in any order.

    `stale_seconds` is for how long a reader may still see a version that has been replaced.

    Raises:
        Impossible: a line cannot have been written. The error holds the line and the reason.
    """
    accounts: dict[str, list[Line]] = defaultdict(list)
    for line in sorted(lines, key=lambda line: (line.at, line.began)):
        accounts[line.account].append(line)
    unknown = accounts.pop("", [])
    for found in accounts.values():
        account = _Account(sorted([*found, *unknown], key=lambda line: (line.at, line.began)), stale_seconds)
        account.check()


class _Life(NamedTuple):
    """The shortest and the longest time in seconds for which a token can have been issued."""

    shortest: float
    longest: float


@dataclass
class _Publication:
    """One version of a token secret, with the widest limits for its publication time that the lines allow."""

    version_id: str
    earliest: float = float("-inf")
    latest: float = float("-inf")
    line: Line | None = None
    """The line of the run that reports it."""
    expires_at: float | None = None

    @property
    def life(self) -> _Life | None:
        """For how long the token was issued, if the lines show it."""
        if self.line is None or not self.line.remaining_seconds or LEFT_STAGED in self.line.warnings:
            return None
        # The run requested the token after it began, and the line reports what was left at its end.
        return _Life(self.line.remaining_seconds, self.line.remaining_seconds + self.line.at - self.line.began)


@dataclass
class _Account:
    lines: Sequence[Line]
    stale_seconds: float
    publications: dict[str, _Publication] = field(default_factory=dict)
    _unmatched: list[Line] = field(default_factory=list)
    """The runs that may have published a version, as far as no line shows it."""

    def check(self) -> None:
        self._note_reported()
        self._note_unreported()
        self._ordered = sorted(self.publications.values(), key=lambda publication: publication.latest)
        self._latest = [publication.latest for publication in self._ordered]
        self._newest: list[_Publication] = []
        for publication in self._ordered:
            newest = self._newest[-1] if self._newest else publication
            self._newest.append(max(newest, publication, key=lambda one: one.earliest))
        for line in self.lines:
            for why in self._problems(line):
                raise Impossible(line, why)

    # --- which versions were published, and when ---

    def _note_reported(self) -> None:
        for line in self.lines:
            if line.outcome != Outcome.ROTATED or line.version_id is None:
                continue
            if line.version_id in self.publications:
                raise Impossible(line, f"version {line.version_id} was reported as published before, by another run")
            self.publications[line.version_id] = _Publication(
                line.version_id, line.began, line.at, line, line.expires_at
            )
        moments = [publication.latest for publication in self.publications.values()]
        for number, moment in enumerate(moments):
            if number >= _VERSIONS_A_DAY and moments[number - _VERSIONS_A_DAY] > moment - _DAY_SECONDS:
                line = next(line for line in self.lines if line.outcome == Outcome.ROTATED and line.at == moment)
                raise Impossible(line, "Secrets Manager does not keep more than 100 versions within 24 hours")

    def _note_unreported(self) -> None:
        """Note the versions that no line reports: those from before the first line, and those of failed runs."""
        runs = [line for line in self.lines if _may_have_published(line)]
        self._unmatched = list(runs)
        first: Line | None = None
        last_began = {line.version_id: line.began for line in self.lines}
        for line in self.lines:
            if line.version_id is None or line.version_id in self.publications:
                continue
            if last_began[line.version_id] <= self.lines[0].began + self.stale_seconds:
                # It may have been replaced before the first line, and only stale reads showed it.
                self.publications[line.version_id] = _Publication(line.version_id)
                continue
            since = self._last_seen_another(line)
            able = [run for run in runs if run.began <= line.at and run.at >= since]
            may_be_first = not self._was_reported_before(line) and (
                first is None or line.began <= first.at + self.stale_seconds
            )
            publication = _Publication(line.version_id)
            if able:
                publication.latest = line.at
                if not may_be_first:
                    publication.earliest = max(since, min(run.began for run in able))
            if first is None and may_be_first:
                first = line
            else:
                run = next((run for run in self._unmatched if run in able), None)
                if run is None:
                    raise Impossible(line, f"version {line.version_id} is published, and no run can have published it")
                self._unmatched.remove(run)
            self.publications[line.version_id] = publication

    def _last_seen_another(self, line: Line) -> float:
        """Return a time at which another version than the line's was still published."""
        end = bisect_left(self.lines, line.began - self.stale_seconds, key=lambda other: other.at)
        others = (other for other in reversed(self.lines[:end]) if other.version_id not in (None, line.version_id))
        other = next(others, None)
        return other.began - self.stale_seconds - _CLOCK_SECONDS if other else float("-inf")

    def _was_reported_before(self, line: Line) -> bool:
        return any(
            publication.line is not None and publication.latest < line.began - self.stale_seconds
            for publication in self.publications.values()
        )

    # --- each line ---

    def _problems(self, line: Line) -> Iterator[str]:
        if line.outcome in (FAILED, LOST):
            return
        if line.outcome != SEEN:
            yield from self._allowed(line)
        if line.version_id is not None:
            yield from self._published_at_that_time(line, self.publications[line.version_id])
        rule = getattr(self, f"_{line.outcome}", None)
        if rule:
            yield from rule(line)

    def _allowed(self, line: Line) -> Iterator[str]:
        is_renewal = line.trigger == Trigger.REJECTED
        if line.service and (line.service == "renew") != is_renewal:
            yield f"the function {line.service} is not invoked for {line.trigger}"
        kind = CREDENTIALS_CHANGED if line.reason == CREDENTIALS_CHANGED else line.trigger
        if line.outcome not in _OUTCOMES.get(kind, ()):
            yield f"an invocation for {kind} does not end with {line.outcome}"

    def _published_at_that_time(self, line: Line, publication: _Publication) -> Iterator[str]:
        if publication.earliest > line.at:
            yield f"version {line.version_id} was not published yet"
        known = bisect_left(self._latest, line.began - self.stale_seconds)
        if known and self._newest[known - 1].earliest > publication.latest:
            other = self._newest[known - 1].version_id
            yield f"version {other} had replaced version {line.version_id}, and a replaced version never comes back"
        said = line.expires_at
        if said is not None and publication.expires_at is None:
            publication.expires_at = said
        expires_at = publication.expires_at
        if expires_at is None or line.remaining_seconds is None:
            return
        if abs((said or line.at) - expires_at) > _CLOCK_SECONDS and (said or expires_at > line.at):
            yield f"version {line.version_id} expires at another time than the lines before say"

    def _rotated(self, line: Line) -> Iterator[str]:
        if line.version_id is None or not line.remaining_seconds:
            yield "a published token is valid for some time"
            return
        before = self._published_before(line)
        if before is None:
            return
        life, expires_at = before.life, before.expires_at
        is_for_young = line.trigger in (Trigger.SCHEDULE, Trigger.REJECTED)
        if is_for_young and life and line.at - before.earliest < life.shortest / _YOUNG_FRACTION - _CLOCK_SECONDS:
            yield f"version {before.version_id} was too young to be replaced for {line.trigger}"
        expected = line.trigger in (Trigger.SCHEDULE, Trigger.WATCHDOG) and expires_at and expires_at > line.at
        if expected and expires_at and (line.expires_at or 0) < expires_at - _CLOCK_SECONDS:
            yield f"version {before.version_id} is valid for longer, so {line.trigger} keeps it"
        stale_at = expires_at - advisory_seconds(life.longest) if expires_at and life else line.at
        if line.trigger == Trigger.WATCHDOG and stale_at > line.at + _CLOCK_SECONDS:
            yield f"version {before.version_id} was FRESH, so the watchdog keeps it"

    def _fresh(self, line: Line) -> Iterator[str]:
        publication = self.publications.get(line.version_id or "")
        life = publication.life if publication else None
        if not line.remaining_seconds:
            yield "a FRESH token is valid for some time"
            return
        stale_at = line.expires_at - advisory_seconds(life.shortest) if line.expires_at and life else line.began
        if line.trigger == Trigger.WATCHDOG and line.began > stale_at + _CLOCK_SECONDS:
            yield "the watchdog replaces a token that is about to expire"

    def _too_soon(self, line: Line) -> Iterator[str]:
        publication = self.publications.get(line.version_id or "")
        life = publication.life if publication else None
        if publication and life and line.began - publication.latest > life.longest / _YOUNG_FRACTION + _CLOCK_SECONDS:
            yield f"version {line.version_id} was old enough to be replaced"

    def _in_progress(self, line: Line) -> Iterator[str]:
        since = line.began - _LOCK_SECONDS
        if since < self.lines[0].began:
            # The run that held the lock may have ended before the first line.
            return
        place = bisect_left(self.lines, since, key=lambda other: other.at)
        end = bisect_right(self.lines, line.at + _LOCK_SECONDS, key=lambda other: other.at)
        others = (other for other in self.lines[place:end] if other is not line and other.outcome != SEEN)
        if not any(other.began <= line.at for other in others):
            yield "no other run was in progress"

    def _waiting_for_credentials(self, line: Line) -> Iterator[str]:
        if self._was_reported_before(line):
            yield "the credentials had a value before, because a token was published"

    def _published_before(self, line: Line) -> _Publication | None:
        """Return the version that the line's run has replaced, or None if the other lines leave it open."""
        known = bisect_left(self._latest, line.began - self.stale_seconds)
        before = self._newest[known - 1] if known else None
        if before is None:
            return None
        doubtful = any(
            other.earliest < line.at and other.latest >= line.began - self.stale_seconds
            for other in self._ordered[known:]
            if other.version_id != line.version_id
        )
        # Such a run may have published a version that was replaced before a line reported it.
        doubtful = doubtful or any(run.began < line.at and run.at > before.earliest for run in self._unmatched)
        return None if doubtful else before


def _may_have_published(line: Line) -> bool:
    return line.outcome == LOST or (line.outcome == FAILED and line.error not in _PUBLISHED_NOTHING)
