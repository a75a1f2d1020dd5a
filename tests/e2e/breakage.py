"""What a test breaks in a deployed system, for as long as it looks."""

import json
from contextlib import contextmanager

from local_aws.waiting import eventually
from talend_simulator import HtmlAnswer

# Of a token; one that is valid for 10 seconds or less is not published.
SHORT_SECONDS = 14


@contextmanager
def token_endpoint_down(deployment):
    """A page of maintenance in the place of an answer: it is not tried again in the same run, as a 503 would be."""
    deployment.talend.faults.add(HtmlAnswer(), times=None)
    try:
        yield
    finally:
        deployment.talend.faults.clear()


@contextmanager
def renew_denied(deployment, action):
    """The renew function without one of its rights."""
    iam, role = deployment.aws.client("iam"), deployment.resource("RenewRole")
    denied = {"Effect": "Deny", "Action": action, "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
    iam.put_role_policy(RoleName=role, PolicyName="denied", PolicyDocument=policy)
    try:
        yield
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="denied")


def force_rotation(deployment):
    """The answer of a forced rotation that has published; a tick may be at it when it is asked for."""
    return eventually(lambda: (answer := deployment.invoke({}))["outcome"] == "rotated" and answer)


def publish_a_short_token(deployment):
    """Publish a token that is valid for hardly longer than one must be to be published."""
    settings = deployment.talend.settings
    usual, settings.speed = settings.speed, 1800 / SHORT_SECONDS
    try:
        force_rotation(deployment)
    finally:
        settings.speed = usual
