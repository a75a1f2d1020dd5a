"""Alarms that fire in time and not in vain, and say what to do; a dashboard that names what is written."""

import json
import re
from pathlib import Path

import pytest

FUNCTIONS = Path(__file__).parents[2] / "functions"
FUNCTION_ALARMS = ["RenewalFailingAlarm", "RenewalsStormingAlarm", "DeadLettersAlarm"]
ACCOUNT_ALARMS = ["TokenAlarm", "CredentialsRefusedAlarm", "VersionBudgetAlarm"]
DIMENSIONS = [{"Name": "stack", "Value": {"Ref": "MainStack"}}, {"Name": "account", "Value": {"Ref": "Account"}}]
TELEMETRY = (FUNCTIONS / "rotator" / "adapters" / "telemetry.py").read_text()
# What the functions write.
METRICS = set(re.findall(r'^ +"([A-Z][A-Za-z]+)": ', TELEMETRY, re.MULTILINE))
OUR_FIELDS = {"account", "trigger", "error", "problem", "warnings"}
SCHEDULE_SECONDS = 25 * 60
# What the alarm on the token is there for: the validity that is left when the schedule should have replaced the token.
MARGIN_SECONDS = 300


def window(alarm):
    """Period in seconds, periods looked at, and how many of them must breach."""
    periods = alarm["EvaluationPeriods"]
    return alarm["Period"], periods, alarm.get("DatapointsToAlarm", periods)


def rule(alarm):
    """When a value breaches, and what a missing one counts as."""
    return alarm["Statistic"], alarm["ComparisonOperator"], alarm["Threshold"], alarm["TreatMissingData"]


def test_the_main_stack_has_the_functions_and_an_accounts_alarms(alarms):
    assert alarms.keys() == {*FUNCTION_ALARMS, *ACCOUNT_ALARMS}


def test_every_alarm_says_what_it_means_and_what_to_do_and_fits(alarms):
    for name, alarm in alarms.items():
        text = alarm["AlarmDescription"]
        if name in ACCOUNT_ALARMS:
            text = text["Fn::Sub"]
            assert text.startswith("Account ${Account}: "), name
        meaning, what_to_do = text.split(" What to do: ")
        assert len(meaning) > 60, name
        assert len(what_to_do) > 60, name
        # The service's own limit, with room for the account's name.
        assert len(text) < 1024 - 63, name


def test_every_alarm_notifies_the_topic_at_its_start_and_its_end(alarms, template, nested):
    for name, alarm in alarms.items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopicArn"}], name
    for name in ("Monitoring", "DefaultAccount"):
        parameters = template["Resources"][name]["Properties"]["Parameters"]
        assert parameters["AlarmTopicArn"] == {"Ref": "AlarmTopic"}
        assert parameters.keys() == nested[name]["Parameters"].keys()


def test_a_quiet_stack_without_credentials_has_one_alarm_on(alarms):
    """There is no value of anything then: whatever counts that as breaching fires."""
    assert [name for name, alarm in alarms.items() if alarm["TreatMissingData"] != "notBreaching"] == ["TokenAlarm"]


# --- the alarms of one account ---


@pytest.mark.parametrize(
    ("name", "metric"),
    [
        ("TokenAlarm", "TokenRemainingSeconds"),
        ("CredentialsRefusedAlarm", "CredentialsRefused"),
        ("VersionBudgetAlarm", "VersionBudgetLeft"),
    ],
)
def test_an_accounts_alarm_watches_that_account_of_that_stack(alarms, name, metric):
    alarm = alarms[name]
    assert (alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"]) == ("TalendToken", metric, DIMENSIONS)
    assert metric in METRICS


def test_one_low_look_at_the_token_is_enough_and_one_missing_is_not(alarms):
    """CloudWatch fills missing values in only when fewer than EvaluationPeriods were found in a longer range."""
    assert window(alarms["TokenAlarm"]) == (60, 2, 1)
    assert rule(alarms["TokenAlarm"]) == ("Minimum", "LessThanThreshold", 180, "breaching")


def test_a_dead_rotator_is_noticed_within_the_margin(alarms):
    """Nothing runs from the moment on at which the schedule should have replaced the token: its last five minutes."""
    period, periods, _ = window(alarms["TokenAlarm"])
    extra = 2  # Further periods in which CloudWatch looks for values before it takes them for missing.
    assert period * (periods + extra) < MARGIN_SECONDS


def test_a_token_that_cannot_be_replaced_is_noticed_before_it_expires(alarms):
    """After two ticks of the watchdog have failed, so that a lone failure is no alarm."""
    alarm = alarms["TokenAlarm"]
    assert MARGIN_SECONDS - 3 * 60 < alarm["Threshold"] <= MARGIN_SECONDS - 2 * 60
    assert alarm["Threshold"] > 2 * alarm["Period"]


def test_refused_credentials_alarm_until_accepted_or_no_longer_tried(alarms):
    alarm = alarms["CredentialsRefusedAlarm"]
    period, periods, _ = window(alarm)
    # A tick of the schedule falls into every window while refusals go on. None falls into it when they have stopped.
    assert period >= SCHEDULE_SECONDS + MARGIN_SECONDS
    # One window, and its least value: a 0, which is written when the current pair was accepted, ends the alarm at once.
    assert periods == 1
    assert rule(alarm) == ("Minimum", "GreaterThanOrEqualToThreshold", 1, "notBreaching")


def test_a_version_budget_that_is_nearly_used_up_alarms(alarms):
    alarm = alarms["VersionBudgetAlarm"]
    assert window(alarm) == (300, 1, 1)
    assert rule(alarm) == ("Minimum", "LessThanThreshold", 5, "notBreaching")


# --- the alarms of the functions ---


def test_renewals_that_keep_failing_alarm_and_a_lone_one_does_not(alarms):
    alarm = alarms["RenewalFailingAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Errors")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "RenewFunction"}}]
    assert window(alarm) == (300, 3, 2)
    assert rule(alarm) == ("Sum", "GreaterThanOrEqualToThreshold", 1, "notBreaching")


