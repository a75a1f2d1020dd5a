"""Two calls of the SDK that do not need each other, one after the other."""

import boto3

secrets = boto3.client("secretsmanager")
locks = boto3.client("dynamodb")


def lock() -> None:
    locks.put_item(
        TableName="locks", Item={"id": {"S": "talend-token"}}, ConditionExpression="attribute_not_exists(id)"
    )


def read() -> None:
    secrets.get_secret_value(SecretId="talend/default/credentials")


def rotate() -> None:
    lock()
    read()
