"""Least privilege, shown on the deployed stack: each right is needed by something, and nothing else is granted.

Right by right, each action on each resource is taken from the live role, something that can be seen fails, and works
again when it is given back.
"""

import json
import re
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

from demo.deployment import ROOT, STACK_NAME, deploy, resources, switch_schedule
from demo.roles import Role
from e2e.rights import Holder, holders
from e2e.rights_denied import DENIED, ELSEWHERE, EXISTING
from e2e.rights_probes import PREFIX, System
from local_aws import LocalAWS
from local_aws.another_account import ANOTHER, session_in_another_account
from talend_simulator import Account, TalendSimulator

NEIGHBOUR = "neighbour"
ELSEWHERE_STACK = "other-aws-accounts"


@pytest.fixture(scope="module")
def system(template, tmp_path_factory):
    """The stack with all that a parameter may add to a policy and an existing secret, beside the one for neighbours."""
    account, log = Account(), tmp_path_factory.mktemp("rights") / "server.log"
    with LocalAWS(retry_base_seconds=0.05, log=log) as aws, TalendSimulator([account]) as talend:
        key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
        existing = aws.client("secretsmanager").create_secret(
            Name=EXISTING, KmsKeyId=key, SecretString=account.credentials
        )
        parameters = {
            "TalendApiUrl": talend.url,
            "ExistingCredentialsSecretArn": existing["ARN"],
            "KmsKeyArn": key,
        }
        stack = deploy(aws, template, parameters)
        switch_schedule(aws, "Watchdog", "DISABLED")
        neighbours = {
            "TokenSecretArn": stack.outputs["TokenSecretArn"],
            # Beside another AWS account, a role of this one that has no right of its own but to the key.
            "ConsumerPrincipals": f"arn:aws:iam::{aws.account_id}:role/{NEIGHBOUR},{ANOTHER}",
        }
        deploy(aws, ROOT / "infra" / "other-aws-accounts.yaml", neighbours, ELSEWHERE_STACK)
        system = System(aws, talend, account, stack, log=log, key=key)
        assert system.replaces_default("Rotate") == ""
        yield system


@pytest.fixture(scope="module")
def granted(system):
    """Every resource of both stacks, and of those nested in them, that grants anything: its type and physical id."""
    return {
        one["LogicalResourceId"]: (one["ResourceType"], one["PhysicalResourceId"])
        for stack in (STACK_NAME, ELSEWHERE_STACK)
        for one in resources(system.aws, stack)
        if one["ResourceType"].startswith("AWS::IAM::") or one["ResourceType"].endswith(("Policy", "Permission"))
    }


@pytest.fixture(scope="module")
def roles(system, granted):
    return holders(system.aws, granted)


@pytest.fixture(scope="module")
def sessions(roles):
    """A session with each role's own credentials."""
    return {name: role.session() for name, role in roles.items()}


@pytest.fixture(autouse=True)
def consumers_find_the_local_aws(monkeypatch, system):
    monkeypatch.setenv("AWS_ENDPOINT_URL", system.aws.endpoint_url)


# --- every right is needed ------------------------------------------------------------------------

CREDENTIALS = f"{PREFIX}/*/credentials"
# What shows that a function lacks the right, and how. Both functions need all of these.
FUNCTION_RIGHTS = {
    f"ReadCredentials secretsmanager:GetSecretValue on {CREDENTIALS}": (System.replaces, "GetSecretValue"),
    f"ReadCredentials secretsmanager:GetSecretValue on {EXISTING}": (System.replaces_default, "GetSecretValue"),
    # Secrets Manager has one error for a secret and for a version that is not there: here, the pair before the first.
    f"ReadCredentials secretsmanager:DescribeSecret on {CREDENTIALS}": (
        System.refusal_is_remembered,
        "SecretStoreError then",
    ),
    f"ReadCredentials secretsmanager:DescribeSecret on {EXISTING}": (
        System.refusal_is_remembered_default,
        "SecretStoreError then",
    ),
    "PublishTokens secretsmanager:GetSecretValue": (System.replaces, "GetSecretValue"),
    "PublishTokens secretsmanager:DescribeSecret": (System.replaces, "DescribeSecret"),
    "PublishTokens secretsmanager:PutSecretValue": (System.replaces, "PutSecretValue"),
    "PublishTokens secretsmanager:UpdateSecretVersionStage": (System.replaces, "UpdateSecretVersionStage"),
    "UseKeyThroughSecretsManager kms:Decrypt": (System.replaces, "GetSecretValue"),
    "UseKeyThroughSecretsManager kms:GenerateDataKey": (System.replaces, "PutSecretValue"),
    "HoldLocks dynamodb:PutItem": (System.replaces, "lock table"),
    "HoldLocks dynamodb:GetItem": (System.refusal_is_remembered, "CredentialsRefused then CredentialsRefused"),
    "HoldLocks dynamodb:UpdateItem": (System.is_superseded, "in_progress"),
    "HoldLocks dynamodb:DeleteItem": (System.failure_lets_the_lock_go, "in_progress"),
    "WriteLogs logs:CreateLogStream": (System.writes_its_log, "no line in the log"),
    "WriteLogs logs:PutLogEvents": (System.writes_its_log, "no line in the log"),
}
LIST_VERSIONS = "PublishTokens secretsmanager:ListSecretVersionIds"
TOKEN = f"{PREFIX}/default/token"
SHOWN = {
    "RotateRole": FUNCTION_RIGHTS | {LIST_VERSIONS: (System.budget_is_counted, "version budget: ")},
    "RenewRole": FUNCTION_RIGHTS
    | {
        LIST_VERSIONS: (System.replaces, "ListSecretVersionIds"),
        "ReportFailures sqs:SendMessage": (System.failed_run_is_kept, "is lost"),
    },
    "SchedulerRole": {
        "InvokeRotate lambda:InvokeFunction": (System.schedule_invokes, "could not hand over"),
        "ReportFailures sqs:SendMessage": (System.schedule_keeps_what_it_cannot_hand_over, "AccessDenied"),
    },
    "ConsumerPolicy": {
        "ReadToken secretsmanager:GetSecretValue": (System.reads, "AccessDenied"),
        # AWS's own caching clients begin with it, in every language; talend_token does not.
        "ReadToken secretsmanager:DescribeSecret": (System.describes, "AccessDenied"),
        "RenewToken lambda:InvokeFunction": (System.renews, "AccessDenied"),
        "DecryptThroughSecretsManager kms:Decrypt": (System.reads, "AccessDenied"),
    },
}


