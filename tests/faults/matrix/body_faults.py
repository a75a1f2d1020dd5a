"""Rows of the matrix: the body of the token endpoint's answer."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from faults.matrix.columns import invalid, published
from faults.matrix.faults import Fault, Wire, http, row, table
from talend_simulator import Amend, Answer, HtmlAnswer, Truncate


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
_NOT_JSON = {
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
_ODD_JSON: dict[str, Callable[[bytes], bytes]] = {
    "a byte order mark": lambda body: b"\xef\xbb\xbf" + body,
    "UTF-16": lambda body: body.decode().encode("utf-16"),
    "UTF-32": lambda body: body.decode().encode("utf-32"),
    "white space around": lambda body: b"\r\n\t " + body + b" \n" * 100,
    "members twice": lambda body: b'{"access_token": "first", "token_type": "mac", "expires_in": 1, ' + body[1:],
    "NaN": lambda body: b'{"expires_in": NaN, "a": NaN, ' + body[1:-1].partition(b', "expires_in"')[0] + b"}",
}
_BAD_TOKENS: dict[str, Any] = {
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
_BAD_TYPES: dict[str, Any] = {
    "mac": "mac",
    "an empty": "",
    "Basic": "Basic",
    "Bearer twice as": "Bearer Bearer",
    "a number as": 1,
    "null as": None,
    "a list as": ["Bearer"],
}
_MORE: Any = {
    "refresh_token": "r",
    "scope": None,
    "id_token": [],
    "error": "none",
    "": {},
    "api_url": "https://elsewhere.invalid",
}


def rows() -> Iterator[Fault]:
    yield from _encodings()
    not_json = invalid("not a JSON object")
    yield row("gzip bomb not said to be one", Answer(200, _bomb()), not_json)
    yield row("200 with HTML", HtmlAnswer(), not_json)
    yield row("truncated JSON", Truncate(), not_json)
    json_type = {"Content-Type": "application/json"}
    yield from table("200 with {}", not_json, _NOT_JSON, lambda body: Answer(200, body, json_type))
    yield from table("JSON with {}", published(), _ODD_JSON, lambda spell: Wire(lambda body: http(spell(body))))

    for without in ("access_token", "token_type"):
        yield row(f"no {without}", Amend(without=(without,)), invalid(f"'{without}'"))
    yield from table("{} access_token", invalid(), _BAD_TOKENS, lambda token: Amend({"access_token": token}))
    bad_type = invalid("'token_type' is not Bearer")
    yield from table("{} token_type", bad_type, _BAD_TYPES, lambda token_type: Amend({"token_type": token_type}))
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
