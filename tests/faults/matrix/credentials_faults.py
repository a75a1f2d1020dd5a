"""Rows of the matrix: what operators store as credentials.

Words in capitals stand for the account's: ID, SECRET (which is BEGIN and END), and BASE64 of the pair, also UNPADDED.
"""

from __future__ import annotations

import base64
import re
import textwrap
import unicodedata
from collections.abc import Callable, Iterator

from botocore.exceptions import ReadTimeoutError

from faults.matrix.aws_wire import ALWAYS, Interference, answers, at, error, raises
from faults.matrix.cases import Case
from faults.matrix.columns import HELD, PREVIOUS_USED, Expected, State, Trigger
from faults.matrix.faults import Arm, Fault, row

type Text = str | Callable[[str], str | bytes]
"""A text with words in capitals, or what makes one of the pair."""

_WITH_URL = '{"id": "ID", "secret": "SECRET", "api_url": %s}'
_NO_URL = "'api_url' that is not the base URL"
_MALFORMED: dict[str, tuple[Text, str]] = {
    "empty": ("", "is empty"),
    "white space": (" \r\n\t", "is empty"),
    "no colon": ("SECRET", "no colon"),
    "an empty ID": (":SECRET", "empty ID"),
    "an empty secret": ("ID: ", "empty secret"),
    "in quotes": ('"ID:SECRET"', "starts with a quote"),
    "a list": ('["ID", "SECRET"]', "starts with a quote"),
    "a line break inside": ("ID:BEGIN\nEND", "line break"),
    "a NUL inside": ("ID:SECRET\0x", "control character"),
    "no JSON": ("{ID:SECRET", "not a JSON object"),
    "JSON nested deep": ('{"id":' * 9_000 + "SECRET", "not a JSON object"),
    "JSON without an ID": ('{"secret": "SECRET"}', "'id'"),
    "JSON without a secret": ('{"id": "ID"}', "'secret'"),
    "JSON with a number": ('{"id": 7, "secret": "SECRET"}', "'id'"),
    "a colon in the ID": ('{"id": "ID:x", "secret": "SECRET"}', "colon in its ID"),
    "half a surrogate pair": ('{"id": "ID", "secret": "\\ud83dSECRET"}', "U+D83D"),
    "a secret as the API URL": (_WITH_URL % '"SECRET"', _NO_URL),
    "a number as the API URL": (_WITH_URL % 1, _NO_URL),
    "an API URL in clear text": (_WITH_URL % '"http://api.eu.cloud.talend.com"', _NO_URL),
    "an API URL with a password": (_WITH_URL % '"https://a:b@talend.com"', _NO_URL),
    "binary": (str.encode, "binary"),
}
_ODD = {
    "a byte order mark and line breaks around": "\ufeffID:SECRET\r\n",
    "spaces around the colon": "ID : SECRET",
    "JSON": '{"id": "ID", "secret": "SECRET"}',
    "JSON with more members": '{"id": "ID", "secret": "SECRET", "note": "mine", "environment": "", "api_url": ""}',
}
_WAYS_TO_MISS_THE_PREVIOUS = {
    "denied": (error(400, "AccessDeniedException"), "AccessDeniedException"),
    "throttled": (error(400, "ThrottlingException"), "ThrottlingException"),
    "key disabled": (error(400, "DecryptionFailure"), "DecryptionFailure"),
    "internal error": (error(500, "InternalServiceError"), "InternalServiceError"),
    "time-out": (raises(ReadTimeoutError), "ReadTimeoutError"),
    "200 with a page": (answers(200, b"<html>Sign in</html>"), "UnexpectedAnswer"),
    "200 with null": (answers(200, b"null"), "UnexpectedAnswer"),
}
# The simulator does not know it.
_WRONG = "ID:ENDBEGIN"


