"""As much of AWS as the functions use, in memory, and the wire to it, where answers are replaced, lost or delayed.

The clients build, sign, parse and retry as they always do, because only the HTTP response is replaced.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import botocore
import botocore.session
from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.exceptions import ConnectTimeoutError, HTTPClientError, ReadTimeoutError
from moto.core.botocore_stubber import MockRawResponse

from local_aws.secret_versions import Record, Refusal, add_version, already_stored, holder_of, move, no_value
from talend_simulator.connection import Connection, Stalls
from talend_simulator.messages import Request, Response
from talend_simulator.server import Server

# More often than a run calls.
ALWAYS = 1_000


type Members = dict[str, Any]
type Serve = Callable[[], Response]
type Interference = Callable[[Serve], Response]


class AwsWire:
    """Every call of the clients of sessions that are made while it is installed, and what interferes with them."""

    def __init__(self, memory: AwsMemory) -> None:
        self._memory = memory
        self.calls: list[str] = []
        """Short names of all calls, such as `GetSecretValue of the token`."""
        self.interference: Callable[[str, Serve], Response] | None = None
        self.after_each: Callable[[], None] = lambda: None

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Answer in the place of AWS in each session that is made in the block."""
        botocore.register_initializer(self._install)
        try:
            yield
        finally:
            botocore.unregister_initializer(self._install)

    def _install(self, session: botocore.session.Session) -> None:
        session.register("before-send", self._send)  # type: ignore[arg-type]

    def _send(self, request: AWSPreparedRequest, **_: Any) -> AWSResponse | None:
        # A request to a loopback port is sent, and comes back here from the server there.
        if request.url.startswith("http://127.0.0.1:"):
            return None
        target: Any = request.headers["X-Amz-Target"]
        answer = self.serve(target.decode(), request.body)
        return AWSResponse(request.url, answer.status, answer.headers, MockRawResponse(answer.body))  # type: ignore[arg-type]

    def serve(self, target: str, body: Any) -> Response:
        """Answer one request of a client.

        Raises:
            HTTPClientError: there is no answer.
        """
        operation, members = target.partition(".")[2], json.loads(body)
        name = _name_of(operation, members)
        self.calls.append(name)

        def serve() -> Response:
            answer = self._memory.answer(operation, members)
            return response(400 if "__type" in answer else 200, json.dumps(answer).encode())

        try:
            return self.interference(name, serve) if self.interference else serve()
        finally:
            self.after_each()

    @contextmanager
    def server(self) -> Iterator[Server]:
        """Serve on a loopback port, for faults of connections."""

        def exchange(request: Request, connection: Connection) -> None:
            try:
                answer = self.serve(request.headers["X-Amz-Target"], request.body)
            except HTTPClientError:
                # The call may have been made, but its answer is lost.
                connection.reset()
            else:
                connection.send(answer)

        server = Server(0, exchange, Stalls())
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _name_of(operation: str, members: Members) -> str:
    if "SecretId" in members:
        part = members["SecretId"].rpartition("/")[2]
        stage = members.get("VersionStage", "AWSCURRENT")
        label = f" {stage}" if operation == "GetSecretValue" and stage != "AWSCURRENT" else ""
        return f"{operation} of the {part}{label}"
    key = (members.get("Key") or members["Item"])["id"]["S"]
    return f"{operation} of the {'lock' if key.startswith('talend-token#') else 'breaker'}"


# --- the answers without interference ---

_CONDITION = re.compile(r"attribute_(not_)?exists\((#\w+)\)|(#\w+) (=|<=|<) (:\w+)")


