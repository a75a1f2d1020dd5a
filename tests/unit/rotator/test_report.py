"""One log line a rotation, and metrics that alarms can rely on."""

import io
import json
import uuid

import pytest
from aws_lambda_powertools import Logger, Metrics

from rotator.errors import CredentialsError
from rotator.event import RotateRequest, Trigger
from rotator.report import report_failure, report_result
from rotator.rotation import Outcome, RotationResult

NOW = 1_795_472_989.0
REQUEST = RotateRequest(Trigger.SCHEDULE, "finance")


class Report:
    """What a function wrote: log lines and metrics."""

    def __init__(self, capsys):
        self._log = io.StringIO()
        self._capsys = capsys
        # A logger is kept by its name for the life of the process, so each report has one of its own.
        self.logger = Logger(service=str(uuid.uuid4()), stream=self._log)
        self.metrics = Metrics(namespace="TalendToken")

    @property
    def lines(self):
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    def emf(self):
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]


@pytest.fixture
def report(capsys):
    return Report(capsys)


def result(outcome=Outcome.ROTATED, **changes):
    values = {"version_id": "v2", "expires_at": int(NOW) + 1790, "token_endpoint_seconds": 0.25} | changes
    return RotationResult(outcome, "finance", Trigger.SCHEDULE, **values)


def send(report, result, request=REQUEST):
    report_result(report.logger, report.metrics, request, result, started=NOW - 0.5, now=NOW)


def test_a_rotation_is_one_line_that_says_what_was_decided(report):
    send(report, result())
    (line,) = report.lines
    said = {name: line[name] for name in ("level", "message", "account", "trigger", "version_id")}
    assert said == {
        "level": "INFO",
        "message": "rotated",
        "account": "finance",
        "trigger": "schedule",
        "version_id": "v2",
    }
    assert (line["remaining_seconds"], line["duration_seconds"]) == (1790, 0.5)


def test_a_reason_given_by_a_person_is_logged(report):
    send(report, result(), RotateRequest(reason="new permissions"))
    assert report.lines[0]["reason"] == "new permissions"


def test_warnings_make_the_line_a_warning(report):
    send(report, result(warnings=("odd audience",)))
    assert (report.lines[0]["level"], report.lines[0]["warnings"]) == ("WARNING", ["odd audience"])


def test_metrics_have_the_account_as_their_only_dimension(report):
    send(report, result())
    (metrics,) = report.emf()
    (directive,) = metrics["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "TalendToken"
    assert directive["Dimensions"] == [["account"]]
    assert metrics["account"] == "finance"
    assert {metric["Name"]: metrics[metric["Name"]] for metric in directive["Metrics"]} == {
        "Rotated": [1.0],
        "RotationFailed": [0.0],
        "TokenRemainingSeconds": [1790.0],
        "TokenEndpointLatency": [0.25],
    }


def test_a_run_that_published_nothing_counts_as_no_rotation(report):
    send(report, result(Outcome.FRESH, token_endpoint_seconds=None))
    (metrics,) = report.emf()
    assert metrics["Rotated"] == [0.0]
    assert "TokenEndpointLatency" not in metrics


def test_an_expired_token_has_no_seconds_left(report):
    send(report, result(Outcome.CHECKED, expires_at=int(NOW) - 60))
    assert report.emf()[0]["TokenRemainingSeconds"] == [0.0]


def test_where_nothing_is_published_there_is_no_life_to_report(report):
    send(report, result(Outcome.CHECKED, version_id=None, expires_at=None))
    assert "TokenRemainingSeconds" not in report.emf()[0]
    assert "remaining_seconds" not in report.lines[0]


def test_a_failure_is_one_error_line_with_the_fix_and_one_count(report):
    error = CredentialsError("talend/finance/credentials", "is empty", "Store it.")
    report_failure(report.logger, report.metrics, REQUEST, error)
    (line,) = report.lines
    assert (line["level"], line["message"], line["error"]) == ("ERROR", "failed", "CredentialsError")
    assert line["problem"] == "credentials secret 'talend/finance/credentials' is empty. Store it."
    (metrics,) = report.emf()
    assert (metrics["account"], metrics["RotationFailed"]) == ("finance", [1.0])