def test_renewals_that_go_on_are_a_storm_and_one_burst_is_not(alarms):
    alarm = alarms["RenewalsStormingAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/Lambda", "Invocations")
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": {"Ref": "RenewFunction"}}]
    assert window(alarm) == (300, 3, 3)
    assert rule(alarm) == ("Sum", "GreaterThanOrEqualToThreshold", 60, "notBreaching")
    assert "60 or more" in alarm["AlarmDescription"]


def test_dead_letters_alarm_however_late_sqs_counts_them(alarms):
    """Its first values after a pause can come a quarter of an hour late. Sent, not visible: letters are kept."""
    alarm = alarms["DeadLettersAlarm"]
    assert (alarm["Namespace"], alarm["MetricName"]) == ("AWS/SQS", "NumberOfMessagesSent")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": {"Ref": "DeadLetterQueue"}}]
    period, periods, to_alarm = window(alarm)
    assert (period, to_alarm) == (300, 1)
    assert period * periods > 15 * 60
    assert rule(alarm) == ("Sum", "GreaterThanOrEqualToThreshold", 1, "notBreaching")


def test_failures_of_rotate_have_no_alarm_beside_the_tokens(alarms):
    """An outage of Talend is one notice: whatever counts failed runs or their letters would be a second one."""
    assert "RotateFunction" not in str([alarm["Dimensions"] for alarm in alarms.values()])
    assert "RotationFailed" not in {alarm["MetricName"] for alarm in alarms.values()}


def test_the_function_alarms_get_the_functions_and_the_queue(template):
    parameters = template["Resources"]["Monitoring"]["Properties"]["Parameters"]
    assert parameters["MainStack"] == {"Ref": "AWS::StackName"}
    assert parameters["RotateFunction"] == {"Ref": "RotateFunction"}
    assert parameters["RenewFunction"] == {"Ref": "RenewFunction"}
    assert parameters["DeadLetterQueue"] == {"Fn::GetAtt": ["DeadLetterQueue", "QueueName"]}


# --- dashboard and query ---


@pytest.fixture(scope="module")
def dashboard(nested):
    """The dashboard's widgets, with something in the place of every reference."""
    properties = nested["Monitoring"]["Resources"]["Dashboard"]["Properties"]
    text, values = properties["DashboardBody"]["Fn::Sub"]
    assert values == {"AccountAlarms": {"Fn::Join": ['","', {"Ref": "AccountAlarmArns"}]}}
    text = text.replace("${AccountAlarms}", 'arn:1","arn:2')
    return json.loads(re.sub(r"\$\{(!?)([^}]*)}", lambda found: "${x}" if found[1] else found[2], text))["widgets"]


SEARCH = re.compile(r"""SEARCH\('\{(\w+),stack,account} stack="MainStack" MetricName="(\w+)"', '\w+', \d+\)""")


def shown_metrics(widgets):
    """Every metric on the dashboard, as `namespace/metric`; a search is for those of this stack alone."""
    found = set()
    for metric in [metric for widget in widgets for metric in widget["properties"].get("metrics", [])]:
        if isinstance(metric[0], str):
            found.add(f"{metric[0]}/{metric[1]}")
        else:
            namespace, name = SEARCH.fullmatch(metric[0]["expression"]).groups()
            found.add(f"{namespace}/{name}")
    return found


def test_metrics_are_of_one_stack_and_account():
    """What the alarms and searches name."""
    assert re.findall(r'add_dimension\("(\w+)"', TELEMETRY) == ["stack", "account"]
    assert len(METRICS) == 6


