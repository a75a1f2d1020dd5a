"""What each role must not do: calls of boto3 as service, method and arguments.

Where an argument is a logical id of the stack, or another name that `test_rights.py` knows, the resource is meant.
"""

from typing import Any

from demo.deployment import STACK_NAME
from e2e.rights_probes import PREFIX

Call = tuple[str, str, dict[str, Any]]

# A secret that was there before the stack, outside of its prefix.
EXISTING = "mine/talend"
ELSEWHERE = ["elsewhere/default/token", f"{PREFIX}-2/default/token", f"{PREFIX}/default/token-copy"]
SECRETS = {
    "token": {"SecretId": f"{PREFIX}/default/token"},
    "credentials": {"SecretId": f"{PREFIX}/somebody/credentials"},
    "existing": {"SecretId": EXISTING},
}
KEY = {"KeyId": "KmsKey"}
LOCKS, QUEUE = {"TableName": "LockTable"}, {"QueueUrl": "DeadLetterQueue"}
# Nobody: neither a function, nor a schedule, nor a consumer.
NOBODY: list[Call] = [
    *[("secretsmanager", "get_secret_value", {"SecretId": name}) for name in ELSEWHERE],
    *[("secretsmanager", "delete_secret", secret) for secret in SECRETS.values()],
    *[("secretsmanager", "put_secret_value", secret | {"SecretString": "x"}) for secret in list(SECRETS.values())[1:]],
    *[("secretsmanager", "update_secret", secret | {"SecretString": "x"}) for secret in SECRETS.values()],
    (
        "secretsmanager",
        "update_secret_version_stage",
        SECRETS["credentials"] | {"VersionStage": "AWSCURRENT", "MoveToVersionId": "0" * 32},
    ),
    ("secretsmanager", "list_secret_version_ids", SECRETS["credentials"]),
    ("secretsmanager", "create_secret", {"Name": f"{PREFIX}/mine/token"}),
    ("secretsmanager", "put_resource_policy", SECRETS["token"] | {"ResourcePolicy": "{}"}),
    (
        "secretsmanager",
        "replicate_secret_to_regions",
        SECRETS["token"] | {"AddReplicaRegions": [{"Region": "eu-west-3"}]},
    ),
    ("secretsmanager", "rotate_secret", SECRETS["token"]),
    ("secretsmanager", "list_secrets", {}),
    ("dynamodb", "list_tables", {}),
    ("sqs", "list_queues", {}),
    ("iam", "list_roles", {}),
    # A key is of use through Secrets Manager only.
    ("kms", "decrypt", {"CiphertextBlob": b"CiphertextBlob"}),
    ("kms", "generate_data_key", KEY | {"KeySpec": "AES_256"}),
    ("kms", "disable_key", KEY),
    ("kms", "schedule_key_deletion", KEY),
    ("lambda", "invoke", {"FunctionName": "RotateFunction"}),
    ("lambda", "update_function_code", {"FunctionName": "RotateFunction", "ZipFile": b""}),
    ("lambda", "update_function_configuration", {"FunctionName": "RenewFunction", "Timeout": 1}),
    ("lambda", "get_function", {"FunctionName": "RenewFunction"}),
    ("dynamodb", "scan", LOCKS),
    ("dynamodb", "delete_table", LOCKS),
    ("dynamodb", "get_item", {"TableName": "elsewhere", "Key": {"id": {"S": "x"}}}),
    ("sqs", "receive_message", QUEUE),
    ("sqs", "purge_queue", QUEUE),
    ("sqs", "send_message", {"QueueUrl": "elsewhere", "MessageBody": "x"}),
    ("events", "put_events", {"Entries": [{"Source": "x", "DetailType": "x", "Detail": "{}"}]}),
    ("events", "disable_rule", {"Name": "RotateFunctionCredentialsChanged"}),
    ("logs", "filter_log_events", {"logGroupName": "RotateLogGroup"}),
    ("logs", "delete_log_group", {"logGroupName": "RotateLogGroup"}),
    ("logs", "create_log_group", {"logGroupName": "elsewhere"}),
    ("scheduler", "delete_schedule", {"Name": "Schedule"}),
    ("cloudwatch", "delete_alarms", {"AlarmNames": ["elsewhere"]}),
    ("cloudformation", "delete_stack", {"StackName": STACK_NAME}),
    ("iam", "put_role_policy", {"RoleName": "RotateRole", "PolicyName": "x", "PolicyDocument": "{}"}),
    ("sts", "assume_role", {"RoleArn": "RotateRole", "RoleSessionName": "session"}),
]
NO_CREDENTIALS: list[Call] = [("secretsmanager", "get_secret_value", secret) for secret in list(SECRETS.values())[1:]]
NO_PUBLICATION: list[Call] = [
    ("secretsmanager", "put_secret_value", SECRETS["token"] | {"SecretString": "x"}),
    ("secretsmanager", "update_secret_version_stage", SECRETS["token"] | {"VersionStage": "AWSCURRENT"}),
    ("dynamodb", "put_item", LOCKS | {"Item": {"id": {"S": "x"}}}),
]
RENEW: Call = ("lambda", "invoke", {"FunctionName": "RenewFunction"})
DEAD_LETTER: Call = ("sqs", "send_message", QUEUE | {"MessageBody": "x"})
OTHERS_TOKEN: Call = ("secretsmanager", "get_secret_value", {"SecretId": f"{PREFIX}/somebody/token"})


def log_of(function: str) -> Call:
    """Writes into the log of a function."""
    return ("logs", "create_log_stream", {"logGroupName": f"{function}LogGroup", "logStreamName": "x"})


DENIED: dict[str, list[Call]] = {
    "RotateRole": [*NOBODY, RENEW, DEAD_LETTER, log_of("Renew")],
    "RenewRole": [*NOBODY, RENEW, log_of("Rotate")],
    "SchedulerRole": [
        *[call for call in NOBODY if call[2] != {"FunctionName": "RotateFunction"}],
        *NO_CREDENTIALS,
        *NO_PUBLICATION,
        ("secretsmanager", "get_secret_value", SECRETS["token"]),
        RENEW,
        log_of("Rotate"),
    ],
    "ConsumerPolicy": [
        ("secretsmanager", "describe_secret", SECRETS["credentials"]),
        ("secretsmanager", "list_secret_version_ids", SECRETS["token"]),
        *NOBODY,
        *NO_CREDENTIALS,
        *NO_PUBLICATION,
        OTHERS_TOKEN,
        DEAD_LETTER,
        log_of("Renew"),
    ],
}
