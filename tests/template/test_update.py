"""An update of a deployed stack replaces nothing that holds data, or that consumers and other stacks name."""

import copy
import json

import pytest

from local_aws.deployment_calls import schema
from releases import unpack_previous
from template.conftest import expand

# By stack: what has the same physical id as long as the stack exists. CloudFormation deletes what it replaces. With
# a managed policy, which another description replaces, roles and consumers lose their rights.
KEPT = {
    "main": {
        "AlarmTopic",
        "DeadLetterQueue",
        "DefaultAccount",
        "LockTable",
        "PublisherPolicy",
        "RenewFunction",
        "RenewLogGroup",
        "RotateFunction",
        "RotateLogGroup",
        "SchedulerRole",
    },
    "DefaultAccount": {"ConsumerPolicy", "CredentialsSecret", "TokenSecret"},
}
HOLD_DATA = {"AWS::DynamoDB::Table", "AWS::Logs::LogGroup", "AWS::SecretsManager::Secret", "AWS::SQS::Queue"}


def replaced(before, after, kept):
    """Name each resource that an update from one expanded template to another deletes or replaces."""
    old, new = before["Resources"], after["Resources"]
    for name in sorted(kept & old.keys()):
        if name not in new or new[name]["Type"] != old[name]["Type"]:
            yield f"{name} is gone"
            continue
        given = [resource.get("Properties", {}) for resource in (old[name], new[name])]
        for part in fixed_properties(old[name]["Type"]):
            if given[0].get(part) != given[1].get(part):
                yield f"{name} is replaced, because its {part} changes"


def fixed_properties(kind):
    """The properties of a type of resource whose change replaces the resource, as CloudFormation's own schema says."""
    found = schema(kind)
    paths = [*found.get("createOnlyProperties", []), *found.get("conditionalCreateOnlyProperties", [])]
    return sorted({path.split("/")[2] for path in paths})


@pytest.fixture(scope="module")
def before(tmp_path_factory):
    main = unpack_previous(tmp_path_factory.mktemp("previous"))
    account = main.parent / "infra" / "account-resources.yaml"
    found = expand(main, account)
    return {"main": found[main], "DefaultAccount": found[account]}


@pytest.fixture
def after(template, nested):
    return copy.deepcopy({"main": template, "DefaultAccount": nested["DefaultAccount"]})


@pytest.mark.parametrize("stack", KEPT)
def test_an_update_replaces_nothing_that_is_kept(before, after, stack):
    assert list(replaced(before[stack], after[stack], KEPT[stack])) == []


@pytest.mark.parametrize("stack", KEPT)
def test_what_holds_data_or_is_named_elsewhere_is_kept(after, stack):
    resources, outputs = after[stack]["Resources"], after[stack]["Outputs"]
    hold_data = {name for name, resource in resources.items() if resource["Type"] in HOLD_DATA}
    exported = json.dumps([output["Value"] for output in outputs.values() if "Export" in output])
    named = {name for name in resources if f'"{name}"' in exported}
    assert hold_data | named <= KEPT[stack] <= resources.keys()


@pytest.mark.parametrize("stack", KEPT)
def test_an_update_takes_the_parameters_and_outputs_of_before(before, after, stack):
    """`sam deploy` gives the values of before, and other stacks import what was exported."""
    assert before[stack]["Parameters"].keys() <= after[stack]["Parameters"].keys()
    for name, output in before[stack]["Outputs"].items():
        assert after[stack]["Outputs"][name].get("Export") == output.get("Export"), name


BREAKAGES = {
    "a renamed secret": ("DefaultAccount", "TokenSecret", {"Name": "token"}),
    "another logical id of a secret": ("DefaultAccount", "TokenSecret", None),
    "another key of a table": ("main", "LockTable", {"KeySchema": [{"AttributeName": "key", "KeyType": "HASH"}]}),
    "a function with a name": ("main", "RenewFunction", {"FunctionName": "renew"}),
}


@pytest.mark.parametrize("what", BREAKAGES)
def test_a_tree_that_replaces_something_is_found(before, after, what):
    stack, name, properties = BREAKAGES[what]
    resources = after[stack]["Resources"]
    if properties is None:
        resources["Other"] = resources.pop(name)
    else:
        resources[name]["Properties"] |= properties
    (found,) = replaced(before[stack], after[stack], KEPT[stack])
    assert found.startswith(f"{name} is ")
