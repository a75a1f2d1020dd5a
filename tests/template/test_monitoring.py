"""Alarms that fire in time and not in vain, and say what to do; a dashboard that names what is written."""

import json
import re
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
FUNCTION_ALARMS = ["RotationFailingAlarm", "RenewalFailingAlarm", "RenewalsStormingAlarm", "DeadLettersAlarm"]
ACCOUNT_ALARMS = ["TokenAlarm", "AccountFailingAlarm", "CredentialsRefusedAlarm", "VersionBudgetAlarm"]
SCHEDULE_SECONDS = 25 * 60
# What the alarm on the token is there for: the life that is left when the schedule should have replaced the token.
MARGIN_SECONDS = 300
WATCHDOGS = {
    "each minute": {"NoWatchdog": False, "LooksEachMinute": True},
    "every 5 minutes": {"NoWatchdog": False, "LooksEachMinute": False},
    "off": {"NoWatchdog": True, "LooksEachMinute": True},
}


def chosen(value, conditions):
    """A value with every `Fn::If` decided."""
    if not (isinstance(value, dict) and "Fn::If" in value):
        return value
    name, yes, no = value["Fn::If"]
    return chosen(yes if conditions[name] else no, conditions)


def window(alarm, watchdog):
    """Period in seconds, periods looked at, and how many of them must breach."""
    conditions = WATCHDOGS[watchdog]
    period, periods = chosen(alarm["Period"], conditions), chosen(alarm["EvaluationPeriods"], conditions)
    return period, periods, chosen(alarm.get("DatapointsToAlarm", periods), conditions)


def test_the_main_stack_has_the_alarms_of_the_functions_and_of_the_default_account(alarms):
    assert alarms.keys() == {*FUNCTION_ALARMS, *ACCOUNT_ALARMS}


def test_every_alarm_says_what_it_means_and_what_to_do_and_fits(alarms):
    for name, alarm in alarms.items():
        text = alarm["AlarmDescription"]
        if name in ACCOUNT_ALARMS:
            text = text["Fn::Sub"]
            assert text.startswith("Account ${Account}: "), name
        text = text if isinstance(text, str) else text["Fn::Sub"]
        meaning, what_to_do = text.split(" What to do: ")
        assert len(meaning) > 60, name
        assert len(what_to_do) > 60, name
        # The service's own limit, with room for the account's name.
        assert len(text) < 1024 - 63, name


def test_every_alarm_tells_the_topic_when_it_begins_and_when_it_ends(alarms, template, nested):
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopicArn"}], name
    for name in ("Monitoring", "AccountAlarms"):
        parameters = template["Resources"][name]["Properties"]["Parameters"]
        assert parameters["AlarmTopicArn"] == {"Ref": "AlarmTopic"}
        assert parameters.keys() == nested[name]["Parameters"].keys()


@pytest.mark.parametrize(
    ("name", "namespace", "metric", "dimension"),
    [
        ("RotationFailingAlarm", "AWS/Lambda", "Errors", {"Name": "FunctionName", "Value": {"Ref": "RotateFunction"}}),
        ("RenewalFailingAlarm", "AWS/Lambda", "Errors", {"Name": "FunctionName", "Value": {"Ref": "RenewFunction"}}),
        # Sent, not visible: messages are kept as evidence for two weeks, and the alarm is not.
        (
            "DeadLettersAlarm",
            "AWS/SQS",
            "NumberOfMessagesSent",
            {"Name": "QueueName", "Value": {"Ref": "DeadLetterQueue"}},
        ),
    ],
)
def test_the_first_failure_of_a_function_is_told_at_once_and_is_over_when_no_other_follows(
    alarms, name, namespace, metric, dimension
):
    alarm = alarms[name]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"]) == (namespace, metric, [dimension])
    assert (alarm["Statistic"], alarm["Threshold"], alarm["EvaluationPeriods"]) == ("Sum", 1, 1)
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    assert alarm["TreatMissingData"] == "notBreaching"


def test_the_function_alarms_get_the_functions_and_the_queue(template):
    parameters = template["Resources"]["Monitoring"]["Properties"]["Parameters"]
    assert parameters["RotateFunction"] == {"Ref": "RotateFunction"}
    assert parameters["RenewFunction"] == {"Ref": "RenewFunction"}
    assert parameters["DeadLetterQueue"] == {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}
    assert parameters["RenewalStormThreshold"] == {"Ref": "RenewalStormThreshold"}


