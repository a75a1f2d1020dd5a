"""Least privilege, shown on the deployed stack: each right is needed by something, and nothing else is granted.

Right by right, each action on each resource is taken from the live role. Something fails then, and works again when
the right is given back.
"""

import json
import re
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from demo.deployment import ROOT, STACK_NAME, deploy, resources
from demo.roles import Role
from e2e.conftest import local_deployment
from e2e.rights import Rights
from e2e.rights_probes import EXISTING, PREFIX, System
from local_aws.roles import ANOTHER, session_in_another_account
from talend_token.errors import TalendTokenError

NEIGHBOUR = "neighbour"
ELSEWHERE_STACK = "other-aws-accounts"
FAILURES = (AssertionError, ClientError, TalendTokenError)


@pytest.fixture(scope="module")
def system(template):
    """The stack with all that a parameter may add to a policy and an existing secret, beside the one for neighbours."""
    with local_deployment(kind=System, retry_base_seconds=0.05) as system:
        system.deploy(template, {"ExistingCredentialsSecretArn": system.existing, "KmsKeyArn": system.key})
        system.be_quiet()
        # Beside another AWS account, a role of this one that has no right of its own but to the key.
        principals = f"arn:aws:iam::{system.aws.account_id}:role/{NEIGHBOUR},{ANOTHER}"
        neighbours = {"TokenSecretArn": system["TokenSecretArn"], "ConsumerPrincipals": principals}
        deploy(system.aws, ROOT / "infra" / "other-aws-accounts.yaml", neighbours, ELSEWHERE_STACK)
        yield system


@pytest.fixture(autouse=True)
def consumers_find_the_local_aws(monkeypatch, system):
    monkeypatch.setenv("AWS_ENDPOINT_URL", system.aws.endpoint_url)


@pytest.fixture(scope="module")
def consumer(system):
    return Role(system.aws, "consumer", policy_arn=system["ConsumerPolicyArn"]).session()


@pytest.fixture(scope="module")
def rights(system, consumer):  # noqa: ARG001 (it has the consumer's role)
    """Return the rights of each role of the stack, and of one with the consumers' policy alone."""
    roles = {name: system.resource(name) for name in ("RotateRole", "RenewRole", "SchedulerRole")}
    return {name: Rights(system.aws, role) for name, role in (roles | {"ConsumerPolicy": "consumer"}).items()}


# --- every right is needed ---


def probe(holder, right):
    """Return the probe that needs the right."""
    service = right["Action"].split(":")[0]
    of_schedules = {"lambda": System.schedule_invokes, "sqs": System.schedule_keeps_a_lost_event}
    if holder == "ConsumerPolicy":
        return System.serves
    if holder == "SchedulerRole":
        return of_schedules[service]
    if EXISTING in right["Resource"]:
        return System.replaces_for_existing_credentials
    return {"logs": System.writes_its_log, "sqs": System.keeps_a_failed_event}.get(service, System.replaces)


FUNCTIONS = {System.replaces, System.replaces_for_existing_credentials, System.writes_its_log}
USES = {
    "RotateRole": FUNCTIONS,
    "RenewRole": FUNCTIONS | {System.keeps_a_failed_event},
    "SchedulerRole": {System.schedule_invokes, System.schedule_keeps_a_lost_event},
    "ConsumerPolicy": {System.serves},
}


@pytest.mark.parametrize("holder", USES)
def test_each_right_of_a_role_is_needed(system, consumer, rights, subtests, holder):
    who = consumer if holder == "ConsumerPolicy" else holder.removesuffix("Role")
    assert {probe(holder, right) for right in rights[holder].all} == USES[holder]
    for right in rights[holder].all:
        needs = probe(holder, right)
        with subtests.test(f"{right['Action']} on {right['Resource']}"):
            with rights[holder].without(right), pytest.raises(FAILURES):
                needs(system, who)
            needs(system, who)


def test_existing_credentials_are_used_in_place_of_a_new_secret(system):
    assert system["CredentialsSecretArn"] == system.existing
    secrets = system.secrets.list_secrets()["SecretList"]
    assert f"{PREFIX}/default/credentials" not in {secret["Name"] for secret in secrets}


# --- what may come from outside ---

