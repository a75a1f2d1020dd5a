"""The four steps with a client that is made once."""

import boto3

from bench.rotators import four_steps

secrets = boto3.client("secretsmanager")


def rotate() -> None:
    four_steps.rotate(lambda: secrets)
