"""Each invocation writes one log line, and metrics that alarms can rely on."""

import io
import itertools
import json
import uuid

import pytest
from aws_lambda_powertools import Logger, Metrics

from rotator.adapters.telemetry import reported
from rotator.domain.errors import CredentialsError, NoCredentialsYet
from rotator.domain.invocation import Invocation, Trigger
from rotator.domain.result import Outcome, Result

NOW = 1_795_472_989.0
SECRET = "talend-token/finance/credentials"


class Output:
    """The log lines and metrics that a function wrote."""

    def __init__(self, capsys):
        self._log = io.StringIO()
        self._capsys = capsys
        # Python keeps a logger by its name until the process ends, so each test has its own.
        self.logger = Logger(service=str(uuid.uuid4()), stream=self._log)
        self.metrics = Metrics(namespace="TalendToken")

    def report(self, invocation=None, outcome=None, *, seconds=0.5, error=None, **result):
        """Report an invocation, which by default took half a second."""
        times = itertools.chain([NOW - seconds], itertools.repeat(NOW))
        with reported(self.logger, self.metrics, clock=lambda: next(times)) as report:
            report.stack = "talend-token"
            report.invocation = invocation
            if error:
                raise error
            report.result = Result(outcome, invocation, **result)

    @property
    def line(self):
        (line,) = self._log.getvalue().splitlines()
        return json.loads(line)

    def emf(self):
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]

    def values(self):
        """Return the values of the only metrics document by the names of the metrics."""
        (document,) = self.emf()
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        for metric in directive["Metrics"]:
            assert metric["Unit"] == ("Seconds" if metric["Name"].endswith("Seconds") else "Count")
        return {metric["Name"]: document[metric["Name"]] for metric in directive["Metrics"]}


@pytest.fixture
def output(capsys):
    return Output(capsys)


def invocation(trigger=Trigger.SCHEDULE, **noted):
    return Invocation(trigger, NOW + 30, "finance", **noted)


PUBLISHED = {"version_id": "v2", "expires_at": int(NOW) + 1790}


def test_an_invocation_is_one_line_with_its_outcome(output):
    output.report(invocation(reason="new permissions"), Outcome.ROTATED, seconds=0.0126, **PUBLISHED)
    expected = {
        "level": "INFO",
        "message": "rotated",
        "account": "finance",
        "trigger": "schedule",
        "version_id": "v2",
        "remaining_seconds": 1790,
        "duration_seconds": 0.013,
        "reason": "new permissions",
        "warnings": [],
    }
    assert {name: output.line.get(name) for name in expected} == expected


def test_warnings_make_the_line_a_warning(output):
    output.report(invocation(warnings=["odd"]), Outcome.ROTATED)
    assert (output.line["level"], output.line["warnings"]) == ("WARNING", ["odd"])


def test_metrics_have_the_stack_and_the_account_as_dimensions(output):
    output.report(invocation(), Outcome.ROTATED, **PUBLISHED)
    (document,) = output.emf()
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("TalendToken", [["stack", "account"]])
    assert (document["stack"], document["account"]) == ("talend-token", "finance")
    assert directive["Metrics"] == [{"Name": "TokenRemainingSeconds", "Unit": "Seconds"}]
    assert document["TokenRemainingSeconds"] == [1790]


