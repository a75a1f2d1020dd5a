"""Rows of the matrix: answers of the token endpoint that are odd HTTP or no HTTP, or that do not end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from faults.matrix.columns import invalid, published, unavailable
from faults.matrix.faults import NO_TIME_TO_WAIT, Fault, Wire, each, http, plain, row, table
from talend_simulator import Close, Drip, Huge, Reset, Stall

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
_ODD: dict[str, Form] = {
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


def rows() -> Iterator[Fault]:
    not_reached = "could not be reached"
    yield row("reset", Reset(), unavailable(not_reached))
    yield row("reset inside the body", Reset(after_body_bytes=10), unavailable())
    yield row("connection closed unanswered", Close(), unavailable())
    yield row("connection closed inside the body", Close(after_body_bytes=9), unavailable())
    yield from table("{}", unavailable(not_reached), _BROKEN, Wire)
    yield from table("{}", published(), _ODD, Wire)
    yield from table("{}", invalid(), _NO_ANSWER, Wire)
    once = unavailable(not_reached, calls=1)
    yield from table("{}", once, _ENDLESS, lambda fault: each(fault, seconds=NO_TIME_TO_WAIT))
    too_much = invalid("more than 262144 bytes")
    yield row("a huge body", Huge(2_000_000), too_much)
    yield row("a huge body of unknown length", Huge(2_000_000, announced=False), too_much)
