"""Companies ask for a network, a permissions boundary, environments, and no secret in what they store."""

import json

from template.conftest import ROOT, make

NO_VALUE = {"Ref": "AWS::NoValue"}


def only_if(condition, value):
    return {"Fn::If": [condition, value, NO_VALUE]}


def is_given(parameter):
    return {"Fn::Not": [{"Fn::Equals": [{"Ref": parameter}, ""]}]}


# --- the network and the boundary ---


def test_both_functions_get_the_network_and_the_right_to_use_it(template):
    assert template["Conditions"]["HasNetwork"] == is_given("SubnetIds")
    network = {name: {"Fn::Split": [",", {"Ref": name}]} for name in ("SubnetIds", "SecurityGroupIds")}
    for function in ("RotateFunction", "RenewFunction"):
        assert template["Resources"][function]["Properties"]["VpcConfig"] == only_if("HasNetwork", network)
    statements = template["Resources"]["PublisherPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    (join,) = [statement for statement in statements if statement.get("Fn::If", [""])[0] == "HasNetwork"]
    # Calls of the functions' own code carry the key, those of Lambda itself do not.
    assert join["Fn::If"][1]["Condition"] == {"Null": {"lambda:SourceFunctionArn": "true"}}
    assert {action.removeprefix("ec2:") for action in join["Fn::If"][1]["Action"]} == {
        *("CreateNetworkInterface", "DeleteNetworkInterface", "DescribeNetworkInterfaces", "DescribeSubnets"),
        *("AssignPrivateIpAddresses", "UnassignPrivateIpAddresses"),
    }


def test_every_role_has_the_boundary(every_template):
    boundary = only_if("HasPermissionsBoundary", {"Ref": "PermissionsBoundaryArn"})
    found = {
        f"{stack} {name}": (resource["Properties"].get("PermissionsBoundary"), template["Conditions"])
        for stack, template in every_template.items()
        for name, resource in template["Resources"].items()
        if resource["Type"] == "AWS::IAM::Role"
    }
    assert {"main RotateRole", "main RenewRole", "main SchedulerRole", "consumer ConsumerRole"} <= found.keys()
    for name, (has, conditions) in found.items():
        assert has == boundary, name
        assert conditions["HasPermissionsBoundary"] == is_given("PermissionsBoundaryArn"), name


def test_every_template_of_the_project_is_looked_at(every_template):
    """A new one has to be a fixture, or its roles would be overlooked."""
    assert len(every_template) == len([*ROOT.glob("*.yaml"), *(ROOT / "infra").glob("*.yaml")])


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


# --- environments ---


def deploy_command(*arguments, **environment):
    """Return what `make deploy` would run."""
    return " ".join(make("--dry-run", "deploy", *arguments, **environment).stdout.splitlines()[-1].split())


def test_an_environment_is_chosen_on_the_command_line_alone(samconfig):
    assert deploy_command("ENV=staging").endswith("sam deploy --config-env staging")
    # Shells have a variable of that name, too.
    assert deploy_command(ENV="staging").endswith("sam deploy")
    assert deploy_command("ARGS=--guided").endswith("sam deploy --guided")
    assert samconfig.keys() >= {"default", "staging"}


def test_two_environments_share_neither_stack_nor_secrets(samconfig):
    staging = samconfig["staging"]
    assert staging["global"]["parameters"]["stack_name"] != samconfig["default"]["global"]["parameters"]["stack_name"]
    assert "SecretPrefix=talend-token-staging" in staging["deploy"]["parameters"]["parameter_overrides"]
    same = ("capabilities", "resolve_s3", "disable_rollback")
    for name in same:
        assert staging["deploy"]["parameters"][name] == samconfig["default"]["deploy"]["parameters"][name]
