"""The project's own templates, deployed by the SAM CLI to a local AWS, beside a Talend simulator.

A module has one deployment, whose time runs as many times faster than the clock as the module's `SPEED` says. At the
end of every module, all that functions have logged on any local AWS is held against the specification of their logs.
"""

import json
import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from demo.deployment import BUILT, ROOT, STACK_NAME, deploy, physical_id, switch_schedule
from e2e.logs import changes_by_hand, check_logs
from local_aws import ENVIRONMENTS, LOGS_VARIABLE, LocalAWS
from local_aws.waiting import eventually
from talend_simulator import Account, Settings, TalendSimulator


class Deployment:
    """A stack on a local AWS beside a Talend simulator, and the tools that an operator would use on it."""

    def __init__(self, aws, talend, account):
        self.aws = aws
        self.talend = talend
        self.account = account
        self.stack = None
        self.began = time.time()
        self.secrets = aws.client("secretsmanager")
        self.functions = aws.client("lambda")

    def deploy(self, template, parameters=None, name=STACK_NAME, *options, **environment):
        """Deploy a template whose parameters are those of the main one, and return this deployment."""
        parameters = {"TalendApiUrl": self.talend.url} | (parameters or {})
        self.stack = deploy(self.aws, template, parameters, name, *options, **environment)
        return self

    def beside(self):
        """Return another deployment on the same local AWS and for the same Talend account."""
        return Deployment(self.aws, self.talend, self.account)

    def __getitem__(self, output):
        return self.stack.outputs[output]

    def put_credentials(self, text=None):
        pair = self.account.credentials if text is None else text
        self.secrets.put_secret_value(SecretId=self["CredentialsSecretArn"], SecretString=pair)

    def get_first_token(self):
        """Store good credentials, which starts a rotation, and wait for its end: a forced one would meet its lock."""
        self.put_credentials()
        eventually(self.has_token)

    def published(self):
        return self.secrets.get_secret_value(SecretId=self["TokenSecretArn"])

    def document(self):
        return json.loads(self.published()["SecretString"])

    def works(self):
        document = self.document()
        headers = {"Authorization": f"Bearer {document['access_token']}"}
        return requests.get(f"{document['api_url']}/account/users", headers=headers, timeout=5).status_code == 200

    def has_token(self):
        versions = self.secrets.describe_secret(SecretId=self["TokenSecretArn"]).get("VersionIdsToStages", {})
        return any("AWSCURRENT" in labels for labels in versions.values())

    def versions(self):
        listed = {"SecretId": self["TokenSecretArn"], "IncludeDeprecated": True, "MaxResults": 100}
        return {version["VersionId"] for version in self.secrets.list_secret_version_ids(**listed)["Versions"]}

    def resource(self, logical_id):
        return physical_id(self.aws, logical_id, self.stack.name)

    def invoke(self, event, function="Rotate"):
        """Return the function's result or its error."""
        answer = self.functions.invoke(FunctionName=self[f"{function}FunctionName"], Payload=json.dumps(event))
        return json.load(answer["Payload"])

    def reject(self, version_id):
        """Return the result of `renew` for a version that an API has rejected."""
        return self.invoke({"rejected_version_id": version_id}, "Renew")

    def run(self, *command):
        """Run the AWS CLI as an operator would, in another terminal."""
        command = [ENVIRONMENTS / "awscli" / "bin" / command[0], *command[1:]]
        environment = self.aws.subprocess_environment()
        finished = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=ROOT, check=False)
        assert finished.returncode == 0, finished.stdout + finished.stderr

    def log_lines(self, group, since=0.0):
        """Return what a log group has received since a moment, line by line."""
        asked = {"logGroupName": group, "startTime": int(since * 1000)}
        pages = self.aws.client("logs").get_paginator("filter_log_events").paginate(**asked)
        return [event["message"] for page in pages for event in page["events"]]

    def logs(self, function="rotate", since=None):
        """Return the function's own log lines since a moment, or since the module began."""
        since = self.began if since is None else since
        lines = map(json.loads, self.log_lines(f"/aws/lambda/{self.stack.name}-{function}", since))
        return [line for line in lines if "trigger" in line]

    def dead_letters(self):
        """Receive dead letters; Amazon SQS hides each for a while then."""
        queue = {"QueueUrl": self["DeadLetterQueueUrl"], "MaxNumberOfMessages": 10}
        received = self.aws.client("sqs").receive_message(**queue).get("Messages", [])
        return [json.loads(message["Body"]) for message in received]


@contextmanager
def local_deployment(speed=1, kind=Deployment, **options):
    """Start a local AWS and a simulator on which nothing has been deployed."""
    account = Account()
    simulator = TalendSimulator([account], settings=Settings(speed=speed))
    with LocalAWS(schedule_speed=speed, **options) as aws, simulator as talend:
        yield kind(aws, talend, account)


@pytest.fixture(scope="session")
def changes():
    """Return the moments at which tests have changed a token secret."""
    with changes_by_hand() as changes:
        yield changes


@pytest.fixture(scope="module", autouse=True)
def logs_follow_their_specification(changes):
    """Check the logs of all that the module has deployed, also by other processes and in stacks that are gone."""
    began = time.time()
    yield
    logs = Path(os.environ[LOGS_VARIABLE]).glob("*.log")
    check_logs([log for log in logs if log.stat().st_mtime >= began], changes)


@pytest.fixture(scope="session")
def template():
    return BUILT


@pytest.fixture(scope="module")
def deployment(request, template):
    """Return a stack with good credentials and a published token."""
    speed = getattr(request.module, "SPEED", 1)
    with local_deployment(speed, concurrency=32) as deployment:
        # In real time no schedule fires during the tests. A rare one leaves more of the day's versions to renewals, and
        # the watchdog's minutes would come between two steps of a test.
        deployment.deploy(template, {"ScheduleExpression": "rate(1 day)"} if speed == 1 else {})
        if speed == 1:
            switch_schedule(deployment.aws, "Watchdog", "DISABLED")
        deployment.get_first_token()
        yield deployment