def rows() -> Iterator[Fault]:
    for name, (text, says) in _MALFORMED.items():
        yield malformed(f"credentials: {name}", text, says)
    for name, text in _ODD.items():
        yield row(f"credentials: {name}", _stored(text, text), Expected("rotated", 1))
    yield row("credentials: none yet", lambda case: case.versions("credentials").clear(), _waits, _store_the_pair)
    gone = Expected("SecretStoreError", 0, "failed with ResourceNotFoundException")
    yield row("credentials: no such secret", _delete, gone, _create)

    used = Expected("rotated", 2, PREVIOUS_USED)
    yield row("credentials: refused, and those before are good", _stored(_WRONG), used)
    unread = Expected("rotated", 1, PREVIOUS_USED)
    yield row("credentials: malformed, and those before are good", _stored("?"), unread)
    both = "the previous credentials are unusable too"
    refused = Expected("CredentialsRefused", 2, "answered 401", both, again=HELD)
    yield row("credentials: refused, both pairs", _stored(_WRONG, _WRONG), refused, _store_the_pair)
    mixed = Expected("CredentialsRefused", 1, "answered 401", both, again=HELD)
    title = "credentials: refused, and those before are malformed"
    yield row(title, _stored("?", _WRONG), mixed, _store_the_pair)
    for name, (how, code) in _WAYS_TO_MISS_THE_PREVIOUS.items():
        # As nothing is known of the previous pair, the breaker stays closed, and another run costs another call.
        again = ("SecretStoreError", 1)
        expected = Expected("SecretStoreError", 1, f"failed with {code}", PREVIOUS_USED, again=again)
        yield row(f"credentials: refused, and those before: {name}", _refused_and_previous(how), expected)
    once = _refused_and_previous(error(500, "InternalServiceError"), times=1)
    yield row("credentials: refused, and those before: internal error, once", once, used)


def malformed(name: str, text: Text, says: str) -> Fault:
    """Return a row with credentials that are refused before anything is sent. The pair before is the same."""
    expected = Expected("CredentialsError", 0, says, PREVIOUS_USED)
    return row(name, _stored(text, text), expected, _store_the_pair)


def _stored(*texts: Text) -> Arm:
    def arm(case: Case) -> None:
        for text in texts:
            case.store_credentials(_spelled(text, case.account.credentials))

    return arm


def _spelled(text: Text, pair: str) -> str | bytes:
    if callable(text):
        return text(pair)
    encoded = base64.b64encode(pair.encode()).decode()
    words = {"BASE64": encoded, "UNPADDED": encoded.rstrip("=")}
    words["ID"], _, words["SECRET"] = pair.partition(":")
    words["BEGIN"], words["END"] = words["SECRET"][:9], words["SECRET"][9:]
    return re.sub("|".join(words), lambda found: words[found[0]], text)


def _waits(trigger: Trigger, _: State) -> Expected:
    """A stack that was just deployed fails no run by itself."""
    if trigger in (Trigger.SCHEDULE, Trigger.WATCHDOG):
        return Expected("waiting_for_credentials", 0)
    return Expected("NoCredentialsYet", 0, "has no value yet")


def _refused_and_previous(how: Interference, *, times: int = ALWAYS) -> Arm:
    """The current pair is refused, and the one before cannot be read."""

    def arm(case: Case) -> None:
        _stored(_WRONG)(case)
        at("GetSecretValue of the credentials AWSPREVIOUS", how, times=times)(case)

    return arm


def _delete(case: Case) -> None:
    del case.world.memory.secrets[case.secret_id("credentials")]


def _store_the_pair(case: Case) -> None:
    case.store_credentials(case.account.credentials)


def _create(case: Case) -> None:
    case.world.memory.create(case.secret_id("credentials"))
    _store_the_pair(case)


# --- what operators paste along with credentials: nothing is sent, and the error names the fix ---


def _base64(encode: Callable[[str], bytes]) -> Text:
    return lambda pair: base64.b64encode(encode(pair)).decode()


def _lines(form: str, width: int = 76, end: str = "\n") -> Text:
    def wrapped(pair: str) -> str:
        encoded = base64.b64encode(pair.encode()).decode()
        return end.join(textwrap.wrap(form.replace("BASE64", encoded).replace("UNPADDED", encoded.rstrip("=")), width))

    return wrapped


