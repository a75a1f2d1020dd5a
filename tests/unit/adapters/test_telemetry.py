"""One log line an invocation, and metrics that alarms can rely on."""

import io
import itertools
import json
import uuid

import pytest
from aws_lambda_powertools import Logger, Metrics

from rotator.adapters.telemetry import Report
from rotator.domain.errors import CredentialsError, RotatorError
from rotator.domain.event import Trigger
from rotator.domain.result import Outcome, Result

NOW = 1_795_472_989.0


class Output:
    """What a function wrote: log lines and metrics."""

    def __init__(self, capsys):
        self._log = io.StringIO()
        self._capsys = capsys
        # A logger is kept by its name for the life of the process, so each test has one of its own.
        self.logger = Logger(service=str(uuid.uuid4()), stream=self._log)
        self.metrics = Metrics(namespace="TalendToken")

    def report(self, trigger=Trigger.SCHEDULE, *, seconds=0.5, **options):
        """A report on a run that takes half a second, if nothing else is said."""
        times = itertools.chain([NOW - seconds], itertools.repeat(NOW))
        return Report(self.logger, self.metrics, "finance", trigger, clock=lambda: next(times), **options)

    @property
    def lines(self):
        return [json.loads(line) for line in self._log.getvalue().splitlines()]

    def emf(self):
        return [json.loads(line) for line in self._capsys.readouterr().out.splitlines()]

    def values(self):
        """The only metrics document, by the names of its metrics."""
        (document,) = self.emf()
        (directive,) = document["_aws"]["CloudWatchMetrics"]
        return {metric["Name"]: document[metric["Name"]] for metric in directive["Metrics"]}


@pytest.fixture
def output(capsys):
    return Output(capsys)


def result(outcome=Outcome.ROTATED, **changes):
    values = {"version_id": "v2", "expires_at": int(NOW) + 1790, "token_endpoint_seconds": 0.25} | changes
    return Result(outcome, "finance", Trigger.SCHEDULE, **values)


def test_a_rotation_is_one_line_that_says_what_was_decided(output):
    with output.report() as report:
        report.result(result())
    (line,) = output.lines
    said = {name: line[name] for name in ("level", "message", "account", "trigger", "version_id")}
    assert said == {
        "level": "INFO",
        "message": "rotated",
        "account": "finance",
        "trigger": "schedule",
        "version_id": "v2",
    }
    assert (line["remaining_seconds"], line["duration_seconds"]) == (1790, 0.5)


def test_a_run_is_timed_to_the_millisecond(output):
    with output.report(seconds=0.1236) as report:
        report.result(result())
    assert output.lines[0]["duration_seconds"] == 0.124


def test_a_reason_given_by_a_person_is_logged(output):
    with output.report(reason="new permissions") as report:
        report.result(result())
    assert output.lines[0]["reason"] == "new permissions"


def test_warnings_make_the_line_a_warning(output):
    with output.report() as report:
        report.result(result(warnings=("odd audience",)))
    assert (output.lines[0]["level"], output.lines[0]["warnings"]) == ("WARNING", ["odd audience"])


def test_metrics_have_the_account_as_their_only_dimension(output):
    with output.report() as report:
        report.result(result())
    (document,) = output.emf()
    (directive,) = document["_aws"]["CloudWatchMetrics"]
    assert (directive["Namespace"], directive["Dimensions"]) == ("TalendToken", [["account"]])
    assert document["account"] == "finance"
    assert {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]} == {
        "Rotated": "Count",
        "RotationFailed": "Count",
        "TokenRemainingSeconds": "Seconds",
        "TokenEndpointLatency": "Seconds",
    }


def test_a_rotation_counts_itself_the_life_left_and_the_token_endpoints_time(output):
    with output.report() as report:
        report.result(result())
    assert output.values() == {
        "Rotated": [1.0],
        "RotationFailed": [0.0],
        "TokenRemainingSeconds": [1790.0],
        "TokenEndpointLatency": [0.25],
    }


def test_a_run_that_published_nothing_counts_as_no_rotation(output):
    with output.report() as report:
        report.result(result(Outcome.FRESH, token_endpoint_seconds=None))
    assert output.values() == {"Rotated": [0.0], "RotationFailed": [0.0], "TokenRemainingSeconds": [1790.0]}