@pytest.mark.parametrize(
    ("noted", "trigger", "outcome", "written"),
    [
        ({"credentials_refused": False}, Trigger.SCHEDULE, Outcome.ROTATED, {}),
        ({}, Trigger.SCHEDULE, Outcome.FRESH, {}),
        ({"credentials_refused": True}, Trigger.SCHEDULE, Outcome.ROTATED, {"CredentialsRefused": [1]}),
        ({"credentials_refused": True}, Trigger.MANUAL, Outcome.ROTATED, {"CredentialsRefused": [1]}),
        ({"credentials_refused": False}, Trigger.MANUAL, Outcome.ROTATED, {"CredentialsRefused": [0]}),
        ({"credentials_refused": None}, Trigger.MANUAL, Outcome.IN_PROGRESS, {}),
        ({"credentials_refused": False}, Trigger.REJECTED, Outcome.ROTATED, {}),
        ({"lock_unavailable": True}, Trigger.SCHEDULE, Outcome.ROTATED, {"LockUnavailable": [1]}),
        ({"version_budget_left": 0}, Trigger.REJECTED, Outcome.BUDGET_EXHAUSTED, {"VersionBudgetLeft": [0]}),
        ({}, Trigger.REJECTED, Outcome.SUPERSEDED, {"RenewalCoalesced": [1]}),
        ({}, Trigger.REJECTED, Outcome.IN_PROGRESS, {"RenewalCoalesced": [1]}),
        ({}, Trigger.REJECTED, Outcome.TOO_SOON, {}),
        ({}, Trigger.SCHEDULE, Outcome.SUPERSEDED, {}),
    ],
)
def test_each_other_metric_is_written_when_it_has_something_to_say(output, noted, trigger, outcome, written):
    """CloudWatch bills a metric for each hour in which it is written, even if its value is 0."""
    output.report(invocation(trigger, **noted), outcome, **PUBLISHED)
    assert output.values() == written | {"TokenRemainingSeconds": [1790]}


@pytest.mark.parametrize(("expires_at", "remaining"), [(NOW + 1, 1), (NOW - 5, 0), (0, 0)])
def test_an_expired_or_missing_token_has_no_seconds_left(output, expires_at, remaining):
    output.report(invocation(expires_at=int(expires_at)), Outcome.IN_PROGRESS)
    assert output.line["remaining_seconds"] == remaining
    assert output.values()["TokenRemainingSeconds"] == [remaining]


@pytest.mark.parametrize(
    ("of", "outcome"),
    [(invocation(), Outcome.CHECKED), (Invocation(Trigger.MANUAL, NOW, ""), Outcome.IGNORED)],
    ids=["unreadable token", "ignored event"],
)
def test_an_unknown_expiry_is_a_line_without_a_metric(output, of, outcome):
    output.report(of, outcome)
    assert output.line["message"] == outcome
    assert output.line.get("remaining_seconds") is None
    assert output.emf() == []


@pytest.mark.parametrize("error", [NoCredentialsYet(SECRET), ZeroDivisionError("division by zero")])
def test_a_failure_is_one_error_line_and_is_raised(output, error):
    run = invocation(
        expires_at=int(NOW) + 700, credentials_refused=True, reason="new rights", warnings=["without the lock"]
    )
    with pytest.raises(type(error)) as caught:
        output.report(run, error=error)
    assert caught.value is error
    expected = {
        "level": "ERROR",
        "message": "failed",
        "error": type(error).__name__,
        "problem": str(error),
        "account": "finance",
        "trigger": "schedule",
        "remaining_seconds": 700,
        "duration_seconds": 0.5,
        "reason": "new rights",
        "warnings": ["without the lock"],
    }
    assert {name: output.line.get(name) for name in expected} == expected
    assert output.values() == {"RotationFailed": [1], "TokenRemainingSeconds": [700], "CredentialsRefused": [1]}


def test_a_failure_before_parsing_is_one_line_without_a_metric(output):
    """The account is unknown then, and Lambda's own metric counts the error."""
    with pytest.raises(CredentialsError):
        output.report(error=CredentialsError(SECRET, "is empty", "Fill it."))
    assert (output.line["message"], output.line["error"]) == ("failed", "CredentialsError")
    assert "account" not in output.line
    assert output.emf() == []


def test_an_interrupted_invocation_has_no_outcome_to_log(output):
    """The process exits, and Lambda reports that itself."""
    with pytest.raises(KeyboardInterrupt):
        output.report(invocation(), error=KeyboardInterrupt())
    assert output._log.getvalue() == ""