RULES = {
    "RotateFunctionCredentialsChangedPermission": ("Rotate", System.changed_credentials_invoke),
    "RejectedPermission": ("Renew", System.reported_rejection_invokes),
}
# The local AWS does not enforce a bus's policy: `tests/template/test_consumers.py` checks it.
NOT_SHOWN = {"RejectionReportPolicy"}


def test_all_that_grants_anything_is_looked_at(system, rights):
    kinds = {
        one["LogicalResourceId"]: one["ResourceType"]
        for stack in (STACK_NAME, ELSEWHERE_STACK)
        for one in resources(system.aws, stack)
    }
    granting = {name for name, kind in kinds.items() if kind.startswith("AWS::IAM::") or kind.endswith("Permission")}
    granting |= {name for name, kind in kinds.items() if kind.endswith("Policy")}
    assert granting == {"PublisherPolicy", *rights, "TokenSecretPolicy", *RULES, *NOT_SHOWN}


@contextmanager
def without_permission(system, function):
    """Take the permission to invoke a function from the stack's rule while the block runs."""
    name = {"FunctionName": system[f"{function}FunctionName"]}
    (statement,) = json.loads(system.functions.get_policy(**name)["Policy"])["Statement"]
    system.functions.remove_permission(**name, StatementId=statement["Sid"])
    try:
        yield
    finally:
        system.functions.add_permission(
            **name,
            StatementId=statement["Sid"],
            Action=statement["Action"],
            Principal=statement["Principal"]["Service"],
            SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
        )


@pytest.mark.parametrize(("function", "invokes"), RULES.values(), ids=RULES)
def test_a_rule_invokes_a_function_by_the_functions_permission_alone(system, function, invokes):
    with without_permission(system, function), pytest.raises(AssertionError, match="may not invoke"):
        invokes(system)
    invokes(system)


@pytest.mark.parametrize("function", ["Rotate", "Renew"])
def test_no_other_rule_may_invoke_a_function(system, function):
    with pytest.raises(AssertionError, match="may not invoke"):
        system.foreign_rule_invokes(function)


def test_a_named_principal_reads_by_the_secrets_policy_alone(system):
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    key_policy = json.dumps({"Version": "2012-10-17", "Statement": [decrypt]})
    neighbour, secret = Role(system.aws, NEIGHBOUR, policy=key_policy).session(), {"SecretId": system["TokenSecretArn"]}
    policy = json.loads(system.secrets.get_resource_policy(**secret)["ResourcePolicy"])
    (statement,) = policy["Statement"]
    assert len(statement["Action"]) == 2
    for action in statement["Action"]:
        others = [statement | {"Action": [other for other in statement["Action"] if other != action]}]
        system.secrets.put_resource_policy(**secret, ResourcePolicy=json.dumps(policy | {"Statement": others}))
        with pytest.raises(ClientError, match="AccessDenied"):
            system.shows(neighbour)
        system.secrets.put_resource_policy(**secret, ResourcePolicy=json.dumps(policy))
        system.shows(neighbour)


CLIENT_ACTIONS = ("secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret")
CLIENT_ACTIONS += ("kms:Decrypt", "lambda:InvokeFunction")


def test_another_accounts_client_renews_by_the_functions_permission(system):
    """The permission is added by the command in the head of infra/other-aws-accounts.yaml."""
    keys, key = system.aws.client("kms"), {"KeyId": system.key, "PolicyName": "default"}
    policy = json.loads(keys.get_key_policy(**key)["Policy"])
    decrypt = {"Effect": "Allow", "Principal": {"AWS": ANOTHER}, "Action": "kms:Decrypt", "Resource": "*"}
    keys.put_key_policy(**key, Policy=json.dumps(policy | {"Statement": [*policy["Statement"], decrypt]}))
    session = session_in_another_account(system.aws, *CLIENT_ACTIONS)
    with pytest.raises(TalendTokenError, match="AccessDenied"):
        system.serves(session)
    function = {"FunctionName": system["RenewFunctionName"]}
    head = (ROOT / "infra" / "other-aws-accounts.yaml").read_text().partition("AWSTemplate")[0]
    (command,) = re.findall(r"aws (lambda add-permission (?:.*\\\n)*.*)", head.replace("\n#", "\n"))
    command = command.replace("\\\n", " ").replace("<RenewFunctionName>", function["FunctionName"])
    system.run("aws", *command.split())
    try:
        system.serves(session)
    finally:
        system.functions.remove_permission(**function, StatementId=f"consumer-{ANOTHER}")
        keys.put_key_policy(**key, Policy=json.dumps(policy))