def test_existing_credentials_are_used_in_place_of_a_new_secret(system):
    secrets = system.aws.client("secretsmanager")
    assert system["CredentialsSecretArn"] == secrets.describe_secret(SecretId=EXISTING)["ARN"]
    assert f"{PREFIX}/default/credentials" not in {secret["Name"] for secret in secrets.list_secrets()["SecretList"]}


def test_every_right_of_the_deployed_roles_is_shown_to_be_needed(roles):
    assert {name: {str(grant) for grant in role.grants()} for name, role in roles.items()} == {
        name: set(rights) for name, rights in SHOWN.items()
    }


@pytest.mark.parametrize(
    ("holder", "right"), [pytest.param(name, right, id=f"{name} {right}") for name in SHOWN for right in SHOWN[name]]
)
def test_without_it_something_fails_and_with_it_again_nothing_does(system, roles, sessions, holder, right):
    probe, shows = SHOWN[holder][right]
    who = sessions[holder] if holder == "ConsumerPolicy" else holder.removesuffix("Role")
    (grant,) = [grant for grant in roles[holder].grants() if str(grant) == right]
    with roles[holder].without(grant):
        assert shows in probe(system, who)
    assert probe(system, who) == ""


# --- who may come from outside --------------------------------------------------------------------

PERMISSIONS = {
    "RotateFunctionCredentialsChangedPermission": System.changed_credentials_invoke,
    "RejectedPermission": System.reported_rejection_invokes,
}
INVOKED = {"RotateFunctionCredentialsChangedPermission": "Rotate", "RejectedPermission": "Renew"}
# The local AWS does not enforce a bus's policy: `tests/template/test_consumers.py` checks it.
NOT_SHOWN = {"RejectionReportPolicy"}


def test_all_that_grants_anything_is_looked_at(granted):
    inside = {"PublisherPolicy", *SHOWN}
    assert granted.keys() == {"TokenSecretPolicy", *inside, *PERMISSIONS, *NOT_SHOWN}


@contextmanager
def without_permission(system, name):
    """A function that one of its rules may not invoke."""
    functions = system.aws.client("lambda")
    function = {"FunctionName": system[f"{INVOKED[name]}FunctionName"]}
    (statement,) = json.loads(functions.get_policy(**function)["Policy"])["Statement"]
    functions.remove_permission(**function, StatementId=statement["Sid"])
    try:
        yield
    finally:
        functions.add_permission(
            **function,
            StatementId=statement["Sid"],
            Action=statement["Action"],
            Principal=statement["Principal"]["Service"],
            SourceArn=statement["Condition"]["ArnLike"]["AWS:SourceArn"],
        )


@pytest.mark.parametrize("name", PERMISSIONS)
def test_a_rule_invokes_a_function_by_the_functions_permission_alone(system, name):
    with without_permission(system, name):
        assert "may not invoke" in PERMISSIONS[name](system)
    assert PERMISSIONS[name](system) == ""


@pytest.mark.parametrize("function", ["Rotate", "Renew"])
def test_no_other_rule_may_invoke_a_function(system, function):
    assert "may not invoke" in system.foreign_rule_invokes(function)


