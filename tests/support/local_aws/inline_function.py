"""Small functions for tests: a few lines of Python, and a role that may do what the test says."""

import io
import json
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from local_aws import LocalAWS

BASIC_EXECUTION = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def archive(files: Mapping[str, str]) -> bytes:
    """Return a zip file of these texts."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as zipped:
        for name, text in files.items():
            zipped.writestr(name, text)
    return buffer.getvalue()


def create_role(aws: LocalAWS, service: str, statements: Sequence[Mapping[str, Any]] = (), name: str = "") -> str:
    """Create a role that a service may assume, with these statements, and return its ARN."""
    iam = aws.client("iam")
    name = name or f"role-{uuid.uuid4().hex[:12]}"
    trust = [{"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}]
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]
    if statements:
        iam.put_role_policy(RoleName=name, PolicyName="inline", PolicyDocument=_policy(statements))
    return str(role["Arn"])


def create_function(
    aws: LocalAWS, source: str, *, statements: Sequence[Mapping[str, Any]] = (), **configuration: Any
) -> str:
    """Create a function of the module `index` whose handler is `handler`, and return its name."""
    role = create_role(aws, "lambda.amazonaws.com", statements)
    aws.client("iam").attach_role_policy(RoleName=role.rsplit("/", 1)[1], PolicyArn=BASIC_EXECUTION)
    defaults = {
        "FunctionName": f"function-{uuid.uuid4().hex[:12]}",
        "Runtime": "python3.13",
        "Handler": "index.handler",
        # A busy machine is not the function's fault.
        "Timeout": 30,
    }
    created = aws.client("lambda").create_function(
        **{**defaults, "Role": role, "Code": {"ZipFile": archive({"index.py": source})}, **configuration}
    )
    return str(created["FunctionName"])


def invoke(aws: LocalAWS, function: str, event: Any = None, **parameters: Any) -> dict[str, Any]:
    """Invoke, wait, and return the answer of Invoke with its payload read."""
    answer: dict[str, Any] = aws.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event), **parameters)
    answer["Payload"] = json.loads(answer["Payload"].read() or "null")
    return answer


def _policy(statements: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
