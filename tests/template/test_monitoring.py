"""Alarms that fire in time and not in vain, and say what to do; a dashboard that names what is written."""

import json
import re
from pathlib import Path

import pytest

TELEMETRY = (Path(__file__).parents[2] / "functions/rotator/adapters/telemetry.py").read_text()
OUR_FIELDS = {"account", "trigger", "error", "problem", "warnings"}

OF_AN_ACCOUNT = {"stack": "MainStack", "account": "Account"}
ACCOUNT_ALARMS = ["TokenAlarm", "CredentialsRefusedAlarm", "VersionBudgetAlarm"]
FUNCTION_ALARMS = ["RenewalFailingAlarm", "RenewalsStormingAlarm", "DeadLettersAlarm"]
AT_LEAST, BELOW = "GreaterThanOrEqualToThreshold", "LessThanThreshold"
# The metric and what it is of, how it is counted (period in seconds, periods, those that must breach), and when it
# breaches. An outage of Talend is one notice, so no alarm counts failed runs of rotate or their letters. Only the
# token's alarm counts missing values, so that a new stack without credentials has one alarm on.
ALARMS = {
    # One low value is enough, and one missing is not: CloudWatch looks for it in two more periods, which with these two
    # end before the five minutes that are left when the schedule is overdue. At 180 s two ticks of the watchdog, which
    # replaces a token from 300 s on, have failed.
    "TokenAlarm": (
        ("TalendToken/TokenRemainingSeconds", OF_AN_ACCOUNT),
        (60, 2, 1),
        ("Minimum", BELOW, 180, "breaching"),
    ),
    # A tick of the schedule falls into every window while refusals go on. The least value, because a 0 is written when
    # the current pair is accepted, which ends the alarm at once.
    "CredentialsRefusedAlarm": (
        ("TalendToken/CredentialsRefused", OF_AN_ACCOUNT),
        (1800, 1, 1),
        ("Minimum", AT_LEAST, 1, "notBreaching"),
    ),
    "VersionBudgetAlarm": (
        ("TalendToken/VersionBudgetLeft", OF_AN_ACCOUNT),
        (300, 1, 1),
        ("Minimum", BELOW, 5, "notBreaching"),
    ),
    # A lone failure does no harm.
    "RenewalFailingAlarm": (
        ("AWS/Lambda/Errors", {"FunctionName": "RenewFunction"}),
        (300, 3, 2),
        ("Sum", AT_LEAST, 1, "notBreaching"),
    ),
    # One burst is not a storm.
    "RenewalsStormingAlarm": (
        ("AWS/Lambda/Invocations", {"FunctionName": "RenewFunction"}),
        (300, 3, 3),
        ("Sum", AT_LEAST, 60, "notBreaching"),
    ),
    # Its first values after a pause can come a quarter of an hour late. Sent, not visible, because letters are kept.
    "DeadLettersAlarm": (
        ("AWS/SQS/NumberOfMessagesSent", {"QueueName": "DeadLetterQueue"}),
        (300, 4, 1),
        ("Sum", AT_LEAST, 1, "notBreaching"),
    ),
}


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_the_right_values_in_the_right_window(alarms, name):
    alarm, (metric, window, rule) = alarms[name], ALARMS[name]
    dimensions = {one["Name"]: one["Value"]["Ref"] for one in alarm["Dimensions"]}
    assert (f"{alarm['Namespace']}/{alarm['MetricName']}", dimensions) == metric
    periods = alarm["EvaluationPeriods"]
    assert (alarm["Period"], periods, alarm.get("DatapointsToAlarm", periods)) == window
    assert tuple(alarm[part] for part in ("Statistic", "ComparisonOperator", "Threshold", "TreatMissingData")) == rule


def test_the_alarms_are_all_there_and_on_metrics_that_are_written(alarms, metrics):
    assert alarms.keys() == ALARMS.keys()
    assert re.findall(r'add_dimension\("(\w+)"', TELEMETRY) == list(OF_AN_ACCOUNT)
    assert {alarms[name]["MetricName"] for name in ACCOUNT_ALARMS} < metrics


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_says_what_it_means_and_what_to_do_and_fits(alarms, name):
    text = alarms[name]["AlarmDescription"]
    if name in ACCOUNT_ALARMS:
        text = text["Fn::Sub"]
        assert text.startswith("Account ${Account}: ")
    meaning, what_to_do = text.split(" What to do: ")
    assert min(len(meaning), len(what_to_do)) > 60
    # The service's own limit, with room for the account's name.
    assert len(text) < 1024 - 63


def test_every_alarm_notifies_the_topic_at_its_start_and_its_end(alarms, template):
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopicArn"}], name
    assert given(template)["AlarmTopicArn"] == {"Ref": "AlarmTopic"}


def given(template):
    return template["Resources"]["Monitoring"]["Properties"]["Parameters"]


# --- dashboard and query ---


@pytest.fixture(scope="module")
def dashboard(nested):
    """Return the dashboard's widgets, with something in the place of every reference."""
    properties = nested["Monitoring"]["Resources"]["Dashboard"]["Properties"]
    # Dashboards are global: two stacks of one name in two Regions have one each.
    assert properties["DashboardName"] == {"Fn::Sub": "${MainStack}-${AWS::Region}"}
    text, values = properties["DashboardBody"]["Fn::Sub"]
    assert values == {"AccountAlarms": {"Fn::Join": ['","', {"Ref": "AccountAlarmArns"}]}}
    text = text.replace("${AccountAlarms}", 'arn:1","arn:2')
    return json.loads(re.sub(r"\$\{(!?)([^}]*)}", lambda found: "${x}" if found[1] else found[2], text))["widgets"]