# --- and nothing else is granted ---


def secret(method, name, **arguments):
    return "secretsmanager", method, {"SecretId": name} | arguments


def log_of(function):
    return "logs", "create_log_stream", {"logGroupName": f"{function}LogGroup", "logStreamName": "x"}


ELSEWHERE = ["elsewhere/default/token", f"{PREFIX}-2/default/token", f"{PREFIX}/default/token-copy"]
TOKEN, CREDENTIALS = f"{PREFIX}/default/token", f"{PREFIX}/another/credentials"
ROTATE, RENEW = (("lambda", "invoke", {"FunctionName": f"{function}Function"}) for function in ("Rotate", "Renew"))
# A right that is not needed at all fails above. Here are the calls that a needed right must not cover, and the worst.
NOBODY = [
    *[secret("get_secret_value", name) for name in ELSEWHERE],
    *[secret("put_secret_value", name, SecretString="x") for name in (CREDENTIALS, EXISTING)],
    *[secret("delete_secret", name) for name in (TOKEN, CREDENTIALS, EXISTING)],
    secret("update_secret_version_stage", CREDENTIALS, VersionStage="AWSCURRENT"),
    secret("list_secret_version_ids", CREDENTIALS),
    # A key is of use through Secrets Manager only.
    ("kms", "decrypt", {"CiphertextBlob": b"CiphertextBlob"}),
    ("kms", "generate_data_key", {"KeyId": "KmsKey", "KeySpec": "AES_256"}),
    ("dynamodb", "get_item", {"TableName": "elsewhere", "Key": {"id": {"S": "x"}}}),
    ("sqs", "send_message", {"QueueUrl": "elsewhere", "MessageBody": "x"}),
]
# Neither a consumer nor a schedule.
NO_FUNCTION = [
    *[secret("get_secret_value", name) for name in (CREDENTIALS, EXISTING)],
    secret("put_secret_value", TOKEN, SecretString="x"),
    secret("update_secret_version_stage", TOKEN, VersionStage="AWSCURRENT"),
    log_of("Rotate"),
]
DENIED = {
    "RotateRole": [*NOBODY, ROTATE, RENEW, log_of("Renew")],
    "RenewRole": [*NOBODY, ROTATE, RENEW, log_of("Rotate")],
    "SchedulerRole": [*NOBODY, *NO_FUNCTION, RENEW, secret("get_secret_value", TOKEN)],
    "ConsumerPolicy": [
        *[*NOBODY, *NO_FUNCTION, ROTATE],
        secret("get_secret_value", f"{PREFIX}/another/token"),
        secret("describe_secret", CREDENTIALS),
    ],
}


@pytest.fixture(scope="module")
def sessions(system, rights):
    """Return a session of a role with the rights of each role."""
    return {name: Role(system.aws, f"like-{name}", policy=of.document).session() for name, of in rights.items()}


@pytest.fixture(scope="module")
def things(system):
    """Return what the denied calls are about, by the name that stands for it."""
    for name in [*ELSEWHERE, CREDENTIALS, f"{PREFIX}/another/token"]:
        system.secrets.create_secret(Name=name, SecretString="x")
    names = ("RotateFunction", "RenewFunction", "RotateLogGroup", "RenewLogGroup")
    return {name: system.resource(name) for name in names} | {
        "KmsKey": system.key,
        b"CiphertextBlob": system.aws.client("kms").encrypt(KeyId=system.key, Plaintext=b"x")["CiphertextBlob"],
        "elsewhere": system.aws.client("sqs").create_queue(QueueName="elsewhere")["QueueUrl"],
    }


@pytest.mark.parametrize("holder", DENIED)
def test_a_role_may_not(system, sessions, things, subtests, holder):
    for service, method, arguments in DENIED[holder]:
        client = sessions[holder].client(service, endpoint_url=system.aws.endpoint_url)
        given = {
            name: value if isinstance(value, dict) else things.get(value, value) for name, value in arguments.items()
        }
        call = client.meta.method_to_api_mapping[method]
        action = "lambda:InvokeFunction" if service == "lambda" else f"{service}:{call}"
        denial = f"AccessDenied.* not authorized to perform: {action} "
        with subtests.test(f"{action} {arguments}"), pytest.raises(ClientError, match=denial):
            getattr(client, method)(**given)
