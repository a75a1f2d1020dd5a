"""Rows of the matrix: answers of the token endpoint that are odd HTTP or no HTTP, that do not end, or have a strange
body."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from faults.matrix.columns import invalid, published, unavailable
from faults.matrix.faults import NO_TIME_TO_WAIT, Fault, Wire, by_text, each, http, plain, row, table
from talend_simulator import Amend, Answer, Close, Drip, HtmlAnswer, Huge, Reset, Stall, Truncate

type Form = Callable[[bytes], bytes]

_CHUNKED = "Transfer-Encoding: chunked"
_INTERIM = plain(b"", status_line="HTTP/1.1 100 Continue")
_BROKEN: dict[str, Form] = {
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
    "chunks of garbage": lambda _: plain(b"zz\r\nno chunk\r\n", _CHUNKED),
    "chunks of negative size": lambda body: plain(b"-5\r\n" + body, _CHUNKED),
    "chunks that do not end": lambda body: plain(b"%x\r\n%b\r\n" % (len(body), body), _CHUNKED),
    "a line break in a header": lambda body: http(body, "X-A: b\nContent-Length: 2"),
    "a chunk's size of a megabyte": lambda _: plain(b"1" * 1_000_000, _CHUNKED),
}
_ODD_HTTP: dict[str, Form] = {
    "HTTP/1.0": lambda body: http(body, status_line="HTTP/1.0 200 OK"),
    "no reason phrase": lambda body: http(body, status_line="HTTP/1.1 200"),
    "a reason phrase that is no ASCII": lambda body: http(body, status_line="HTTP/1.1 200 tr\xe8s bien"),
    "chunks": lambda body: plain(b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body), _CHUNKED),
    "no Content-Length": plain,
    "a Content-Length in words": lambda body: plain(body, "Content-Length: all"),
    "a negative Content-Length": lambda body: plain(body, "Content-Length: -5"),
    "more than Content-Length announced": lambda body: http(body) + http(b"{}", status_line="HTTP/1.1 401 No"),
    "100 Continue before it": lambda body: _INTERIM * 3 + http(body),
    "cookies": lambda body: http(body, "Set-Cookie: session=1; Path=/", "Set-Cookie: __Host-a=b"),
    "text/plain": lambda body: http(body, "Content-Type: text/plain; charset=utf-16"),
    "a Content-Type of nothing": lambda body: http(body, "Content-Type:"),
}
_NO_ANSWER: dict[str, Form] = {
    "101 Switching Protocols": lambda _: plain(b"", status_line="HTTP/1.1 101 Switching Protocols"),
    "103 Early Hints": lambda body: plain(b"", status_line="HTTP/1.1 103 Early Hints") + http(body),
    "a status past all": lambda body: http(body, status_line="HTTP/1.1 999 OK"),
    "a Content-Length too short": lambda body: plain(body, f"Content-Length: {len(body) - 10}"),
    "two answers in one body": lambda body: http(body + body),
}
_ENDLESS = {
    "hang before an answer": Stall(),
    "hang inside the body": Stall(inside_body=True),
    "slow drip of the body": Drip(0.02, 40),
    "slow drip of the headers": Wire(lambda body: http(body)[:40], chunk_bytes=2),
    "flood of interim answers": Wire(lambda body: _INTERIM * 20 + http(body), chunk_bytes=25),
    "slow drip of chunks": Wire(
        lambda body: plain(b"".join(b"1\r\n%c\r\n" % octet for octet in body[:40]), _CHUNKED), chunk_bytes=6
    ),
}


def protocol() -> Iterator[Fault]:
    not_reached = "could not be reached"
    yield row("reset", Reset(), unavailable(not_reached))
    yield row("reset inside the body", Reset(after_body_bytes=10), unavailable())
    yield row("connection closed unanswered", Close(), unavailable())
    yield row("connection closed inside the body", Close(after_body_bytes=9), unavailable())
    yield from table("{}", unavailable(not_reached), _BROKEN, Wire)
    yield from table("{}", published(), _ODD_HTTP, Wire)
    yield from table("{}", invalid(), _NO_ANSWER, Wire)
    once = unavailable(not_reached, calls=1)
    yield from table("{}", once, _ENDLESS, lambda fault: each(fault, seconds=NO_TIME_TO_WAIT))
    too_much = invalid("more than 262144 bytes")
    yield row("a huge body", Huge(2_000_000), too_much)
    yield row("a huge body of unknown length", Huge(2_000_000, announced=False), too_much)


# --- bodies ---


def _raw_deflate(body: bytes) -> bytes:
    """Compress by RFC 1951 alone, which many servers call deflate."""
    return zlib.compress(body, wbits=-zlib.MAX_WBITS)


def _twice(body: bytes) -> bytes:
    return gzip.compress(gzip.compress(body))


# The functions ask for `identity`, but proxies and content delivery networks answer in other encodings.
_PLAIN = ("utf-8", "UTF-8", "none", "", "identity", "binary", "utf-8, identity")
_COMPRESSED: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("x-gzip", gzip.compress),
    "GZIP": ("GZIP", gzip.compress),
    "deflate": ("deflate", zlib.compress),
    "raw deflate": ("deflate", _raw_deflate),
    "gzip twice": ("gzip, gzip", _twice),
    "gzip with a blank": ("gzip ", gzip.compress),
    "gzip among others": ("utf-8, gzip , none", gzip.compress),
}
_NOT_JSON = (
    *(b"", b" \r\n ", b"null", b"[]", b'"token"', b"1800", b"access_token=a&token_type=Bearer&expires_in=1800"),
    *(b"<token>a</token>", '{"access_token": "a", "note": "très"}'.encode("latin-1"), b'{"access_token": "\xc0\x80"}'),
    *('{"access_token": "a"}'.encode("utf-16")[:-1], b"[" * 100_000, b'{"a":' * 50_000),
    *(b'{"expires_in": ' + b"9" * 5000 + b"}", b"{'access_token': 'a'}", b'{"access_token": "a"}{"access_token": "b"}'),
    b"\x00",
)
_ODD_JSON: dict[str, Callable[[bytes], bytes]] = {
    "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "UTF-16": lambda body: body.decode().encode("utf-16"),
    "UTF-32": lambda body: body.decode().encode("utf-32"),
    "white space around": lambda body: b"\r\n\t " + body + b" \n" * 100,
    "members twice": lambda body: b'{"access_token": "first", "token_type": "mac", "expires_in": 1, ' + body[1:],
    "NaN": lambda body: b'{"expires_in": NaN, "a": NaN, ' + body[1:-1].partition(b', "expires_in"')[0] + b"}",
}
_BAD_TOKENS: tuple[Any, ...] = (
    *("", 1800, None, True, ["a"], {"a": "b"}, "abc\ndef", "abc\r\nX-Injected: yes", "abc\0def", "abc\tdef"),
    *("abc\x7fdef", "abc\x85def", "abc def", " abc", "abc\n", "abcé", "abc\U0001f511", "abc\ud83d", "\ufeffabc", "  "),
    "a" * 70_000,
)
_BAD_TYPES = ("mac", "", "Basic", "Bearer Bearer", 1, None, ["Bearer"])
_MORE: Any = {
    "refresh_token": "r",
    "scope": None,
    "id_token": [],
    "error": "none",
    "": {},
    "api_url": "https://elsewhere.invalid",
}


def bodies() -> Iterator[Fault]:
    yield from _encodings()
    not_json = invalid("not a JSON object")
    yield row("gzip bomb not said to be one", Answer(200, _bomb()), not_json)
    yield row("200 with HTML", HtmlAnswer(), not_json)
    yield row("truncated JSON", Truncate(), not_json)
    json_type = {"Content-Type": "application/json"}
    yield from table("200 with {}", not_json, by_text(_NOT_JSON), lambda body: Answer(200, body, json_type))
    yield from table("JSON with {}", published(), _ODD_JSON, lambda spell: Wire(lambda body: http(spell(body))))

    for without in ("access_token", "token_type"):
        yield row(f"no {without}", Amend(without=(without,)), invalid(f"'{without}'"))
    yield from table("access_token {}", invalid(), by_text(_BAD_TOKENS), lambda token: Amend({"access_token": token}))
    bad_type = invalid("'token_type' is not Bearer")
    yield from table(
        "token_type {}", bad_type, by_text(_BAD_TYPES), lambda token_type: Amend({"token_type": token_type})
    )
    for token_type in ("bearer", "BEARER", "bEaReR"):
        yield row(f"token_type {token_type}", Amend({"token_type": token_type}), published())
    yield row("more members than documented", Amend(_MORE), published())
    yield row("an error beside the token", Amend({"error": "invalid_client"}), published())
    yield row("an access_token as long as can be", Amend({"access_token": "a" * 60_000}), published())


def _encodings() -> Iterator[Fault]:
    for encoding in _PLAIN:
        yield row(f"Content-Encoding {encoding!r} of plain JSON", _encoded(encoding), published())
    for name, (encoding, compress) in _COMPRESSED.items():
        yield row(f"JSON in {name}", _encoded(encoding, compress), published())
        bomb = Answer(200, _bomb(compress), {"Content-Encoding": encoding})
        yield row(f"a gzip bomb or the like in {name}", bomb, invalid("more than 262144 bytes"))
        lie = Answer(200, b"\x1f\x8b\x08\x00 and then something else", {"Content-Encoding": encoding})
        yield row(f"garbage said to be {name}", lie, invalid("a body that cannot be decompressed"))
    for encoding in ("br", "zstd", "compress"):
        answer = Answer(200, _bomb(), {"Content-Encoding": encoding})
        yield row(f"a body in {encoding}", answer, invalid(f"in the encoding {encoding}"))
    half = _encoded("gzip", lambda body: gzip.compress(body)[:-300])
    yield row("half of a compressed body", half, invalid("not a JSON object"))


def _encoded(encoding: str, compress: Callable[[bytes], bytes] = bytes) -> Wire:
    return Wire(lambda body: http(compress(body), f"Content-Encoding: {encoding}"))


@cache
def _bomb(compress: Callable[[bytes], bytes] = gzip.compress) -> bytes:
    """Return five megabytes, compressed to five kilobytes or less."""
    return compress(bytes(5_000_000))