@pytest.mark.parametrize(
    ("action", "probe"),
    [
        ("secretsmanager:GetSecretValue", System.reads),
        ("secretsmanager:DescribeSecret", System.describes),
    ],
)
def test_a_named_principal_reads_by_the_secrets_policy_alone(system, neighbour, action, probe):
    secrets, secret = system.aws.client("secretsmanager"), {"SecretId": system["TokenSecretArn"]}
    policy = json.loads(secrets.get_resource_policy(**secret)["ResourcePolicy"])
    (statement,) = policy["Statement"]
    left = statement | {"Action": [one for one in statement["Action"] if one != action]}
    secrets.put_resource_policy(**secret, ResourcePolicy=json.dumps(policy | {"Statement": [left]}))
    try:
        assert "AccessDenied" in probe(system, neighbour)
    finally:
        secrets.put_resource_policy(**secret, ResourcePolicy=json.dumps(policy))
    assert probe(system, neighbour) == ""


@pytest.fixture(scope="module")
def neighbour(system):
    decrypt = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [decrypt]})
    Role(system.aws, NEIGHBOUR, policy=policy)
    return Holder(system.aws, NEIGHBOUR).session()


CLIENT_ACTIONS = ("secretsmanager:GetSecretValue", "kms:Decrypt", "lambda:InvokeFunction")


def test_another_accounts_client_renews_by_the_functions_permission(system):
    """The permission is added by the command in the head of infra/other-aws-accounts.yaml."""
    keys, key = system.aws.client("kms"), {"KeyId": system.key, "PolicyName": "default"}
    policy = json.loads(keys.get_key_policy(**key)["Policy"])
    decrypt = {"Effect": "Allow", "Principal": {"AWS": ANOTHER}, "Action": "kms:Decrypt", "Resource": "*"}
    keys.put_key_policy(**key, Policy=json.dumps(policy | {"Statement": [*policy["Statement"], decrypt]}))
    session = session_in_another_account(system.aws, *CLIENT_ACTIONS)
    assert "AccessDenied" in system.renews_expired(session)
    functions, function = system.aws.client("lambda"), {"FunctionName": system["RenewFunctionName"]}
    before = len(json.loads(functions.get_policy(**function)["Policy"])["Statement"])
    head = (ROOT / "infra" / "other-aws-accounts.yaml").read_text().partition("AWSTemplate")[0]
    (command,) = re.findall(r"aws (lambda add-permission (?:.*\\\n)*.*)", head.replace("\n#", "\n"))
    command = command.replace("\\\n", " ").replace("<RenewFunctionName>", system["RenewFunctionName"])
    system.run("aws", *command.split())
    try:
        assert len(json.loads(functions.get_policy(**function)["Policy"])["Statement"]) == before + 1
        assert system.renews_expired(session) == ""
    finally:
        functions.remove_permission(**function, StatementId=f"consumer-{ANOTHER}")
        keys.put_key_policy(**key, Policy=json.dumps(policy))


# --- and nothing else is granted --------------------------------------------------------------------

NOT_NAMED_AS_THE_CALL = {"lambda Invoke": "lambda:InvokeFunction"}


@pytest.fixture(scope="module")
def things(system):
    """What the denied calls are about, by the name that stands for it."""
    secrets, queues = system.aws.client("secretsmanager"), system.aws.client("sqs")
    for name in [*ELSEWHERE, f"{PREFIX}/somebody/credentials", f"{PREFIX}/somebody/token"]:
        secrets.create_secret(Name=name, SecretString="x")
    key = secrets.describe_secret(SecretId=TOKEN)["KmsKeyId"]
    logical = ["LockTable", "RotateFunction", "RenewFunction", "Schedule", "RotateLogGroup"]
    logical += ["RenewLogGroup", "RotateFunctionCredentialsChanged"]
    return {name: system.resource(name) for name in logical} | {
        "KmsKey": key,
        b"CiphertextBlob": system.aws.client("kms").encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"],
        "DeadLetterQueue": system["DeadLetterQueueUrl"],
        "elsewhere": queues.create_queue(QueueName="elsewhere")["QueueUrl"],
    }


@pytest.mark.parametrize(
    ("holder", "service", "operation", "arguments"),
    [
        pytest.param(holder, *call, id=f"{holder} {call[1]} {' '.join(map(str, call[2].values()))[:60]}")
        for holder, calls in DENIED.items()
        for call in calls
    ],
)
def test_a_role_may_not(system, sessions, roles, things, holder, service, operation, arguments):
    client = sessions[holder].client(service)
    given = {
        name: things.get(value, value) if isinstance(value, str | bytes) else value for name, value in arguments.items()
    }
    if "RoleArn" in given:
        given["RoleArn"] = system.aws.client("iam").get_role(RoleName=roles["RotateRole"].role)["Role"]["Arn"]
    call = client.meta.method_to_api_mapping[operation]
    action = NOT_NAMED_AS_THE_CALL.get(f"{service} {call}", f"{service}:{call}")
    with pytest.raises(ClientError) as refusal:
        getattr(client, operation)(**given)
    assert "AccessDenied" in refusal.value.response["Error"]["Code"]
    assert f"not authorized to perform: {action}" in str(refusal.value)