_ENCODED: dict[str, Text] = {
    "the Base64 form": "BASE64",
    "the Base64 form without padding": "UNPADDED",
    "the Base64 form in lines of 76": _lines("BASE64"),
    "the Base64 form in lines of 64, of Windows": _lines("BASE64", 64, "\r\n"),
    "the Base64 form in lines, without padding": _lines("UNPADDED"),
    "the Base64 form for URLs": lambda pair: base64.urlsafe_b64encode(pair.encode()).decode(),
    "the Base64 form of a line": _base64(lambda pair: f"{pair}\n".encode()),
    "the Base64 form of UTF-16": _base64(lambda pair: pair.encode("utf-16-le")),
    "the Base64 form of UTF-16 with its mark": _base64(lambda pair: pair.encode("utf-16")),
    "the Base64 form of a byte order mark too": _base64(lambda pair: f"\ufeff{pair}".encode()),
    "the Base64 form in quotes": '"BASE64"',
    "the Base64 form with a byte order mark": "\ufeffBASE64",
    "the value of a header": "Basic BASE64",
    "the value of a header in small letters": "basic  UNPADDED",
    "a header": "Authorization: Basic BASE64",
    "a header in small letters": "authorization:basic BASE64",
    "a header in lines of 76": _lines("Authorization: Basic BASE64"),
    "a header as JSON has it": '"Authorization": "Basic BASE64"',
    "a header as curl has it": "-H 'Authorization: Basic BASE64'",
    "a header as shells have it": 'AUTHORIZATION="Basic BASE64"',
    "a header with the pair itself": "Authorization: Basic ID:SECRET",
    "the pair itself after Basic": "Basic ID:SECRET",
}
# A byte order mark read as Windows-1252 and as UTF-16, spaces, invisible marks, and quotes.
_AROUND = (
    *("ï»¿ID:SECRET", "\ufffeID:SECRET", "\u00a0ID:SECRET", "ID:SECRET\u00a0", "ID:SECRET\u202f"),
    *("\u3000ID:SECRET", "\u200bID:SECRET", "ID:SECRET\u200b", "\u200eID:SECRET", "ID:SECRET\u200e"),
    *("\u201cID:SECRET\u201d", "\u2018ID:SECRET\u2019", "\u201eID:SECRET\u201c", "«ID:SECRET»", "ID:SECRET\u2028"),
    *("ID:SECRET\x85", "\u2022 ID:SECRET"),
)
_INSIDE = "\u200d\u2060\ufeff\u00ad\u2013\u2212\u2026\u0430\uff21\u0301\ufffd\U000e0041\t\x7f"
_OTHERS: dict[str, tuple[Text, str]] = {
    "a fullwidth colon": ("ID\uff1aSECRET", "no colon"),
    "UTF-16 read as single bytes": (
        lambda pair: pair.encode("utf-16-le").decode("latin-1"),
        "U+0000 (a control character or line break) at position 2 of its ID",
    ),
    "a zero-width space in the ID, as JSON": (
        '{"id": "\\u200bID", "secret": "SECRET"}',
        "U+200B (ZERO WIDTH SPACE) at position 1 of its ID",
    ),
    "curly quotes in JSON": ("{“id”: “ID”, “secret”: “SECRET”}", "not a JSON object"),
}


def pasted() -> Iterator[Fault]:
    for name, text in _ENCODED.items():
        yield malformed(f"pasted: {name}", text, "Store the plain text 'ID:secret'")
    for value in _AROUND:
        # Secrets of the simulator have 64 characters.
        where = "65 of its secret" if value.startswith("ID") else "1 of its ID"
        foreign = value.replace("ID:SECRET", "")[0]
        yield malformed(f"pasted: {value!a}", value, f"{_called(foreign)} at position {where}")
    for foreign in _INSIDE:
        value = f"ID:BEGIN{foreign}END"
        yield malformed(f"pasted: {value!a}", value, f"{_called(foreign)} at position 10 of its secret")
    for name, (other, says) in _OTHERS.items():
        yield malformed(f"pasted: {name}", other, says)


def _called(character: str) -> str:
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'a control character or line break')})"
