"""Rows of the matrix: what people store as credentials."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator

from botocore.exceptions import ReadTimeoutError

from faults.matrix.aws_arming import ALWAYS, at, error, raises
from faults.matrix.aws_wire import Interference
from faults.matrix.cases import Case, State, Trigger
from faults.matrix.faults import HELD, Expected, Fault
from talend_simulator import Account

type Spell = Callable[[Account], str | bytes]


def rows() -> Iterator[Fault]:
    for name, (spell, says) in _malformed().items():
        yield Fault(
            f"credentials: {name}",
            _twice(spell),
            lambda *_, says=says: Expected("CredentialsError", 0, says),
            mend=_mend,
        )
    for name, spell in _odd().items():
        yield Fault(f"credentials: {name}", _twice(spell), lambda *_: Expected("rotated", 1))
    yield Fault("credentials: none yet", _none, _waits, mend=_mend)
    gone = Expected("SecretStoreError", 0, "failed with ResourceNotFoundException")
    yield Fault("credentials: no such secret", _no_secret, lambda *_: gone, mend=_create_and_mend)
    yield from _pairs()
    yield from _previous_pair()


def _malformed() -> dict[str, tuple[Spell, str]]:
    no_url = "'api_url' that is not the base URL"
    return {
        "empty": (lambda _: "", "is empty"),
        "white space": (lambda _: " \r\n\t", "is empty"),
        "no colon": (lambda account: account.client_secret, "no colon"),
        "the Base64 form": (lambda account: base64.b64encode(account.credentials.encode()).decode(), "Base64"),
        "an empty ID": (lambda account: f":{account.client_secret}", "empty ID"),
        "an empty secret": (lambda account: f"{account.client_id}: ", "empty secret"),
        "in quotes": (lambda account: f'"{account.credentials}"', "starts with a quote"),
        "a list": (lambda account: json.dumps([account.client_id, account.client_secret]), "starts with a quote"),
        "a line break inside": (
            lambda account: account.credentials[:-9] + "\n" + account.credentials[-9:],
            "line break",
        ),
        "a NUL inside": (lambda account: f"{account.credentials}\0x", "control character"),
        "no JSON": (lambda account: f"{{{account.credentials}", "not a JSON object"),
        "JSON nested deep": (lambda account: '{"id":' * 9_000 + account.client_secret, "not a JSON object"),
        "JSON without an ID": (lambda account: json.dumps({"secret": account.client_secret}), "'id'"),
        "JSON without a secret": (lambda account: json.dumps({"id": account.client_id}), "'secret'"),
        "JSON with a number": (lambda account: json.dumps({"id": 7, "secret": account.client_secret}), "'id'"),
        "a colon in the ID": (lambda account: _json(account, id=f"{account.client_id}:x"), "colon in its ID"),
        "half a surrogate pair": (lambda account: _json(account, secret="\ud83d" + account.client_secret), "U+D83D"),
        "a secret as the API URL": (lambda account: _json(account, api_url=account.client_secret), no_url),
        "a number as the API URL": (lambda account: _json(account, api_url=1), no_url),
        "an API URL in clear text": (lambda account: _json(account, api_url="http://api.eu.cloud.talend.com"), no_url),
        "an API URL with a password": (lambda account: _json(account, api_url="https://a:b@talend.com"), no_url),
        "binary": (lambda account: account.credentials.encode(), "binary"),
    }


def _odd() -> dict[str, Spell]:
    """Odd, and understood."""
    return {
        "a byte order mark and line breaks around": lambda account: f"\ufeff{account.credentials}\r\n",
        "spaces around the colon": lambda account: f"{account.client_id} : {account.client_secret}",
        "JSON": lambda account: _json(account),
        "JSON with more members": lambda account: _json(account, note="mine", environment="", api_url=""),
    }


def _waits(trigger: Trigger, _: State) -> Expected:
    """A stack that was just deployed fails no run by itself."""
    if trigger in (Trigger.SCHEDULE, Trigger.WATCHDOG):
        return Expected("waiting_for_credentials", 0)
    return Expected("NoCredentialsYet", 0, "has no value yet")


def _pairs() -> Iterator[Fault]:
    warning = "so the previous ones are used"
    used = Expected("rotated", 2, warning)
    yield Fault(
        "credentials: refused, and those before are good",
        lambda case: case.store_credentials(_wrong(case)),
        lambda *_: used,
    )
    unread = Expected("rotated", 1, warning)
    yield Fault(
        "credentials: malformed, and those before are good", lambda case: case.store_credentials("?"), lambda *_: unread
    )
    both = "the previous credentials are unusable too"
    refused = Expected("CredentialsRefused", 2, "answered 401", both, again=HELD)
    yield Fault("credentials: refused, both pairs", _both_refused, lambda *_: refused, mend=_mend)
    mixed = Expected("CredentialsRefused", 1, "answered 401", both, again=HELD)
    yield Fault(
        "credentials: refused, and those before are malformed", _malformed_then_refused, lambda *_: mixed, mend=_mend
    )


def _previous_pair() -> Iterator[Fault]:
    """The current pair is refused, and the one before cannot be read."""
    read = "GetSecretValue of the credentials AWSPREVIOUS"
    ways = {
        "denied": (error(400, "AccessDeniedException"), "AccessDeniedException"),
        "throttled": (error(400, "ThrottlingException"), "ThrottlingException"),
        "key disabled": (error(400, "DecryptionFailure"), "DecryptionFailure"),
        "internal error": (error(500, "InternalServiceError"), "InternalServiceError"),
        "time-out": (raises(ReadTimeoutError), "ReadTimeoutError"),
    }
    for name, (how, code) in ways.items():
        yield Fault(
            f"credentials: refused, and those before: {name}",
            _refused_and(read, how),
            # Nothing is known of the previous ones, so the circuit breaker stays closed: one more call, also refused.
            lambda *_, code=code: Expected("SecretStoreError", 1, f"failed with {code}", again=("SecretStoreError", 1)),
        )
    yield Fault(
        "credentials: refused, and those before: internal error, once",
        _refused_and(read, error(500, "InternalServiceError"), times=1),
        lambda *_: Expected("rotated", 2, "so the previous ones are used"),
    )


def _refused_and(name: str, how: Interference, *, times: int = ALWAYS) -> Callable[[Case], None]:
    def arm(case: Case) -> None:
        case.store_credentials(_wrong(case))
        at(lambda call: call.name == name, how, times=times)(case)

    return arm


def _json(account: Account, **members: object) -> str:
    return json.dumps({"id": account.client_id, "secret": account.client_secret} | members)


def _wrong(case: Case) -> str:
    return f"{case.account.client_id}:{case.account.client_secret[::-1]}"


def _twice(spell: Spell) -> Callable[[Case], None]:
    """The pair before is the same one, so that there is nothing to fall back to."""

    def arm(case: Case) -> None:
        for _ in range(2):
            case.store_credentials(spell(case.account))

    return arm


def _both_refused(case: Case) -> None:
    for _ in range(2):
        case.store_credentials(_wrong(case))


def _malformed_then_refused(case: Case) -> None:
    case.store_credentials("?")
    case.store_credentials(_wrong(case))


def _none(case: Case) -> None:
    case.versions("credentials").clear()


def _no_secret(case: Case) -> None:
    del case.world.secrets()[case.secret_id("credentials")]


def _mend(case: Case) -> None:
    case.store_credentials(case.account.credentials)


def _create_and_mend(case: Case) -> None:
    case.world.aws_client.create_secret(Name=case.secret_id("credentials"))
    _mend(case)
