"""The logs of a deployment, held against the specification of what the functions may log."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from conformance import check_log, read_log
from log_line import LOST, Line
from log_specification import check

_CHANGES = ("PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "DeleteSecret", "RestoreSecret")


class ChangesByHand:
    """When a test has changed a token secret by a client of its own: the log does not say so."""

    def __init__(self, secrets: Any) -> None:
        self.moments: list[float] = []
        for operation in _CHANGES:
            secrets.meta.events.register(f"before-call.secretsmanager.{operation}", self._note)
            secrets.meta.events.register(f"after-call.secretsmanager.{operation}", self._note_end)

    def _note(self, params: dict[str, Any], **_: Any) -> None:
        if "credentials" not in json.loads(params["body"])["SecretId"]:
            self.moments.append(time.time())

    def _note_end(self, **_: Any) -> None:
        if self.moments:
            self.moments.append(time.time())

    def parts(self, lines: Iterable[Line]) -> Iterator[list[Line]]:
        """The lines between two changes. Of a run that was under way at one, nothing is known."""
        lines = list(lines)
        ends = [*sorted(self.moments), float("inf")]
        for begin, end in zip([float("-inf"), *ends[:-1]], ends, strict=True):
            part = [line for line in lines if line.at > begin and line.began < end]
            yield [line if begin < line.began and line.at < end else replace(line, outcome=LOST) for line in part]


def check_logs(logs: Any, changes: ChangesByHand) -> None:
    """Hold the logs of both functions of each stack against the specification.

    Raises:
        Impossible: there is a line that the functions cannot have written.
    """
    stacks: dict[str, str] = defaultdict(str)
    for group in groups_of_functions(logs):
        stacks[group.rpartition("-")[0]] += export(logs, group)
    for text in stacks.values():
        log = read_log(text)
        if not changes.moments:
            check_log(log)
        for part in changes.parts(log.lines):
            check(part)


def groups_of_functions(logs: Any) -> list[str]:
    """The log groups of both functions of each stack."""
    groups = logs.describe_log_groups(logGroupNamePrefix="/aws/lambda/")["logGroups"]
    names = [group["logGroupName"] for group in groups]
    return [name for name in names if name.endswith(("-rotate", "-renew"))]


def export(logs: Any, group: str) -> str:
    """What `aws logs filter-log-events` prints of a log group."""
    pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
    return json.dumps({"events": [event for page in pages for event in page["events"]]})