def test_the_dashboard_shows_each_metric_that_is_written(dashboard):
    ours = {name.removeprefix("TalendToken/") for name in shown_metrics(dashboard) if name.startswith("TalendToken/")}
    assert ours == METRICS
    assert {name for name in shown_metrics(dashboard) if name.startswith("AWS/")} == {
        "AWS/Lambda/Errors",
        "AWS/Lambda/Invocations",
        "AWS/Lambda/Throttles",
        "AWS/SQS/NumberOfMessagesSent",
    }


def test_the_dashboard_starts_with_alarms_and_ends_with_failures(dashboard, template):
    first, *_, last = dashboard
    assert first["type"] == "alarm"
    assert first["properties"]["alarms"] == ["arn:1", "arn:2", *[f"{name}.Arn" for name in FUNCTION_ALARMS]]
    given = template["Resources"]["Monitoring"]["Properties"]["Parameters"]["AccountAlarmArns"]
    assert given == {"Fn::GetAtt": ["DefaultAccount", "Outputs.AlarmArns"]}
    assert last["type"] == "log"


def test_the_dashboard_reads_both_logs(dashboard):
    queries = [widget["properties"]["query"] for widget in dashboard if widget["type"] == "log"]
    assert len(queries) == 2
    for query in queries:
        assert query.startswith("SOURCE 'RotateLogGroup' | SOURCE 'RenewLogGroup' | ")


def test_every_alarm_of_an_account_is_shown(nested):
    _, arns = nested["DefaultAccount"]["Outputs"]["AlarmArns"]["Value"]["Fn::Join"]
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
    assert name == {"Fn::Sub": "${MainStack}-${AWS::Region}"}


KILLED = 'record.status = "timeout" or record.errorType like "Runtime."'


def test_the_saved_query_names_the_fields_of_our_lines(nested):
    query = nested["Monitoring"]["Resources"]["FailuresQuery"]["Properties"]
    assert query["LogGroupNames"] == [{"Ref": "RotateLogGroup"}, {"Ref": "RenewLogGroup"}]
    selected, chosen_lines, *_ = query["QueryString"].split("\n|")
    fields = set(re.findall(r"[\w@.]+", selected)) - {"fields", "coalesce", "as", "kind", "what", "@timestamp"}
    # A function that dies before our line is written leaves Lambda's own.
    of_lambda = {"message", "errorType", "errorMessage", "record.status", "record.errorType"}
    assert {field.removesuffix(".0") for field in fields - of_lambda} == OUR_FIELDS
    assert [field for field in OUR_FIELDS if not re.search(rf'\b{field}=|"{field}": ', TELEMETRY)] == []
    assert chosen_lines == f' filter level in ["WARNING", "ERROR", "CRITICAL"] or {KILLED}'


PLATFORM = {"type": "platform.report", "record": {"status": "success"}}
SHOWN = {
    "a failed run": {"level": "ERROR", "message": "failed", "error": "CircuitOpen"},
    "a run with a warning": {"level": "WARNING", "message": "rotated", "warnings": ["continued without the lock"]},
    "a run that ran out of time": PLATFORM | {"record": {"status": "timeout"}},
    "a run that was killed": PLATFORM | {"record": {"status": "failure", "errorType": "Runtime.ExitError"}},
    "a package that cannot be imported": PLATFORM
    | {"record": {"status": "error", "errorType": "Runtime.ImportModule"}},
}
NOT_SHOWN = {
    "a healthy run": {"level": "INFO", "message": "fresh"},
    "a healthy run's report": PLATFORM,
    "metrics": {"_aws": {"Timestamp": 1}, "stack": "talend-token", "account": "default"},
}


def holds(condition, line):
    """Whether one condition of a filter of Logs Insights holds for a line."""
    field, operator, wanted = re.fullmatch(r"([\w.]+) (in|=|like) (.+)", condition.strip()).groups()
    value = line
    for name in field.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    wanted = json.loads(wanted)
    return value is not None and {"in": value in wanted, "=": value == wanted, "like": str(wanted) in value}[operator]


@pytest.mark.parametrize("what", [*SHOWN, *NOT_SHOWN])
def test_the_saved_query_shows_what_failed_however_it_did(nested, what):
    query = nested["Monitoring"]["Resources"]["FailuresQuery"]["Properties"]["QueryString"]
    conditions = re.search(r"\| filter (.+)", query)[1].split(" or ")
    line = SHOWN.get(what) or NOT_SHOWN[what]
    assert any(holds(condition, line) for condition in conditions) == (what in SHOWN)


def test_the_dashboards_last_table_is_the_saved_query(nested, dashboard):
    """It shows fewer lines, and has single quotes because it stands in JSON."""
    saved = nested["Monitoring"]["Resources"]["FailuresQuery"]["Properties"]["QueryString"]
    shown = dashboard[-1]["properties"]["query"].partition("| fields")[2]
    assert "fields" + shown == " ".join(saved.replace('"', "'").replace("limit 50", "limit 20").split())
