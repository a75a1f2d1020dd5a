"""Rows of the matrix: the body of the token endpoint's answer."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

from faults.matrix.arming import always
from faults.matrix.faults import Fault, failed, published
from faults.matrix.wire_faults import Wire, http
from rotator.domain.errors import (
    InvalidTokenResponse,
)
from talend_simulator import (
    Amend,
    Answer,
    HtmlAnswer,
    Truncate,
)


def rows() -> Iterator[Fault]:
    yield from _encodings()
    yield from _bodies()
    yield from _members()


@cache
def _bomb(compress: Callable[[bytes], bytes] = gzip.compress) -> bytes:
    """Fifty megabytes in fifty kilobytes, or less."""
    return compress(bytes(50_000_000))


def _raw_deflate(body: bytes) -> bytes:
    """RFC 1951 alone, as many servers send it under the name of deflate."""
    return zlib.compress(body, wbits=-zlib.MAX_WBITS)


def _spelled(spell: Callable[[bytes], bytes]) -> Wire:
    return Wire(lambda body: http(spell(body)))


def _twice(body: bytes) -> bytes:
    return gzip.compress(gzip.compress(body))


def _encodings() -> Iterator[Fault]:
    """`identity` was asked for, and proxies and content delivery networks answer as they like."""
    for encoding in ("utf-8", "UTF-8", "none", "", "identity", "binary", "utf-8, identity"):
        field = f"Content-Encoding: {encoding}"
        plain = Wire(lambda body, field=field: http(body, field))  # type: ignore[misc]
        yield Fault(f"Content-Encoding {encoding!r} of plain JSON", always(plain), published())
    readable: Mapping[str, tuple[str, Callable[[bytes], bytes]]] = {
        "gzip": ("gzip", gzip.compress),
        "x-gzip": ("x-gzip", gzip.compress),
        "GZIP": ("GZIP", gzip.compress),
        "deflate": ("deflate", zlib.compress),
        "raw deflate": ("deflate", _raw_deflate),
        "gzip twice": ("gzip, gzip", _twice),
        "gzip with a blank": ("gzip ", gzip.compress),
        "gzip among others": ("utf-8, gzip , none", gzip.compress),
    }
    cannot = failed(InvalidTokenResponse, 1, "a body that cannot be decompressed")
    too_much = failed(InvalidTokenResponse, 1, "more than 262144 bytes")
    for name, (encoding, compress) in readable.items():
        field = f"Content-Encoding: {encoding}"
        compressed = Wire(lambda body, field=field, compress=compress: http(compress(body), field))  # type: ignore[misc]
        yield Fault(f"JSON in {name}", always(compressed), published())
        bomb = Answer(200, _bomb(compress), {"Content-Encoding": encoding})
        yield Fault(f"a gzip bomb or the like in {name}", always(bomb), too_much)
        lie = Answer(200, b"\x1f\x8b\x08\x00 and then something else", {"Content-Encoding": encoding})
        yield Fault(f"garbage said to be {name}", always(lie), cannot)
    for encoding in ("br", "zstd", "compress"):
        answer = Answer(200, _bomb(), {"Content-Encoding": encoding})
        says = f"in the encoding {encoding}"
        yield Fault(f"a body in {encoding}", always(answer), failed(InvalidTokenResponse, 1, says))
    cut = Wire(lambda body: http(gzip.compress(body)[:-300], "Content-Encoding: gzip"))
    yield Fault("half of a compressed body", always(cut), failed(InvalidTokenResponse, 1, "not a JSON object"))


def _bodies() -> Iterator[Fault]:
    no_json = failed(InvalidTokenResponse, 1, "not a JSON object")
    yield Fault("gzip bomb not said to be one", always(Answer(200, _bomb())), no_json)
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
        yield Fault(f"JSON with {name}", always(_spelled(spell)), published())


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
    more: dict[str, Any] = {
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
