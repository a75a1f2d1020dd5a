"""What a company asks of the templates: a network, a permissions boundary, tags, and no secret in what it stores."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NETWORK = {"SubnetIds": "subnet-0a1b2c3d,subnet-0e4f5a6b", "SecurityGroupIds": "sg-0a1b2c3d"}
BOUNDARY = {"PermissionsBoundaryArn": "arn:aws:iam::123456789012:policy/bound"}
NO_VALUE = {"Ref": "AWS::NoValue"}


def resolved(value, parameters, conditions=None):
    """What CloudFormation makes of a template's conditions and parameters."""
    if isinstance(value, list):
        entries = [resolved(entry, parameters, conditions) for entry in value]
        return [entry for entry in entries if entry != NO_VALUE]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"Ref"}:
        return parameters.get(value["Ref"], value)
    if value.keys() == {"Fn::If"}:
        name, if_true, if_false = value["Fn::If"]
        return resolved(if_true if holds(conditions[name], parameters) else if_false, parameters, conditions)
    found = {name: resolved(entry, parameters, conditions) for name, entry in value.items()}
    if found.keys() == {"Fn::Split"} and isinstance(found["Fn::Split"][1], str):
        separator, text = found["Fn::Split"]
        return text.split(separator)
    return {name: entry for name, entry in found.items() if entry != NO_VALUE}


def holds(condition, parameters):
    """Whether a condition of Conditions or Rules holds."""
    ((function, arguments),) = condition.items()
    match function:
        case "Fn::Equals":
            first, second = resolved(arguments, parameters)
            return first == second
        case "Fn::Not":
            return not holds(arguments[0], parameters)
        case "Fn::And":
            return all(holds(argument, parameters) for argument in arguments)
        case "Fn::Or":
            return any(holds(argument, parameters) for argument in arguments)
    raise AssertionError(function)


def resources_with(template, **parameters):
    """The resources of a template that is deployed with these parameters, and the defaults of the others."""
    defaults = {name: found["Default"] for name, found in template["Parameters"].items() if "Default" in found}
    return resolved(template["Resources"], defaults | parameters, template.get("Conditions", {}))


# --- the network ---


def test_a_network_is_given_whole_or_not_at_all(template):
    (assertion,) = template["Rules"]["NetworkIsWhole"]["Assertions"]
    nothing = {"SubnetIds": "", "SecurityGroupIds": ""}
    assert holds(assertion["Assert"], nothing)
    assert holds(assertion["Assert"], NETWORK)
    for name in NETWORK:
        assert not holds(assertion["Assert"], NETWORK | {name: ""})


def test_both_functions_get_the_network_and_the_right_to_use_it(template):
    found = resources_with(template, **NETWORK)
    for function in ("RotateFunction", "RenewFunction"):
        assert found[function]["Properties"]["VpcConfig"] == {name: value.split(",") for name, value in NETWORK.items()}
    statements = found["PublisherPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (join,) = [statement for statement in statements if statement["Sid"] == "JoinNetwork"]
    # Calls of the functions' own code carry the key, those of Lambda itself do not.
    assert join["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}


# --- the boundary ---


@pytest.fixture(scope="session")
def roles(every_template):
    """Every role of every template, with a boundary in the parameters."""
    return {
        f"{stack} {name}": resource["Properties"]
        for stack, template in every_template.items()
        for name, resource in resources_with(template, **BOUNDARY).items()
        if resource["Type"] == "AWS::IAM::Role"
    }


def test_every_role_has_the_boundary(roles):
    assert {"main RotateRole", "main RenewRole", "main SchedulerRole", "consumer ConsumerRole"} <= roles.keys()
    assert [
        name for name, role in roles.items() if role.get("PermissionsBoundary") != BOUNDARY["PermissionsBoundaryArn"]
    ] == []


def test_every_template_of_the_project_is_looked_at(every_template):
    """A new one has to be a fixture, or its roles would be overlooked."""
    assert len(every_template) == len([*ROOT.glob("*.yaml"), *(ROOT / "infra").glob("*.yaml")])


# --- neither of them ---


def test_without_them_no_resource_knows_of_network_or_boundary(template):
    text = json.dumps(resources_with(template))
    for word in ("VpcConfig", "PermissionsBoundary", "ec2:", "SubnetIds", "SecurityGroupIds", "Network"):
        assert word not in text


def test_what_they_add_is_all_that_they_change(template):
    """With them taken away again, it is what it is without them."""
    with_them, without = resources_with(template, **NETWORK, **BOUNDARY), resources_with(template)
    for resource in with_them.values():
        properties = resource["Properties"]
        properties.pop("VpcConfig", None)
        properties.pop("PermissionsBoundary", None)
    document = with_them["PublisherPolicy"]["Properties"]["PolicyDocument"]
    document["Statement"] = [one for one in document["Statement"] if one["Sid"] != "JoinNetwork"]
    assert with_them == without


# --- no secret ---


def test_no_secret_is_in_a_parameter_or_an_output(every_template):
    """So none is in the state of Terraform or CDK, which keep both."""
    for stack, template in every_template.items():
        assert not [name for name, found in template.get("Parameters", {}).items() if "NoEcho" in found], stack
        text = json.dumps(template)
        assert "{{resolve:" not in text, stack
        for member in ("SecretString", "GenerateSecretString"):
            assert member not in text, stack
        for name, output in template.get("Outputs", {}).items():
            assert "Credentials" not in name or name.endswith("Arn"), stack
            assert "SecretValue" not in json.dumps(output), stack