class AwsMemory:
    """One account in one Region. `clock` dates versions."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.secrets: dict[str, Record] = {}
        """The secrets by name, as `secret_versions` describes them."""
        self.items: dict[str, Members] = {}
        """The items of the lock table by key."""

    def answer(self, operation: str, members: Members) -> Members:
        """Return the members of the answer, or of an error."""
        try:
            answer: Members = getattr(self, f"_{xform_name(operation)}")(members)
        except Refusal as refusal:
            return {"__type": refusal.code, "message": str(refusal)}
        return answer

    # --- Secrets Manager ---

    def create(self, name: str) -> None:
        """Make a secret without a value."""
        self.secrets[name] = {"ARN": f"arn:aws:secretsmanager:eu-west-1:123456789012:secret:{name}", "Versions": {}}

    def _secret(self, members: Members) -> Record:
        if members["SecretId"] not in self.secrets:
            raise Refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
        return self.secrets[members["SecretId"]]

    def _get_secret_value(self, members: Members) -> Members:
        secret, label = self._secret(members), members["VersionStage"]
        found = holder_of(secret, label)
        if not found:
            raise no_value(f"staging label: {label}")
        version = secret["Versions"][found]
        value = {name: version[name] for name in ("CreatedDate", "SecretString", "SecretBinary") if name in version}
        return {"ARN": secret["ARN"], "VersionId": found, "VersionStages": version["Stages"]} | value

    def _describe_secret(self, members: Members) -> Members:
        secret = self._secret(members)
        labels = {version_id: version["Stages"] for version_id, version in secret["Versions"].items()}
        return {"ARN": secret["ARN"], "VersionIdsToStages": labels}

    def _list_secret_version_ids(self, members: Members) -> Members:
        secret = self._secret(members)
        versions = secret["Versions"].items()
        found = [{"VersionId": version_id, "CreatedDate": version["CreatedDate"]} for version_id, version in versions]
        return {"ARN": secret["ARN"], "Versions": found}

    def _put_secret_value(self, members: Members) -> Members:
        secret, version_id, text = self._secret(members), members["ClientRequestToken"], members["SecretString"]
        if not already_stored(secret, version_id, text):
            # The first version becomes the current one by itself.
            asked = [*members["VersionStages"], *([] if secret["Versions"] else ["AWSCURRENT"])]
            add_version(secret, version_id, text, asked, self._clock())
        return {
            "ARN": secret["ARN"],
            "VersionId": version_id,
            "VersionStages": secret["Versions"][version_id]["Stages"],
        }

    def _update_secret_version_stage(self, members: Members) -> Members:
        secret = self._secret(members)
        source, target = members.get("RemoveFromVersionId"), members["MoveToVersionId"]
        move(secret, members["VersionStage"], source=source, target=target)
        return {"ARN": secret["ARN"]}

    # --- DynamoDB ---

    def _get_item(self, members: Members) -> Members:
        item = self.items.get(members["Key"]["id"]["S"])
        return {"Item": item} if item else {}

    def _put_item(self, members: Members) -> Members:
        key = members["Item"]["id"]["S"]
        if not _holds(members, self.items.get(key, {})):
            answer = {"__type": "ConditionalCheckFailedException", "message": "The conditional request failed"}
            return answer | self._get_item({"Key": members["Item"]})
        self.items[key] = members["Item"]
        return {}

    def _update_item(self, members: Members) -> Members:
        names, values = members["ExpressionAttributeNames"], members["ExpressionAttributeValues"]
        item = self.items.setdefault(members["Key"]["id"]["S"], dict(members["Key"]))
        setting, _, removing = members["UpdateExpression"].partition(" REMOVE ")
        item |= {names[name]: values[value] for name, value in re.findall(r"(#\w+) = (:\w+)", setting)}
        for name in re.findall(r"#\w+", removing):
            item.pop(names[name], None)
        return {}

    def _delete_item(self, members: Members) -> Members:
        self.items.pop(members["Key"]["id"]["S"], None)
        return {}


def _holds(members: Members, item: Members) -> bool:
    """Return whether a condition holds, which is alternatives of conditions that are joined by AND."""
    names, values = members.get("ExpressionAttributeNames", {}), members.get("ExpressionAttributeValues", {})

    def is_true(found: re.Match[str]) -> bool:
        negated, asked_for, name, operator, value = found.groups()
        if asked_for:
            return (names[asked_for] in item) is not bool(negated)
        if names[name] not in item:
            return False
        held, other = _plain(item[names[name]]), _plain(values[value])
        return bool({"=": held == other, "<": held < other, "<=": held <= other}[operator])

    alternatives = members.get("ConditionExpression", "").split(" OR ")
    return any(all(map(is_true, _CONDITION.finditer(alternative))) for alternative in alternatives)


def _plain(value: Members) -> Any:
    return Decimal(value["N"]) if "N" in value else value["S"]


# --- interferences ---


def at(names: str, how: Interference, *, times: int = ALWAYS) -> Callable[[Any], None]:
    """Arm an interference with the first calls whose names match the expression `names`."""

    def arm(case: Any) -> None:
        met = itertools.count()

        def interfere(name: str, serve: Serve) -> Response:
            return how(serve) if re.fullmatch(names, name) and next(met) < times else serve()

        case.world.aws.interference = interfere

    return arm


def response(status: int, body: bytes, content_type: str = "application/x-amz-json-1.1") -> Response:
    headers = {"Content-Type": content_type, "x-amzn-RequestId": "00000000-0000-4000-8000-000000000000"}
    return Response(status, body, headers)


def error(status: int, code: str) -> Interference:
    """Answer with an error in AWS's JSON protocol."""
    body = json.dumps({"__type": code, "message": f"{code} for this test"}).encode()
    return lambda _: response(status, body)


def answers(status: int, body: bytes) -> Interference:
    return lambda _: response(status, body, "text/html")


def raises(kind: type[ReadTimeoutError | ConnectTimeoutError]) -> Interference:
    def fail(_: Serve) -> Response:
        raise kind(endpoint_url="https://aws.invalid")

    return fail


def lost(serve: Serve) -> Response:
    """Serve the call, and lose the answer."""
    serve()
    raise ReadTimeoutError(endpoint_url="https://aws.invalid")
