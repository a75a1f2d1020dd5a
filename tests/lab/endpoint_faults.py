"""Rows of the matrix: what the token endpoint answers."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterator, Mapping
from email.utils import formatdate
from typing import Any

from lab.cases import Case, State, Trigger, seconds_left
from lab.faults import NO_TIME_TO_WAIT, Expected, Fault, asks, failed, published
from lab.wire_faults import DripAll, Wire, http, plain
from rotator.errors import (
    InvalidTokenResponse,
    TokenRefused,
    TokenRejectedByProbe,
    TokenUnavailable,
)
from rotator.retry import ATTEMPTS
from talend_simulator import (
    Account,
    Amend,
    Answer,
    Close,
    Drip,
    HtmlAnswer,
    Huge,
    JsonAnswer,
    Redirect,
    Reset,
    SameToken,
    Stall,
    Truncate,
)
from talend_simulator.faults import Fault as TalendFault

Row = tuple[str, TalendFault]
Expectation = Callable[[Trigger, State], Expected]


def always(fault: TalendFault) -> Callable[[Case], None]:
    return lambda case: case.world.talend.faults.add(fault, times=None)


def once(fault: TalendFault) -> Callable[[Case], None]:
    return lambda case: case.world.talend.faults.add(fault, times=1)


def cut_short(fault: TalendFault) -> Callable[[Case], None]:
    """The function's time is nearly over, so that a server that never ends is left at once."""

    def arm(case: Case) -> None:
        case.seconds = NO_TIME_TO_WAIT
        case.world.talend.faults.add(fault, times=None)

    return arm


def setting(**changes: Any) -> Callable[[Case], None]:
    return lambda case: case.world.talend.settings.change(changes)


