"""How a row of the matrix makes calls of AWS fail."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from faults.matrix.aws_wire import AwsCall, Interference, Serve
from faults.matrix.cases import Case

# More often than a run calls.
ALWAYS = 1_000


def at(met: Callable[[AwsCall], bool], how: Interference, *, times: int = ALWAYS) -> Callable[[Case], None]:
    def arm(case: Case) -> None:
        calls_met = itertools.count()

        def interfere(call: AwsCall, serve: Serve) -> AWSResponse:
            return how(call, serve) if met(call) and next(calls_met) < times else serve()

        case.world.aws.interference = interfere

    return arm


def is_about(part: str) -> Callable[[AwsCall], bool]:
    return lambda call: call.service == "secretsmanager" and part in call.name


def is_of_the_table(call: AwsCall) -> bool:
    return call.service == "dynamodb"


def error(status: int, code: str) -> Interference:
    return lambda call, _: call.error(status, code)


def answers(status: int, body: bytes) -> Interference:
    return lambda call, _: call.answer(status, body, "text/html")


def raises(kind: type[ReadTimeoutError | ConnectTimeoutError]) -> Interference:
    def fail(call: AwsCall, _: Serve) -> AWSResponse:
        raise kind(endpoint_url=call.request.url)

    return fail


def lost(call: AwsCall, serve: Serve) -> AWSResponse:
    serve()
    raise ReadTimeoutError(endpoint_url=call.request.url)
