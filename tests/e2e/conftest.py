"""The project's own template, built, deployed by the SAM CLI to a local AWS, beside a Talend simulator."""

import json
import subprocess

import pytest
import requests

from demo.deployment import ROOT, SAM, deploy, physical_id, switch_schedule
from local_aws import ENVIRONMENTS, LocalAWS
from local_aws.waiting import eventually
from talend_simulator import Account, Settings, TalendSimulator


class Deployment:
    """A deployed stack, and the ordinary tools that a person would use on it."""

    def __init__(self, aws, talend, account, stack):
        self.aws = aws
        self.talend = talend
        self.account = account
        self.stack = stack
        self.secrets = aws.client("secretsmanager")
        self.functions = aws.client("lambda")

    def __getitem__(self, output):
        return self.stack.outputs[output]

    def put_credentials(self, text=None):
        pair = f"{self.account.client_id}:{self.account.client_secret}" if text is None else text
        self.secrets.put_secret_value(SecretId=self["CredentialsSecretArn"], SecretString=pair)

    def published(self):
        return self.secrets.get_secret_value(SecretId=self["TokenSecretArn"])

    def document(self):
        return json.loads(self.published()["SecretString"])

    def works(self):
        """Whether the API accepts the published token."""
        token = self.document()
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        return requests.get(f"{token['api_url']}/account/users", headers=headers, timeout=5).status_code == 200

    def has_token(self):
        versions = self.secrets.describe_secret(SecretId=self["TokenSecretArn"]).get("VersionIdsToStages", {})
        return any("AWSCURRENT" in labels for labels in versions.values())

    def resource(self, logical_id):
        """The physical id of a resource of the stack, or of those nested in it."""
        return physical_id(self.aws, logical_id, self.stack.name)

    def invoke(self, event, function="RotateFunctionName"):
        """The function's answer, or its error."""
        answer = self.functions.invoke(FunctionName=self[function], Payload=json.dumps(event))
        return json.load(answer["Payload"])

    def run(self, *command):
        """Run the AWS or SAM CLI as a person would, in another terminal."""
        path = {"aws": ENVIRONMENTS / "awscli" / "bin" / "aws", "sam": SAM / "sam"}[command[0]]
        environment = self.aws.subprocess_environment() | {"__SAM_CLI_APP_DIR": str(ENVIRONMENTS / "sam-cli")}
        finished = subprocess.run(
            [path, *command[1:]], env=environment, capture_output=True, text=True, cwd=ROOT, check=False
        )
        assert finished.returncode == 0, finished.stdout + finished.stderr
        return finished.stdout

    def logs(self, function="rotate"):
        """The function's own log lines."""
        group = f"/aws/lambda/{self.stack.name}-{function}"
        pages = self.aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
        return [line for line in (json.loads(event["message"]) for event in events) if "trigger" in line]


@pytest.fixture(scope="session")
def template():
    template = ROOT / ".aws-sam" / "build" / "template.yaml"
    if not template.exists():
        pytest.fail("the template is not built: run `make build`, or `make test`, which does so first")
    return template


@pytest.fixture(scope="module")
def speed():
    """A token is valid for 18 s in place of 30 minutes, and the schedule fires every 15."""
    return 100


@pytest.fixture(scope="module")
def parameters():
    """Parameters of the stack, beside those that every deployment here needs."""
    return {}


@pytest.fixture(scope="module")
def disabled():
    """The schedules that do not fire."""
    return []


@pytest.fixture(scope="module")
def concurrency():
    """How many runs of one function there may be at the same moment."""
    return 16


@pytest.fixture(scope="module")
def deployment(template, speed, parameters, disabled, concurrency):
    """One deployment for a module's tests: each leaves it with good credentials."""
    account = Account()
    with (
        LocalAWS(schedule_speed=speed, concurrency=concurrency) as aws,
        TalendSimulator([account], settings=Settings(speed=speed)) as talend,
    ):
        deployment = Deployment(aws, talend, account, deploy(aws, template, {"TalendApiUrl": talend.url} | parameters))
        for schedule in disabled:
            switch_schedule(aws, schedule, "DISABLED")
        deployment.put_credentials()
        # That makes the first rotation by itself: what is forced meanwhile would find it in progress.
        eventually(deployment.has_token)
        yield deployment