def test_renewals_that_go_on_are_a_storm_and_one_burst_is_not(alarms):
    alarm = alarms["RenewalsStormingAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("AWS/Lambda", "Invocations", "Sum")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "RenewFunction"}}]
    assert alarm["Threshold"] == {"Ref": "RenewalStormThreshold"}
    assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanOrEqualToThreshold", "notBreaching")
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (300, 3)
    assert "DatapointsToAlarm" not in alarm


# --- the alarms of one account ---


@pytest.mark.parametrize(
    ("name", "metric", "statistic", "comparison", "threshold", "missing"),
    [
        (
            "TokenAlarm",
            "TokenRemainingSeconds",
            "Minimum",
            "LessThanThreshold",
            {"Ref": "AlarmBelowSeconds"},
            "breaching",
        ),
        ("AccountFailingAlarm", "RotationFailed", "Maximum", "GreaterThanOrEqualToThreshold", 1, "notBreaching"),
        # Known only when the token endpoint was asked: the alarm stays until then.
        ("CredentialsRefusedAlarm", "CredentialsRefused", "Maximum", "GreaterThanOrEqualToThreshold", 1, "ignore"),
        ("VersionBudgetAlarm", "VersionBudgetLeft", "Minimum", "LessThanThreshold", 5, "notBreaching"),
    ],
)
def test_an_alarm_of_an_account_watches_that_accounts_metric(
    alarms, name, metric, statistic, comparison, threshold, missing
):
    alarm = alarms[name]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Statistic"]) == ("TalendToken", metric, statistic)
    assert alarm["Dimensions"] == [{"Name": "account", "Value": {"Ref": "Account"}}]
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == (comparison, threshold)
    assert alarm["TreatMissingData"] == missing


def test_the_watchdogs_parameters_decide_how_the_alarms_look(template, nested):
    assert nested["AccountAlarms"]["Conditions"] == {
        "NoWatchdog": {"Fn::Equals": [{"Ref": "WatchdogState"}, "DISABLED"]},
        "LooksEachMinute": {"Fn::Equals": [{"Ref": "WatchdogExpression"}, "rate(1 minute)"]},
    }
    assert template["Resources"]["AccountAlarms"]["Properties"]["Parameters"] == {
        "Account": "default",
        "AlarmBelowSeconds": {"Ref": "AlarmBelowSeconds"},
        "WatchdogExpression": {"Ref": "WatchdogExpression"},
        "WatchdogState": {"Ref": "WatchdogState"},
        "AlarmTopicArn": {"Ref": "AlarmTopic"},
    }


def test_one_low_look_at_the_token_is_enough(alarms):
    assert [window(alarms["TokenAlarm"], watchdog)[2] for watchdog in ("each minute", "every 5 minutes")] == [1, 1]


def test_one_look_that_is_missing_is_no_alarm(alarms):
    """CloudWatch fills missing values in only when fewer than EvaluationPeriods were found in a longer range."""
    for watchdog in ("each minute", "every 5 minutes"):
        _, periods, _ = window(alarms["TokenAlarm"], watchdog)
        assert periods > 1


def test_a_rotator_that_never_runs_is_noticed_before_the_token_ends(alarms):
    """Nothing runs from the moment on at which the schedule should have replaced the token: its last five minutes."""
    period, periods, _ = window(alarms["TokenAlarm"], "each minute")
    extra = 2  # Further periods in which CloudWatch looks for values before it takes them for missing.
    assert period * (periods + extra) < MARGIN_SECONDS


def test_a_token_that_the_watchdog_cannot_replace_is_noticed_before_it_ends(template, alarms):
    period, _, _ = window(alarms["TokenAlarm"], "each minute")
    below = template["Parameters"]["AlarmBelowSeconds"]["Default"]
    # It goes off after replacement was due, so never in vain, and leaves a person two looks.
    assert 2 * period < below < MARGIN_SECONDS - period


def test_without_the_watchdog_a_value_every_25_minutes_is_enough(alarms):
    period, periods, to_alarm = window(alarms["TokenAlarm"], "off")
    # Every one of the periods must be without a value: a tick of the schedule falls into one of them.
    assert to_alarm == periods
    assert period * periods > SCHEDULE_SECONDS + 240
    # CloudWatch evaluates at most a day.
    assert period * periods < 86_400


def test_an_account_fails_when_the_watchdog_does_not_mend_it_or_at_once_if_there_is_none(alarms):
    alarm = alarms["AccountFailingAlarm"]
    assert window(alarm, "each minute") == (60, 5, 3)
    assert window(alarm, "every 5 minutes") == (300, 5, 3)
    assert window(alarm, "off") == (60, 1, 1)


# --- dashboard and query ---


@pytest.fixture(scope="module")
def dashboard(nested):
    """The dashboard's widgets, with something in the place of every reference."""
    properties = nested["Monitoring"]["Resources"]["Dashboard"]["Properties"]
    text, values = properties["DashboardBody"]["Fn::Sub"]
    assert values == {"AccountAlarms": {"Fn::Join": ['","', {"Ref": "AccountAlarmArns"}]}}
    text = text.replace("${AccountAlarms}", 'arn:1","arn:2')
    return json.loads(re.sub(r"\$\{(!?)([^}]*)}", lambda found: "${x}" if found[1] else found[2], text))["widgets"]


def written_metrics():
    """The names of the metrics that the functions write."""
    source = (FUNCTIONS / "rotator" / "report.py").read_text()
    return set(re.findall(r"\b([A-Z][A-Za-z]+)=", source))


def shown_metrics(widgets):
    """Every metric on the dashboard, as `namespace/metric`."""
    found = set()
    for metric in [metric for widget in widgets for metric in widget["properties"].get("metrics", [])]:
        if isinstance(metric[0], str):
            found.add(f"{metric[0]}/{metric[1]}")
        else:
            namespace, name = re.search(r"\{(\w+),account} MetricName=\"(\w+)\"", metric[0]["expression"]).groups()
            found.add(f"{namespace}/{name}")
    return found


def test_the_dashboard_shows_each_metric_that_is_written_and_those_of_aws(dashboard):
    ours = {name.removeprefix("TalendToken/") for name in shown_metrics(dashboard) if name.startswith("TalendToken/")}
    assert ours == written_metrics()
    assert {name for name in shown_metrics(dashboard) if name.startswith("AWS/")} == {
        "AWS/Lambda/Errors",
        "AWS/Lambda/Invocations",
        "AWS/Lambda/Throttles",
        "AWS/SQS/NumberOfMessagesSent",
    }


def test_the_dashboard_begins_with_the_alarms_and_ends_with_what_failed_last(dashboard, template):
    first, *_, last = dashboard
    assert first["type"] == "alarm"
    assert first["properties"]["alarms"] == ["arn:1", "arn:2", *[f"{name}.Arn" for name in FUNCTION_ALARMS]]
    given = template["Resources"]["Monitoring"]["Properties"]["Parameters"]["AccountAlarmArns"]
    assert given == {"Fn::GetAtt": ["AccountAlarms", "Outputs.AlarmArns"]}
    assert last["type"] == "log"


def test_the_dashboard_reads_both_logs(dashboard):
    queries = [widget["properties"]["query"] for widget in dashboard if widget["type"] == "log"]
    assert len(queries) == 2
    for query in queries:
        assert query.startswith("SOURCE 'RotateLogGroup' | SOURCE 'RenewLogGroup' | ")


def test_every_alarm_of_an_account_is_shown(nested):
    _, arns = nested["AccountAlarms"]["Outputs"]["AlarmArns"]["Value"]["Fn::Join"]
    assert arns == [{"Fn::GetAtt": [name, "Arn"]} for name in ACCOUNT_ALARMS]


def test_widgets_fill_their_rows_and_none_lies_over_another(dashboard):
    cells = [
        (x, y)
        for widget in dashboard
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    ]
    assert len(cells) == len(set(cells)) == 24 * (max(y for _, y in cells) + 1)
    assert max(x for x, _ in cells) == 23


def test_two_stacks_of_one_name_in_two_regions_have_a_dashboard_each(nested):
    name = nested["Monitoring"]["Resources"]["Dashboard"]["Properties"]["DashboardName"]
    assert name == {"Fn::Sub": "${Name}-${AWS::Region}"}


def test_the_saved_query_reads_both_logs_and_names_the_fields_of_our_lines(nested):
    query = nested["Monitoring"]["Resources"]["FailuresQuery"]["Properties"]
    assert query["LogGroupNames"] == [{"Ref": "RotateLogGroup"}, {"Ref": "RenewLogGroup"}]
    selected, chosen_lines, *_ = query["QueryString"].split("\n|")
    fields = set(re.findall(r"[\w@.]+", selected)) - {"fields", "coalesce", "as", "kind", "what", "@timestamp"}
    source = (FUNCTIONS / "rotator" / "report.py").read_text()
    ours = {field for field in fields if re.search(rf"\b{field.removesuffix('.0')}=", source)}
    # A function that dies before our line is written leaves Lambda's own.
    assert fields - ours == {"message", "errorType", "errorMessage", "record.status"}
    assert ours == {"account", "trigger", "error", "problem", "warnings.0"}
    assert chosen_lines == ' filter level in ["WARNING", "ERROR", "CRITICAL"] or record.status = "timeout"'
