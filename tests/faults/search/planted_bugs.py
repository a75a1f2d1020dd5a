"""Bugs that are planted in the functions for one search, which must find each of them.

A bug replaces some lines of a module's source, and only the code of one function changes. The function object stays the
same, so that every importer of it has the bug.
"""

from __future__ import annotations

import importlib
import inspect
import operator
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Bug:
    """A change of the function that `where` names as `module:function`, and a scenario in which it shows."""

    name: str
    where: str
    lines: str
    instead: str
    scenario: str

    @contextmanager
    def planted(self) -> Iterator[None]:
        """Plant the bug while the block runs."""
        module_name, _, path = self.where.partition(":")
        module = importlib.import_module(module_name)
        source = inspect.getsource(module)
        assert source.count(self.lines) == 1, f"{self.name}: its lines are not in {module_name}, or more than once"
        changed: dict[str, object] = vars(types.ModuleType(module_name))
        exec(compile(source.replace(self.lines, self.instead), str(module.__file__), "exec"), changed)  # noqa: S102
        function: types.FunctionType = operator.attrgetter(path)(module)
        code = function.__code__
        other: types.FunctionType = operator.attrgetter(path)(types.SimpleNamespace(**changed))
        function.__code__ = other.__code__
        try:
            yield
        finally:
            function.__code__ = code


_PUBLISHER, _POLICY = "rotator.service.publisher:Publisher", "rotator.domain.policy"
_ISSUER, _ROTATOR = "rotator.service.issuer:Issuer", "rotator.service.rotator:Rotator"

BUGS = [
    Bug(
        "no compare and swap",
        f"{_PUBLISHER}._promote",
        "staged.version_id, published.version_id or None)",
        "staged.version_id, read_token(self.secrets, secret_id).version_id or None)",
        "schedule manual lock=down",
    ),
    Bug(
        "a staged token is promoted without judging it again",
        f"{_PUBLISHER}._publish",
        "if staged and staged.document and may_promote(invocation, staged.document, published.document, self.clock()):",
        "if staged and staged.document:",
        "schedule watchdog staged=expired",
    ),
    Bug(
        "a staged token that has been published meanwhile is reported once more",
        f"{_PUBLISHER}._publish",
        'if staged and "AWSCURRENT" in staged.stages:',
        "if False:",
        "schedule manual lock=down",
    ),
    Bug(
        "the key of the lock does not name the version",
        f"{_PUBLISHER}.replace",
        "version_id = published.version_id\n",
        'version_id = "any"\n',
        "schedule manual",
    ),
    Bug(
        "the lock is released before the promotion",
        f"{_PUBLISHER}._promote",
        "        if self.secrets.promote(",
        "        self.lock.release(invocation, published.version_id, None)\n        if self.secrets.promote(",
        "schedule manual",
    ),
    Bug(
        "the lock is not released if nothing was published",
        f"{_PUBLISHER}.replace",
        "if not invocation.lock_unavailable:",
        "if not invocation.lock_unavailable and result is not None:",
        "manual watchdog endpoint=refuses",
    ),
    Bug(
        "the version of another run is replaced at once",
        f"{_PUBLISHER}.replace",
        "        if just_replaced:\n",
        "        if just_replaced and invocation.trigger is Trigger.REJECTED:\n",
        "schedule manual",
    ),
    Bug(
        "a consumer's renewal goes on without the lock",
        f"{_PUBLISHER}.replace",
        "            if invocation.trigger is Trigger.REJECTED:\n                raise\n",
        "",
        "rejected rejected lock=down",
    ),
    Bug(
        "the version budget is not counted before the version is written",
        f"{_PUBLISHER}._publish",
        "            if not left:\n",
        "            if left < 0:\n",
        "rejected watchdog versions=spent published=FRESH",
    ),
    Bug(
        "a run that lost the race reports that it has published",
        f"{_PUBLISHER}._promote",
        "return Result.of(invocation, Outcome.SUPERSEDED, now_published)",
        "return Result.of(invocation, Outcome.ROTATED, now_published)",
        "schedule manual lock=down",
    ),
    Bug(
        "a stale read after a lost race is taken for the answer",
        f"{_PUBLISHER}._promote",
        "if now_published.version_id == published.version_id:",
        "if False:",
        "schedule manual lock=down reads=stale",
    ),
    Bug(
        "a token that was published and rolled back counts as left staged",
        "rotator.service.token_secret:left_staged",
        'newest = max(published.created_at, read_token(secrets, secret_id, "AWSPREVIOUS").created_at)',
        "newest = published.created_at",
        "rejected schedule staged=rolled-back",
    ),
    Bug(
        "changed credentials take a token that was staged before",
        f"{_POLICY}:may_promote",
        "if invocation.issued_after is not None and staged.issued_at <= invocation.issued_after:",
        "if False:",
        "changed watchdog staged=left",
    ),
    Bug(
        "changed credentials are not tried again after another run",
        f"{_ROTATOR}.rotate",
        "while invocation.issued_after is not None and",
        "while False and",
        "changed schedule",
    ),
    Bug(
        "a token that the probe rejected is published",
        f"{_ISSUER}._request",
        "            if probed.verdict is Verdict.REJECTED:\n",
        "            if probed.verdict is Verdict.REJECTED and published is None:\n",
        "schedule manual endpoint=unusable",
    ),
    Bug(
        "a token is published without the probe",
        f"{_ISSUER}._request",
        "if self.settings.probe_path:",
        "if self.settings.probe_path and invocation.trigger is not Trigger.WATCHDOG:",
        "schedule watchdog",
    ),
    Bug(
        "the same token again takes a version",
        f"{_PUBLISHER}._publish",
        "if published.document and published.document.holds_same_token(document):",
        "if False:",
        "manual manual endpoint=repeats",
    ),
    Bug(
        "a rejected version that was replaced causes another replacement",
        f"{_ROTATOR}.renew",
        "if invocation.rejected_version_id != published.version_id:",
        "if False:",
        "rejected manual published=replaced",
    ),
    Bug(
        "the schedule replaces a token that another run has just published",
        f"{_POLICY}:is_due",
        "return young_seconds_left(published, now) == 0",
        "return True",
        "schedule schedule",
    ),
    Bug(
        "the watchdog does not replace a STALE token",
        f"{_POLICY}:is_due",
        "return state_of(published, now) is not TokenState.FRESH",
        "return state_of(published, now) is TokenState.INVALID",
        "watchdog watchdog endpoint=refuses",
    ),
]
"""Each shows in a scenario of the bounded search."""