@pytest.mark.parametrize(
    ("outcome", "coalesced"),
    [(Outcome.SUPERSEDED, 1), (Outcome.IN_PROGRESS, 1), (Outcome.ROTATED, 0), (Outcome.TOO_SOON, 0)],
)
def test_a_renewal_counts_whether_another_run_had_done_its_work(output, outcome, coalesced):
    with output.report(Trigger.REJECTED) as report:
        report.result(result(outcome))
    assert output.values()["RenewalCoalesced"] == [float(coalesced)]


def test_a_renewal_that_counted_the_version_budget_reports_it(output):
    with output.report(Trigger.REJECTED) as report:
        report.result(result(version_budget_left=0))
    assert output.values()["VersionBudgetLeft"] == [0.0]


def test_a_run_that_went_on_without_the_lock_is_counted(output):
    with output.report() as report:
        report.result(result(locked=False))
    assert output.values()["LockUnavailable"] == [1.0]


def test_an_expired_token_has_no_seconds_left(output):
    with output.report() as report:
        report.result(result(Outcome.CHECKED, expires_at=int(NOW) - 60))
    assert output.values()["TokenRemainingSeconds"] == [0.0]


def test_where_nothing_that_can_be_read_is_published_no_life_is_left(output):
    """So that an alarm on little life left goes off."""
    with output.report() as report:
        report.result(result(Outcome.IN_PROGRESS, version_id=None, expires_at=None))
    assert output.values()["TokenRemainingSeconds"] == [0.0]
    assert output.lines[0]["remaining_seconds"] == 0


def test_a_dry_run_that_could_not_read_the_secret_says_nothing_of_the_life_left(output):
    """It must not set off the alarm of a token that still works."""
    with output.report() as report:
        report.result(result(Outcome.CHECKED, version_id=None, expires_at=None))
    assert "TokenRemainingSeconds" not in output.values()


@pytest.mark.parametrize("refused", [True, False])
def test_a_run_that_asked_with_credentials_tells_whether_the_current_ones_were_refused(output, refused):
    with output.report() as report:
        report.result(result(credentials_refused=refused))
    assert output.values()["CredentialsRefused"] == [float(refused)]


def test_a_failure_is_one_error_line_with_the_fix_and_one_count_and_is_raised(output):
    error = CredentialsError("talend/finance/credentials", "is empty", "Store it.")
    with pytest.raises(CredentialsError), output.report():
        raise error
    (line,) = output.lines
    assert (line["level"], line["message"], line["error"]) == ("ERROR", "failed", "CredentialsError")
    assert line["problem"] == "credentials secret 'talend/finance/credentials' is empty. Store it."
    assert (line["account"], line["trigger"], line["duration_seconds"]) == ("finance", "schedule", 0.5)
    assert output.values() == {"RotationFailed": [1.0]}
    assert "remaining_seconds" not in line


@pytest.mark.parametrize(("expires_at", "left"), [(int(NOW) + 700, 700), (int(NOW) - 5, 0), (0, 0)])
def test_a_failure_still_tells_how_long_the_published_token_lives(output, expires_at, left):
    error = RotatorError("no luck")
    error.expires_at = expires_at
    with pytest.raises(RotatorError), output.report():
        raise error
    assert output.lines[0]["remaining_seconds"] == left
    assert output.values() == {"RotationFailed": [1.0], "TokenRemainingSeconds": [float(left)]}


def test_a_failure_by_refused_credentials_is_counted_and_both_refusals_are_named(output):
    error = RotatorError("refused")
    error.credentials_refused = True
    error.add_note("The previous pair too.")
    with pytest.raises(RotatorError), output.report(reason="credentials changed"):
        raise error
    assert output.lines[0]["problem"] == "refused The previous pair too."
    assert output.lines[0]["reason"] == "credentials changed"
    assert output.values() == {"RotationFailed": [1.0], "CredentialsRefused": [1.0]}


def test_a_failure_of_another_kind_is_told_of_and_raised_as_well(output):
    with pytest.raises(ZeroDivisionError), output.report():
        raise ZeroDivisionError("oh")
    assert (output.lines[0]["error"], output.lines[0]["problem"]) == ("ZeroDivisionError", "oh")
    assert output.values() == {"RotationFailed": [1.0]}
