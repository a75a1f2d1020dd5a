"""The AWS of a stack of talend-token, in memory: what the command line calls of five services."""

from __future__ import annotations

import io
import json
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError

from doubles.clock import Clock
from doubles.marked import marked
from talend_token.document import TokenDocument

API = "https://api.eu.cloud.talend.com"
TOKEN = "talend-token/default/token"
_SERVICES = ("cloudformation", "cloudwatch", "lambda", "scheduler", "secretsmanager")
STACK, ALARM = "AWS::CloudFormation::Stack", "AWS::CloudWatch::Alarm"


class InMemoryAWS:
    """Stacks, secrets, functions, alarms and schedules. It stands in for a boto3 session, too."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.region_name: str | None = "eu-west-1"
        self.stacks: dict[str, dict[str, Any]] = {}
        self.resources: dict[str, dict[str, str]] = {}
        """The types of a stack's resources, by logical id."""
        self.imports: dict[str, list[str]] = {}
        self.secrets: dict[str, list[dict[str, Any]]] = {}
        """The versions of each secret, the current one last."""
        self.schedules: dict[str, dict[str, Any]] = {}
        self.alarms_on: set[str] = set()
        self.functions: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {}
        """What a function answers to an event; `{"errorMessage": ...}` is a failure."""
        self.events: list[dict[str, Any]] = []
        """The events that the functions got."""
        self.faults: dict[str, str | BaseException] = {}
        """The error of an operation: AWS's code, or an exception of the SDK."""
        self.date_error = 0.0
        """How wrong the date of an answer is, in seconds."""
        self.configs: dict[str, Any] = {}
        """The configuration of the last client of each service."""
        self.calls: list[str] = []
        self.sessions: list[dict[str, Any]] = []
        self.on_call: Callable[[str], None] = lambda _: None

    # --- what a test prepares ---

    def add_stack(self, name: str = "talend-token", prefix: str = "talend-token") -> None:
        """Deploy a main stack with an account, as template.yaml does, without values in its secrets."""
        outputs = {
            "RotateFunctionName": f"{name}-rotate",
            "RenewFunctionName": f"{name}-renew",
            "CredentialsSecretArn": f"{prefix}/default/credentials",
            "TokenSecretArn": f"{prefix}/default/token",
            "SecretPrefix": prefix,
        }
        self.stacks[name] = {
            "StackStatus": "CREATE_COMPLETE",
            "Outputs": [{"OutputKey": key, "OutputValue": value} for key, value in outputs.items()],
        }
        self.resources[name] = {"DefaultAccount": STACK, "Monitoring": STACK}
        self.resources[f"{name}-Monitoring"] = {"DeadLettersAlarm": ALARM}
        self.imports[f"{name}-SecretPrefix"] = []
        self.functions = dict.fromkeys((f"{name}-rotate", f"{name}-renew"), self._replace)
        self._add_account("default", f"{name}-DefaultAccount", prefix)

    def add_account(self, account: str) -> None:
        """Deploy one more account, as infra/account.yaml does."""
        name = f"talend-token-{account}"
        self.stacks[name] = {"Parameters": [{"ParameterKey": "Account", "ParameterValue": account}]}
        self.resources[name] = {"Resources": STACK}
        self.imports["talend-token-SecretPrefix"].append(name)
        self._add_account(account, f"{name}-Resources", "talend-token")

    def _add_account(self, account: str, stack: str, prefix: str) -> None:
        alarms = ("TokenAlarm", "CredentialsRefusedAlarm", "VersionBudgetAlarm")
        self.resources[stack] = {"Schedule": "AWS::Scheduler::Schedule"} | dict.fromkeys(alarms, ALARM)
        self.schedules[f"{stack}-Schedule"] = {
            "ScheduleExpression": "rate(25 minutes)",
            "State": "ENABLED",
            "CreationDate": datetime.fromtimestamp(self.clock() - 600, UTC),
        }
        self.secrets[f"{prefix}/{account}/credentials"] = []
        self.secrets[f"{prefix}/{account}/token"] = []

    def publish(self, secret: str = TOKEN, *, life: int = 1800, age: int = 0) -> str:
        """Publish a new token as the rotator does, and return it."""
        version, issued_at = str(uuid.uuid4()), int(self.clock()) - age
        document = TokenDocument(marked(version), "Bearer", issued_at, issued_at + life, API, version)
        stored = {"id": version, "text": document.to_json().reveal(), "created": self.clock() - age}
        self.secrets.setdefault(secret, []).append(stored)
        return document.access_token

    def _replace(self, _: dict[str, Any]) -> dict[str, Any]:
        """Publish a token, and answer as the functions do, and as a dry run that finds nothing broken."""
        self.publish()
        checks = [{"link": "token call", "ok": True, "detail": "200"}]
        expires_at = int(self.clock()) + 1800
        return {"outcome": "rotated", "version_id": self.version(), "expires_at": expires_at, "checks": checks}

    def version(self, secret: str = TOKEN) -> str:
        """Return the id of a secret's current version."""
        return str(self.secrets[secret][-1]["id"])

    # --- what boto3 has ---

    def session(self, **named: Any) -> InMemoryAWS:
        """Stand in for `boto3.session.Session`."""
        if isinstance(fault := self.faults.get("session"), BaseException):
            raise fault
        self.sessions.append(named)
        self.region_name = named.get("region_name") or self.region_name
        return self

    def client(self, service: str, **named: Any) -> Any:
        assert service in _SERVICES
        self.configs[service] = named["config"]
        return _Client(self.call)

    def call(self, operation: str, request: dict[str, Any]) -> Any:
        self.calls.append(operation)
        self.on_call(operation)
        fault = self.faults.get(operation)
        if isinstance(fault, BaseException):
            raise fault
        if fault:
            raise _error(operation, fault)
        return getattr(self, f"_{operation}")(**request)

    def _describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803 (as AWS has it)
        if StackName not in self.stacks:
            raise _error("DescribeStacks", "ValidationError")
        return {"Stacks": [self.stacks[StackName]]}

    def _list_stack_resources(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        return {
            "StackResourceSummaries": [
                {"LogicalResourceId": name, "ResourceType": kind, "PhysicalResourceId": f"{StackName}-{name}"}
                for name, kind in self.resources[StackName].items()
            ]
        }

    def _list_imports(self, ExportName: str) -> dict[str, Any]:  # noqa: N803
        if not self.imports[ExportName]:
            raise _error("ListImports", "ValidationError")
        return {"Imports": self.imports[ExportName]}

    def _get_secret_value(self, SecretId: str) -> dict[str, Any]:  # noqa: N803
        if not self.secrets.get(SecretId):
            raise _error("GetSecretValue", "ResourceNotFoundException")
        version = self.secrets[SecretId][-1]
        date = format_datetime(datetime.fromtimestamp(self.clock() + self.date_error, UTC), usegmt=True)
        return {
            "Name": SecretId,
            "VersionId": version["id"],
            "SecretString": version["text"],
            "ResponseMetadata": {"HTTPHeaders": {"date": date}},
        }

    def _put_secret_value(self, SecretId: str, SecretString: str) -> dict[str, Any]:  # noqa: N803
        self.secrets[SecretId].append({"id": str(uuid.uuid4()), "text": SecretString, "created": self.clock()})
        return {}

    def _list_secret_version_ids(
        self,
        SecretId: str,  # noqa: N803
        IncludeDeprecated: bool = False,  # noqa: N803
        NextToken: str = "0",  # noqa: N803
    ) -> dict[str, Any]:
        """Two a page. Without the deprecated ones, only the versions that have a label."""
        if SecretId not in self.secrets:
            raise _error("ListSecretVersionIds", "ResourceNotFoundException")
        start, versions = int(NextToken), self.secrets[SecretId][0 if IncludeDeprecated else -2 :]
        dates = [datetime.fromtimestamp(version["created"], UTC) for version in versions[start : start + 2]]
        page = {"Versions": [{"CreatedDate": date} for date in dates]}
        return page | ({"NextToken": str(start + 2)} if start + 2 < len(versions) else {})

    def _get_schedule(self, Name: str) -> dict[str, Any]:  # noqa: N803
        return self.schedules[Name]

    def _describe_alarms(self, AlarmNames: list[str], StateValue: str) -> dict[str, Any]:  # noqa: N803
        assert StateValue == "ALARM"
        return {"MetricAlarms": [{"AlarmName": name} for name in AlarmNames if name in self.alarms_on]}

    def _invoke(self, FunctionName: str, Payload: bytes) -> dict[str, Any]:  # noqa: N803
        self.events.append(json.loads(Payload))
        answer = self.functions[FunctionName](self.events[-1])
        failed = {"FunctionError": "Unhandled"} if "errorMessage" in answer else {}
        return {"Payload": io.BytesIO(json.dumps(answer).encode()), **failed}


class _Client:
    """A boto3 client of one service."""

    def __init__(self, call: Callable[[str, dict[str, Any]], Any]) -> None:
        self._call = call

    def close(self) -> None:
        """Close the connections, of which there are none."""

    def get_paginator(self, operation: str) -> Any:
        return SimpleNamespace(paginate=lambda **request: [self._call(operation, request)])

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **request: self._call(operation, request)


def _error(operation: str, code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": code}}, operation)
