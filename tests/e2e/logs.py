"""Checks the log of a local AWS against the specification of the lines that the functions may write."""

import json
import re
import time
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from unittest import mock

from botocore.client import BaseClient

from conformance import read_log
from log_line import LOST, Impossible
from log_specification import check

CHANGES = {"PutSecretValue", "UpdateSecret", "UpdateSecretVersionStage", "DeleteSecret", "RestoreSecret"}
# The local AWS writes such a line into its own log, and those that a function of a stack of ours has logged below it.
HEAD = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) [A-Z]+ \[[\w.]+] (?:(\S+)-(?:Rotate|Renew)Function-\w+ \S+$)?")


def check_logs(paths, changes):
    """Check the lines of every stack in the logs of local AWSs. `changes` are the moments of changes by hand."""
    for path in paths:
        text = path.read_text(errors="replace")
        stacks = events_by_stack(text)
        assert stacks or '"service":"rotate"' not in text, f"no line of a function is found in {path}"
        for stack, events in stacks.items():
            try:
                for part in parts(read_log(json.dumps({"events": events})).lines, changes):
                    check(part)
            except Impossible as impossible:
                raise AssertionError(f"{path}, stack {stack}: {impossible.why}\n{impossible.line.text}") from None


def events_by_stack(text):
    """Return what the functions have logged, as `aws logs filter-log-events` lists it, by stack."""
    found = defaultdict(list)
    at, stack = 0.0, None
    for line in text.splitlines():
        if head := HEAD.match(line):
            at, stack = datetime.fromisoformat(head[1]).timestamp(), head[2]
        elif stack:
            found[stack].append({"timestamp": 1000 * (time_of_platform(line) or at), "message": line})
    return found


def time_of_platform(line):
    """Return the exact time of a line of Lambda itself; None for other lines."""
    try:
        return datetime.fromisoformat(json.loads(line)["time"]).timestamp()
    except (ValueError, KeyError):
        return None


def parts(lines, changes):
    """Yield the lines between two changes. Nothing is known of a run that was under way at one."""
    ends = [*sorted(changes), float("inf")]
    for begin, end in zip([float("-inf"), *ends[:-1]], ends, strict=True):
        part = [line for line in lines if line.at > begin and line.began < end]
        yield [line if begin < line.began and line.at < end else replace(line, outcome=LOST) for line in part]


@contextmanager
def changes_by_hand():
    """Note when a client of this process changes a token secret, because no log line says so."""
    moments, call_aws = [], BaseClient._make_api_call

    def call(client, operation, parameters):
        is_change = operation in CHANGES and "credentials" not in parameters.get("SecretId", "")
        moments.extend([time.time()] * is_change)
        try:
            return call_aws(client, operation, parameters)
        finally:
            moments.extend([time.time()] * is_change)

    with mock.patch.object(BaseClient, "_make_api_call", call):
        yield moments