def jwt(claims: Any) -> str:
    """A token with these claims that no server has issued."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    parts = (b'{"alg":"none"}', payload, b"signature of nobody")
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def rows() -> Iterator[Fault]:
    yield from _statuses()
    yield from _retry_after()
    yield from _passing()
    yield from _broken_http()
    yield from _odd_http()
    yield from _endless()
    yield from _bodies()
    yield from _members()
    yield from _lives()
    yield from _claims()
    yield from _same_token()
    yield from _probe()


def _statuses() -> Iterator[Fault]:
    for status in (400, 401, 403):
        expected = failed(TokenRefused, 1, f"answered {status}. Check the ID and secret", breaker=True)
        yield Fault(f"{status}", always(Answer(status)), expected)
    page = Answer(403, "<html>Access denied by the firewall</html>", {"Content-Type": "text/html"})
    yield Fault("403 with a page", always(page), failed(TokenRefused, 1, "answered 403", breaker=True))
    again = {"WWW-Authenticate": 'Digest realm="talend", nonce="1"'}
    yield Fault("401 that asks for Digest", always(Answer(401, headers=again)), failed(TokenRefused, 1, breaker=True))
    for status in (500, 502, 503, 504):
        says = f"answered {status} after {ATTEMPTS} attempts"
        yield Fault(f"{status}", always(Answer(status)), failed(TokenUnavailable, ATTEMPTS, says))
    for status in (
        201,
        202,
        204,
        205,
        206,
        304,
        402,
        404,
        405,
        407,
        408,
        410,
        413,
        415,
        418,
        421,
        425,
        451,
        501,
        505,
        599,
    ):
        yield Fault(f"{status}", always(Answer(status)), failed(InvalidTokenResponse, 1, f"answered {status}"))
    members = {"access_token": "one-of-a-201", "token_type": "Bearer", "expires_in": 1800}
    yield Fault("201 with a token", always(JsonAnswer(members, 201)), failed(InvalidTokenResponse, 1, "answered 201"))
    yield Fault("206 of a token", always(JsonAnswer(members, 206)), failed(InvalidTokenResponse, 1, "answered 206"))
    for status in (300, 301, 302, 303, 307, 308):

        def elsewhere(case: Case, status: int = status) -> None:
            case.world.talend.faults.add(Redirect(case.world.elsewhere.token_url, status), times=None)

        says = f"answered {status}. Check that the API URL"
        yield Fault(f"{status} to another host", elsewhere, failed(InvalidTokenResponse, 1, says))

    def circle(case: Case) -> None:
        case.world.talend.faults.add(Redirect(case.world.talend.token_url), times=None)

    yield Fault("307 to itself", circle, failed(InvalidTokenResponse, 1, "answered 307"))


def _retry_after() -> Iterator[Fault]:
    absurd = {
        "seconds past the deadline": "3600",
        "a date past the deadline": "Fri, 31 Dec 9999 23:59:59 GMT",
        "twenty digits": "9" * 20,
        "five thousand digits": "9" * 5000,
    }
    for name, value in absurd.items():
        headers = {"Retry-After": value}
        yield Fault(
            f"429 with Retry-After of {name}", always(Answer(429, headers=headers)), failed(TokenUnavailable, 1)
        )
    waited_for = {
        "no": None,
        "2 seconds in": "2",
        "a date in": lambda: formatdate(time.time() + 2, usegmt=True),
        "a date gone by in": "Sun, 06 Nov 1994 08:49:37 GMT",
        "a date before our era in": "Mon, 01 Jan 0001 00:00:00 +2359",
        "a date without a zone in": "Sun, 06 Nov 1994 08:49:37",
        "an impossible date in": "Thu, 99 Foo 99999 99:99:99 GMT",
        "an empty": "",
        "a negative": "-1",
        "a fraction in": "1.5",
        "words in": "in a while",
        "a superscript digit in": "\xb2",
        "an infinite": "Infinity",
    }
    for name, value in waited_for.items():

        def arm(case: Case, value: Any = value) -> None:
            text = value() if callable(value) else value
            headers = {} if text is None else {"Retry-After": text}
            case.world.talend.faults.add(Answer(429, headers=headers), times=None)

        says = f"answered 429 after {ATTEMPTS} attempts"
        yield Fault(f"429 with {name} Retry-After", arm, failed(TokenUnavailable, ATTEMPTS, says))
    two = Wire(lambda _: http(b"", "Retry-After: 2", "Retry-After: 7200", status_line="HTTP/1.1 429 Too Many"))
    yield Fault("429 with two Retry-After headers", always(two), failed(TokenUnavailable, ATTEMPTS))
    yield Fault(
        "503 with Retry-After", always(Answer(503, headers={"Retry-After": "5"})), failed(TokenUnavailable, ATTEMPTS)
    )


def _passing() -> Iterator[Fault]:
    passing: dict[str, TalendFault] = {
        "503": Answer(503),
        "429 with Retry-After": Answer(429, headers={"Retry-After": "7"}),
        "reset": Reset(),
        "connection closed unanswered": Close(),
        "connection closed inside the body": Close(after_body_bytes=10),
        "connection closed after keep-alive": Wire(
            lambda _: http(b"", "Connection: keep-alive", status_line="HTTP/1.1 503 Busy")
        ),
    }
    for name, fault in passing.items():
        yield Fault(f"{name}, once", once(fault), published(calls=2))


def _broken_http() -> Iterator[Fault]:
    yield Fault("reset", always(Reset()), failed(TokenUnavailable, ATTEMPTS, "could not be reached"))
    yield Fault("reset inside the body", always(Reset(after_body_bytes=10)), failed(TokenUnavailable, ATTEMPTS))
    yield Fault("connection closed unanswered", always(Close()), failed(TokenUnavailable, ATTEMPTS))
    yield Fault(
        "connection closed inside the body", always(Close(after_body_bytes=9)), failed(TokenUnavailable, ATTEMPTS)
    )
    forms: dict[str, Callable[[bytes], bytes]] = {
        "no HTTP at all": lambda _: b"SSH-2.0-OpenSSH_9.6\r\n",
        "a body without a head, as in HTTP/0.9": lambda body: body,
        "an alert of TLS": lambda _: b"\x15\x03\x01\x00\x02\x02\x16",
        "an empty status line": lambda body: b"\r\n" + http(body),
        "a status of two digits": lambda body: http(body, status_line="HTTP/1.1 20 OK"),
        "a status of four digits": lambda body: http(body, status_line="HTTP/1.1 2000 OK"),
        "a status in words": lambda body: http(body, status_line="HTTP/1.1 fine"),
        "another protocol": lambda body: http(body, status_line="ICY 200 OK"),
        "a status line of 3 MB": lambda body: http(body, status_line=f"HTTP/1.1 200 {'O' * 3_000_000}"),
        "a header of 3 MB": lambda body: http(body, f"X-Long: {'a' * 3_000_000}"),
        "a thousand headers": lambda body: http(body, *(f"X-{number}: a" for number in range(1000))),
        "a Content-Length too long": lambda body: plain(body, f"Content-Length: {len(body) + 10}"),
        "two Content-Lengths": lambda body: plain(body, f"Content-Length: {len(body)}", "Content-Length: 3"),
        "chunks of garbage": lambda _: plain(b"zz\r\nno chunk\r\n", "Transfer-Encoding: chunked"),
        "chunks of negative size": lambda body: plain(b"-5\r\n" + body, "Transfer-Encoding: chunked"),
        "chunks that do not end": lambda body: plain(b"%x\r\n%b\r\n" % (len(body), body), "Transfer-Encoding: chunked"),
        "a line break in a header": lambda body: http(body, "X-A: b\nContent-Length: 2"),
        "a chunk's size of a megabyte": lambda _: plain(b"1" * 1_000_000, "Transfer-Encoding: chunked"),
    }
    for name, form in forms.items():
        yield Fault(name, always(Wire(form)), failed(TokenUnavailable, ATTEMPTS, "could not be reached"))


def _odd_http() -> Iterator[Fault]:
    """Odd, and no reason to go without a token; or an answer that is none."""
    good: dict[str, Callable[[bytes], bytes]] = {
        "HTTP/1.0": lambda body: http(body, status_line="HTTP/1.0 200 OK"),
        "no reason phrase": lambda body: http(body, status_line="HTTP/1.1 200"),
        "a reason phrase that is no ASCII": lambda body: http(body, status_line="HTTP/1.1 200 tr\xe8s bien"),
        "chunks": lambda body: plain(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), "Transfer-Encoding: chunked"),
        "no Content-Length": lambda body: plain(body),
        "a Content-Length in words": lambda body: plain(body, "Content-Length: all"),
        "a negative Content-Length": lambda body: plain(body, "Content-Length: -5"),
        "more than Content-Length announced": lambda body: http(body) + http(b"{}", status_line="HTTP/1.1 401 No"),
        "100 Continue before it": lambda body: plain(b"", status_line="HTTP/1.1 100 Continue") * 3 + http(body),
        "cookies": lambda body: http(body, "Set-Cookie: session=1; Path=/", "Set-Cookie: __Host-a=b"),
        "text/plain": lambda body: http(body, "Content-Type: text/plain; charset=utf-16"),
        "a Content-Type of nothing": lambda body: http(body, "Content-Type:"),
    }
    for name, form in good.items():
        yield Fault(name, always(Wire(form)), published())
    none: dict[str, Callable[[bytes], bytes]] = {
        "101 Switching Protocols": lambda _: plain(b"", status_line="HTTP/1.1 101 Switching Protocols"),
        "103 Early Hints": lambda body: plain(b"", status_line="HTTP/1.1 103 Early Hints") + http(body),
        "a status past all": lambda body: http(body, status_line="HTTP/1.1 999 OK"),
        "a Content-Length too short": lambda body: plain(body, f"Content-Length: {len(body) - 10}"),
        "two answers in one body": lambda body: http(body + body),
    }
    for name, form in none.items():
        yield Fault(name, always(Wire(form)), failed(InvalidTokenResponse, 1))


def _endless() -> Iterator[Fault]:
    reached = failed(TokenUnavailable, 1, "could not be reached")
    yield Fault("hang before an answer", cut_short(Stall()), reached)
    yield Fault("hang inside the body", cut_short(Stall(inside_body=True)), reached)
    yield Fault("slow drip of the body", cut_short(Drip(0.02, 40)), reached)
    yield Fault("slow drip of the headers", cut_short(DripAll(0.02, 2, form=lambda body: http(body)[:40])), reached)
    interim = plain(b"", status_line="HTTP/1.1 100 Continue")
    yield Fault(
        "flood of interim answers", cut_short(DripAll(0.02, 25, form=lambda body: interim * 20 + http(body))), reached
    )

    def chunked(body: bytes) -> bytes:
        return plain(b"".join(b"1\r\n%c\r\n" % octet for octet in body[:40]), "Transfer-Encoding: chunked")

    yield Fault("slow drip of chunks", cut_short(DripAll(0.02, 6, form=chunked)), reached)
    says = "more than 262144 bytes"
    yield Fault("a huge body", always(Huge(2_000_000)), failed(InvalidTokenResponse, 1, says))
    unannounced = Huge(2_000_000, announced=False)
    yield Fault("a huge body of unknown length", always(unannounced), failed(InvalidTokenResponse, 1, says))


def _bodies() -> Iterator[Fault]:
    compressed = failed(InvalidTokenResponse, 1, "compressed body")
    # A gigabyte of zeros, if anybody believed in it.
    bomb = (
        b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\xec\xc1\x01\x01\x00\x00\x00\x80\x90\xfe\xaf\xee\x08\x0a" * 500
    )
    for encoding in ("gzip", "x-gzip", "deflate", "br", "zstd", "GZIP", "gzip, gzip"):
        answer = Answer(200, bomb, {"Content-Encoding": encoding})
        yield Fault(f"gzip bomb said to be {encoding}", always(answer), compressed)
    no_json = failed(InvalidTokenResponse, 1, "not a JSON object")
    yield Fault("gzip bomb not said to be one", always(Answer(200, bomb)), no_json)
    yield Fault("200 with HTML", always(HtmlAnswer()), no_json)
    yield Fault("truncated JSON", always(Truncate()), no_json)
    bodies = {
        "nothing": b"",
        "white space": b" \r\n ",
        "JSON's null": b"null",
        "a JSON array": b"[]",
        "a JSON string": b'"token"',
        "a number": b"1800",
        "form encoding": b"access_token=a&token_type=Bearer&expires_in=1800",
        "XML": b"<token>a</token>",
        "wrong charset": '{"access_token": "a", "note": "très"}'.encode("latin-1"),
        "an overlong UTF-8 sequence": b'{"access_token": "\xc0\x80"}',
        "half of UTF-16": '{"access_token": "a"}'.encode("utf-16")[:-1],
        "deep nesting": b"[" * 100_000,
        "deep nesting inside": b'{"a":' * 50_000,
        "a number of 5000 digits": b'{"expires_in": ' + b"9" * 5000 + b"}",
        "single quotes": b"{'access_token': 'a'}",
        "two JSON objects": b'{"access_token": "a"}{"access_token": "b"}',
        "a NUL": b"\x00",
    }
    for name, body in bodies.items():
        yield Fault(f"200 with {name}", always(Answer(200, body, {"Content-Type": "application/json"})), no_json)
    spellings: dict[str, Callable[[bytes], bytes]] = {
        "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
        "UTF-16": lambda body: body.decode().encode("utf-16"),
        "UTF-32": lambda body: body.decode().encode("utf-32"),
        "white space around": lambda body: b"\r\n\t " + body + b" \n" * 100,
        "members twice": lambda body: b'{"access_token": "first", "token_type": "mac", "expires_in": 1, ' + body[1:],
        "NaN": lambda body: b'{"expires_in": NaN, "a": NaN, ' + body[1:-1].partition(b', "expires_in"')[0] + b"}",
    }
    for name, spell in spellings.items():
        yield Fault(f"JSON with {name}", always(Wire(lambda body, spell=spell: http(spell(body)))), published())


def _members() -> Iterator[Fault]:
    for name, without in (("no access_token", "access_token"), ("no token_type", "token_type")):
        yield Fault(name, always(Amend(without=(without,))), failed(InvalidTokenResponse, 1, f"'{without}'"))
    tokens: Mapping[str, Any] = {
        "an empty": "",
        "a number as": 1800,
        "null as": None,
        "true as": True,
        "a list as": ["a"],
        "an object as": {"a": "b"},
        "a line break in the": "abc\ndef",
        "a header injected by the": "abc\r\nX-Injected: yes",
        "a NUL in the": "abc\0def",
        "a tab in the": "abc\tdef",
        "a DEL in the": "abc\x7fdef",
        "a C1 control character in the": "abc\x85def",
        "a space in the": "abc def",
        "a space before the": " abc",
        "a line break after the": "abc\n",
        "a letter with an accent in the": "abcé",
        "an emoji in the": "abc\U0001f511",
        "half a surrogate pair in the": "abc\ud83d",
        "a byte order mark before the": "\ufeffabc",
        "white space only as": "  ",
        "a too long": "a" * 70_000,
    }
    for name, token in tokens.items():
        yield Fault(f"{name} access_token", always(Amend({"access_token": token})), failed(InvalidTokenResponse, 1))
    types: Mapping[str, Any] = {
        "mac": "mac",
        "an empty": "",
        "Basic": "Basic",
        "Bearer twice as": "Bearer Bearer",
        "a number as": 1,
        "null as": None,
        "a list as": ["Bearer"],
    }
    for name, token_type in types.items():
        says = "'token_type' is not Bearer"
        fault = Amend({"token_type": token_type})
        yield Fault(f"{name} token_type", always(fault), failed(InvalidTokenResponse, 1, says))
    for token_type in ("bearer", "BEARER", "bEaReR"):
        yield Fault(f"token_type {token_type}", always(Amend({"token_type": token_type})), published())
    more = {
        "refresh_token": "r",
        "scope": None,
        "id_token": [],
        "error": "none",
        "": {},
        "api_url": "https://elsewhere.invalid",
    }
    yield Fault("more members than documented", always(Amend(more)), published())
    yield Fault("an error beside the token", always(Amend({"error": "invalid_client"})), published())
    long = Amend({"access_token": "a" * 60_000})
    yield Fault("an access_token as long as can be", always(long), published())


def _lives() -> Iterator[Fault]:
    granted: Mapping[str, Any] = {
        "a number": 1800,
        "a string": "1800",
        "a float": 1800.0,
        "a string of a float": "1800.9",
        "huge": 10**9,
        "more than any float": 10**400,
        "milliseconds": 1_800_000,
        "null": None,
        "true": True,
        "words": "half an hour",
        "a list": [1800],
        "an object": {},
        "hexadecimal": "0x708",
        "empty": "",
        "infinite": "Infinity",
        "not a number": "NaN",
        "in other digits": "١٨٠٠",
        "in white space": " 1800 ",
        "a date": "2026-11-24T05:00:00Z",
    }
    for name, value in granted.items():
        yield Fault(f"expires_in {name}", always(Amend({"expires_in": value})), published())
    yield Fault("expires_in absent", always(Amend(without=("expires_in",))), published())
    yield Fault("expires_in exponential", always(Amend({"expires_in": "1e3"})), _shorter(1000))
    yield Fault("expires_in of a fraction", always(Amend({"expires_in": 900.7})), _shorter(900))
    for name, value in {
        "zero": 0,
        "a string of zero": "0",
        "negative": -1,
        "a negative string": "-1800",
        "a second": 1,
        "negative zero": -0.0,
        "the minimum": 60,
        "infinitely negative": "-Infinity",
    }.items():
        expected = published() if name == "infinitely negative" else failed(InvalidTokenResponse, 1, "not longer than")
        yield Fault(f"expires_in {name}", always(Amend({"expires_in": value})), expected)
    yield Fault("expires_in just above the minimum", always(Amend({"expires_in": 61})), _shorter(61))
    yield Fault("expires_in shorter than what is left", always(Amend({"expires_in": "200"})), _shorter(200))


def _shorter(life_seconds: int) -> Expectation:
    """A token that ends before the good one that is published is for those who want another at any price."""

    def expected(trigger: Trigger, state: State) -> Expected:
        if life_seconds < seconds_left(state) and not trigger.is_wanted:
            return Expected("InvalidTokenResponse", 1)
        return Expected("rotated", 1, life_seconds=life_seconds)

    return expected


def _claims() -> Iterator[Fault]:
    for name, seconds in (("two hours slow", -7200), ("two hours fast", 7200), ("of 1970", -1_700_000_000)):
        yield Fault(f"server's clock {name}", setting(clock_error_seconds=seconds), published())
    now = int(time.time())
    # What a token says of itself may be anything; what was granted is 1800 s.
    odd: Mapping[str, tuple[Any, int]] = {
        "exp before iat": ({"iat": now, "exp": now - 5}, 1800),
        "exp as a string": ({"iat": now, "exp": "tomorrow"}, 1800),
        "exp past all time": ({"iat": 0, "exp": 1e300}, 1800),
        "exp infinite": (b'{"iat": 0, "exp": Infinity}', 1800),
        "exp true": ({"exp": True}, 1800),
        "exp of 5000 digits": (b'{"exp": ' + b"9" * 5000 + b"}", 1800),
        "exp before expires_in": ({"iat": 1000, "exp": 1900}, 900),
        "claims that are no object": ([1, 2], 1800),
        "claims that are no JSON": (b"\xff\xfe", 1800),
        "claims nested deep": (b"[" * 20_000, 1800),
        "no claims": ({}, 1800),
    }
    for name, (claims, life) in odd.items():
        fault = Amend({"access_token": jwt(claims), "expires_in": 1800})
        yield Fault(f"a token with {name}", always(fault), _shorter(life))
    past = Amend({"access_token": jwt({"exp": now - 60})})
    yield Fault("a token with exp in the past", always(past), failed(InvalidTokenResponse, 1, "not longer than"))
    for name, audience in {"wrong": "https://api.us.cloud.talend.com", "numeric": 7, "list of wrong": ["a", 1]}.items():
        fault = Amend({"access_token": jwt({"aud": audience}), "expires_in": 1800})
        yield Fault(f"a token with a {name} aud", always(fault), published(says="audience is not"))
    for name, token in {"no JWT": "opaque", "two dots only": "..", "a hundred dots": "." * 100}.items():
        yield Fault(f"a token that is {name}", always(Amend({"access_token": token})), published())
    yield Fault("old token revoked on issue", setting(revoke_on_issue=True), published())


def _same_token() -> Iterator[Fault]:
    def expected(trigger: Trigger, state: State) -> Expected:
        if state in (State.ABSENT, State.UNREADABLE):
            return Expected("rotated", 1)
        if trigger.is_consumers:
            return Expected("RejectedTokenAgain", 1, breaker=True)
        if state is State.EXPIRED:
            return Expected("InvalidTokenResponse", 1, "although that has expired")
        return Expected("unchanged", 1)

    def arm(case: Case) -> None:
        document = case.sight().document
        case.world.talend.faults.add(Amend({"access_token": document.access_token} if document else {}), times=None)

    yield Fault("the same token again", arm, expected)

    def with_what_is_left(trigger: Trigger, state: State) -> Expected:
        return Expected("rotated", 1) if state in (State.EXPIRED, State.LEFT_OVER) else expected(trigger, state)

    yield Fault("the same token with the life that is left", always(SameToken()), with_what_is_left)


def _probe() -> Iterator[Fault]:
    def probing(fault: TalendFault | None, path: str = "/account/users", **settings: Any) -> Callable[[Case], None]:
        def arm(case: Case) -> None:
            case.world.with_settings(probe_path=path)
            case.world.talend.settings.change(settings)
            if fault:
                case.world.talend.faults.add(fault, times=None)

        return arm

    refused = failed(TokenRejectedByProbe, 1, "/account/users answered 401", breaker=True)
    yield Fault("a token that the API refuses", probing(Amend({"access_token": "of-nobody"})), refused)
    nothing = "the probe tells nothing"
    yield Fault("a probe path that is not there", probing(None, "/no/such/path"), published(says=nothing))
    yield Fault("too many requests for the probe", probing(None, requests_per_minute=0), published(says=nothing))

    def without_rights(case: Case) -> None:
        probing(None)(case)
        few = Account(case.account.client_id, case.account.client_secret, permissions=("AUDIT_LOGS_VIEW",))
        case.world.talend.add_account(few)

    yield Fault("a probe path that the account may not see", without_rights, published())


__all__ = ["asks", "rows"]
