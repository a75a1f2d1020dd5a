"""The built template as CloudFormation sees it."""

import json
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam" / "build"


@pytest.fixture(scope="session")
def template():
    """The built template after SAM's transform."""
    if not (BUILD / "template.yaml").exists():
        pytest.fail("the template is not built: run `make build`, or `make test`, which does so first")
    expand = [ROOT / ".environments/sam/bin/python", ROOT / "infra/tools/expand_template.py", BUILD / "template.yaml"]
    return json.loads(subprocess.run(expand, check=True, capture_output=True, text=True).stdout)


@pytest.fixture(scope="session", params=["RotateFunction", "RenewFunction"])
def package(request):
    """The folder that becomes a function's zip."""
    return BUILD / request.param


@pytest.fixture(scope="session")
def resources(template):
    return template["Resources"]


@pytest.fixture(scope="session")
def samconfig():
    return tomllib.loads((ROOT / "samconfig.toml").read_text())


@pytest.fixture(scope="session")
def statements(resources):
    """The statements of each role and managed policy, by the logical id of its resource."""
    found = {}
    for name, resource in resources.items():
        properties = resource.get("Properties", {})
        documents = [policy["PolicyDocument"] for policy in properties.get("Policies", [])]
        if resource["Type"] == "AWS::IAM::ManagedPolicy":
            documents.append(properties["PolicyDocument"])
        if documents:
            found[name] = [statement for document in documents for statement in document["Statement"]]
    return found