SEARCH = re.compile(r"""SEARCH\('\{(\w+),stack,account} stack="MainStack" MetricName="(\w+)"', '\w+', \d+\)""")


def test_the_dashboard_shows_each_metric_that_is_written(dashboard, metrics):
    """A search is for those of this stack alone."""
    shown = [metric for widget in dashboard for metric in widget["properties"].get("metrics", [])]
    searches = [SEARCH.fullmatch(metric[0]["expression"]).groups() for metric in shown if len(metric) == 1]
    assert set(searches) == {("TalendToken", name) for name in metrics}
    assert {"/".join(metric[:2]) for metric in shown if len(metric) > 1} == {
        "AWS/Lambda/Errors",
        "AWS/Lambda/Invocations",
        "AWS/Lambda/Throttles",
        "AWS/SQS/NumberOfMessagesSent",
    }
    # The lowest of an interval shows a dip.
    left = [metric[0]["expression"] for metric in shown if len(metric) == 1 and "RemainingSeconds" in str(metric)]
    assert left
    assert all("'Minimum'" in expression for expression in left)
    assert [metric[3] for metric in shown if metric[1:2] == ["Throttles"]] == ["RotateFunction"]


def test_the_dashboard_starts_with_alarms_and_ends_with_failures(dashboard, template, nested):
    first, *_, last = dashboard
    assert (first["type"], last["type"]) == ("alarm", "log")
    assert first["properties"]["alarms"] == ["arn:1", "arn:2", *[f"{name}.Arn" for name in FUNCTION_ALARMS]]
    assert given(template)["AccountAlarmArns"] == {"Fn::GetAtt": ["DefaultAccount", "Outputs.AlarmArns"]}
    _, arns = nested["DefaultAccount"]["Outputs"]["AlarmArns"]["Value"]["Fn::Join"]
    assert arns == [{"Fn::GetAtt": [name, "Arn"]} for name in ACCOUNT_ALARMS]


def test_the_dashboard_is_of_both_functions_and_their_logs(dashboard, template):
    assert template["Outputs"]["DashboardName"]["Value"] == {"Fn::GetAtt": ["Monitoring", "Outputs.DashboardName"]}
    names = ("RotateFunction", "RenewFunction", "RotateLogGroup", "RenewLogGroup")
    assert {name: given(template)[name] for name in names} == {name: {"Ref": name} for name in names}
    queries = [widget["properties"]["query"] for widget in dashboard if widget["type"] == "log"]
    assert len(queries) == 2
    assert {query.partition(" | fields")[0].partition(" | filter")[0] for query in queries} == {
        "SOURCE 'RotateLogGroup' | SOURCE 'RenewLogGroup'"
    }


@pytest.fixture(scope="module")
def saved_query(nested):
    query = nested["Monitoring"]["Resources"]["FailuresQuery"]["Properties"]
    assert query["LogGroupNames"] == [{"Ref": "RotateLogGroup"}, {"Ref": "RenewLogGroup"}]
    return query["QueryString"]


def test_the_saved_query_names_the_fields_of_our_lines(saved_query):
    selected = saved_query.partition("\n|")[0]
    fields = set(re.findall(r"[\w@.]+", selected)) - {"fields", "coalesce", "as", "kind", "what", "@timestamp"}
    # A function that dies before our line is written leaves Lambda's own.
    of_lambda = {"message", "errorType", "errorMessage", "record.status", "record.errorType"}
    assert {field.removesuffix(".0") for field in fields - of_lambda} == OUR_FIELDS
    assert [field for field in OUR_FIELDS if not re.search(rf'\b{field}=|"{field}": ', TELEMETRY)] == []


LINES = {
    "a failed run": (True, {"level": "ERROR", "message": "failed", "error": "CircuitOpen"}),
    "a run with a warning": (True, {"level": "WARNING", "message": "rotated", "warnings": ["without the lock"]}),
    "a crash": (True, {"level": "CRITICAL", "message": "x"}),
    "a run that ran out of time": (True, {"record": {"status": "timeout"}}),
    "a run that was killed": (True, {"record": {"status": "failure", "errorType": "Runtime.ExitError"}}),
    "a package that cannot be imported": (True, {"record": {"status": "error", "errorType": "Runtime.ImportModule"}}),
    "a healthy run": (False, {"level": "INFO", "message": "fresh"}),
    "a healthy run's report": (False, {"record": {"status": "success"}}),
    "metrics": (False, {"_aws": {"Timestamp": 1}, "stack": "talend-token", "account": "default"}),
}


def holds(condition, line):
    """Return whether one condition of a filter of Logs Insights holds for a line."""
    field, operator, wanted = re.fullmatch(r"([\w.]+) (in|=|like) (.+)", condition.strip()).groups()
    value = line
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    wanted = json.loads(wanted)
    return value is not None and {"in": value in wanted, "=": value == wanted, "like": str(wanted) in value}[operator]


@pytest.mark.parametrize("what", LINES)
def test_the_saved_query_shows_what_failed_however_it_did(saved_query, what):
    shown, line = LINES[what]
    conditions = re.search(r"\| filter (.+)", saved_query)[1].split(" or ")
    assert any(holds(condition, line) for condition in conditions) == shown


def test_the_dashboards_last_table_is_the_saved_query(saved_query, dashboard):
    """It shows fewer lines, and has single quotes because it stands in JSON."""
    shown = dashboard[-1]["properties"]["query"].partition("| fields")[2]
    assert "fields" + shown == " ".join(saved_query.replace('"', "'").replace("limit 50", "limit 20").split())
