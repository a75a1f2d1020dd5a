"""The ways in which tests break a deployed system for a while."""

import json
from contextlib import contextmanager

from local_aws.waiting import eventually
from talend_simulator import HtmlAnswer

# The rotator publishes no token that is valid for 10 seconds or less.
SHORT_SECONDS = 14
AGE_SECONDS = 600


@contextmanager
def token_endpoint_down(deployment):
    """Answer with a maintenance page, which a run does not retry, unlike a 503."""
    deployment.talend.faults.add(HtmlAnswer(), times=None)
    try:
        yield
    finally:
        deployment.talend.faults.clear()


@contextmanager
def denied(aws, role, action):
    iam, policy = aws.client("iam"), {"RoleName": role, "PolicyName": "denied"}
    statement = {"Effect": "Deny", "Action": action, "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(**policy, PolicyDocument=document)
    try:
        yield
    finally:
        iam.delete_role_policy(**policy)


def force_rotation(deployment):
    """Return the result of a forced rotation. It is repeated while a scheduled run holds the lock."""
    return eventually(lambda: (answer := deployment.invoke({}))["outcome"] == "rotated" and answer)


def publish_a_short_token(deployment):
    settings = deployment.talend.settings
    usual, settings.speed = settings.speed, 1800 / SHORT_SECONDS
    try:
        force_rotation(deployment)
    finally:
        settings.speed = usual


def age_the_token(deployment):
    """Publish the token again as one that was issued ten minutes ago, which `renew` replaces; return its version."""
    document = deployment.document()
    text = json.dumps(document | {"issued_at": document["issued_at"] - AGE_SECONDS})
    return deployment.secrets.put_secret_value(SecretId=deployment["TokenSecretArn"], SecretString=text)["VersionId"]


def publish_an_old_token(deployment):
    """Publish a new token that `renew` replaces; return its version."""
    force_rotation(deployment)
    return age_the_token(deployment)


def revoke_tokens(deployment):
    deployment.talend.tokens.revoke_all(deployment.account.client_id)
