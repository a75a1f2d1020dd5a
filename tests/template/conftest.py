"""The templates as CloudFormation sees them: the main one as it was built, and those beside it."""

import inspect
import json
import os
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from rotator.adapters import telemetry

ROOT = Path(__file__).parents[2]
BUILD = ROOT / ".aws-sam" / "build"
BUILT = BUILD / "template.yaml"
ACCOUNT, ELSEWHERE = ROOT / "infra" / "account.yaml", ROOT / "infra" / "other-aws-accounts.yaml"
CONSUMER_NODE = ROOT / "infra" / "consumer-node.yaml"
CONSUMER = ROOT / ".aws-sam" / "consumer" / "template.yaml"


# Expands several templates in one process, because the translator takes seconds to import.
EXPAND = """
import json, sys
from pathlib import Path
from expand_template import expand

print(json.dumps({path: expand(Path(path)) for path in sys.argv[1:]}, default=str))
"""


def expand(*paths):
    command = [ROOT / ".environments" / "sam" / "bin" / "python", "-c", EXPAND, *paths]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "infra" / "tools")}
    printed = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
    return {Path(path): template for path, template in json.loads(printed).items()}


def make(*arguments, **environment):
    """Run make without the variables that `make test` has set."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "ARGS", "PIP_"))}
    command = ["make", "--no-print-directory", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, env=ours | environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def expanded():
    """Return every template of the project after SAM's transform, by its path."""
    if not BUILT.exists():
        pytest.fail("the template is not built: run `make build`, or `make test`, which does so first")
    return expand(BUILT, *sorted(BUILD.glob("*/template.yaml")), ACCOUNT, ELSEWHERE, CONSUMER, CONSUMER_NODE)


@pytest.fixture(scope="session")
def template(expanded):
    return expanded[BUILT]


@pytest.fixture(scope="session")
def nested(expanded, template):
    """Return the built template of each stack that the main one nests, by logical id."""
    stacks = [name for name, found in template["Resources"].items() if found["Type"] == "AWS::CloudFormation::Stack"]
    return {name: expanded[BUILD / name / "template.yaml"] for name in stacks}


@pytest.fixture(scope="session")
def account_resources(nested):
    """Return the template that owns an account's secrets, schedules, consumer policy and alarms."""
    return nested["DefaultAccount"]


@pytest.fixture(scope="session")
def account(expanded):
    return expanded[ACCOUNT]


@pytest.fixture(scope="session")
def elsewhere(expanded):
    return expanded[ELSEWHERE]


@pytest.fixture(scope="session")
def every_template(expanded, template, nested, account, elsewhere):
    """Return every template of the project, by a name of its own."""
    consumers = {"consumer": expanded[CONSUMER], "consumer in Node.js": expanded[CONSUMER_NODE]}
    return {"main": template, **nested, "account": account, "elsewhere": elsewhere, **consumers}


@pytest.fixture(scope="session")
def alarms(template, nested):
    """Return the properties of every alarm of the main stack and the stacks in it, by logical id."""
    return {
        name: resource["Properties"]
        for stack in [template, *nested.values()]
        for name, resource in stack["Resources"].items()
        if resource["Type"] == "AWS::CloudWatch::Alarm"
    }


@pytest.fixture(scope="session")
def metrics():
    """Return the names of the metrics that the functions write."""
    return set(re.findall(r'^ +"([A-Z]\w+)": ', inspect.getsource(telemetry), re.MULTILINE))


@pytest.fixture(scope="session")
def package():
    """Return the folder that becomes the zip of rotate. A test shows that renew's is the same."""
    return BUILD / "RotateFunction"


@pytest.fixture(scope="session")
def layer():
    return BUILD / "ClientLayer"


@pytest.fixture(scope="session")
def resources(template):
    return template["Resources"]


@pytest.fixture(scope="session")
def samconfig():
    return tomllib.loads((ROOT / "samconfig.toml").read_text())
