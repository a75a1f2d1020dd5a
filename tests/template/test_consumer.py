"""The example consumer has what a consumer needs, and no more."""

import ast
from pathlib import Path

import pytest

CONSUMER = Path(__file__).parents[2] / "infra" / "consumer"
RENEWAL_SECONDS = 30


@pytest.fixture
def function(consumer):
    return consumer["Resources"]["Consumer"]["Properties"]


def test_its_function_has_the_layer_and_the_clients_variables(function):
    assert function["Layers"] == [{"Ref": "ClientLayerArn"}]
    assert function["Environment"]["Variables"] == {
        "TALEND_TOKEN_SECRET": {"Ref": "TokenSecretArn"},
        "TALEND_RENEW_FUNCTION": {"Ref": "RenewFunctionName"},
        "TALEND_API_URL": {"Ref": "TalendApiUrl"},
    }


def test_its_role_has_the_consumer_policy_and_may_write_logs(consumer):
    role = consumer["Resources"]["ConsumerRole"]["Properties"]
    basic, policy = role["ManagedPolicyArns"]
    assert basic.endswith("/service-role/AWSLambdaBasicExecutionRole")
    assert policy == {"Ref": "ConsumerPolicyArn"}
    assert "Policies" not in role


def test_its_logs_are_json_and_not_kept_for_ever(consumer, function):
    assert function["LoggingConfig"] == {"LogFormat": "JSON", "LogGroup": {"Ref": "LogGroup"}}
    assert consumer["Resources"]["LogGroup"]["Properties"]["RetentionInDays"] == 30


def test_two_requests_and_a_renewal_between_them_fit_into_its_time(function):
    (call,) = [
        node
        for node in ast.walk(ast.parse((CONSUMER / "app.py").read_text()))
        if isinstance(node, ast.Call) and any(keyword.arg == "timeout" for keyword in node.keywords)
    ]
    connect, read = next(ast.literal_eval(keyword.value) for keyword in call.keywords if keyword.arg == "timeout")
    assert function["Timeout"] > 2 * (connect + read) + RENEWAL_SECONDS


def test_its_parameters_are_outputs_of_the_main_stack(template, consumer):
    given = {name for name, parameter in consumer["Parameters"].items() if "Default" not in parameter}
    assert given <= template["Outputs"].keys()
