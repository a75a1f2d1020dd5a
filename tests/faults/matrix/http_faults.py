"""Rows of the matrix: answers of the token endpoint that are odd HTTP, no HTTP, or have no end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from faults.matrix.arming import always, cut_short
from faults.matrix.faults import ATTEMPTS, Fault, failed, published
from faults.matrix.wire_faults import DripAll, Wire, http, plain
from rotator.domain.errors import (
    InvalidTokenResponse,
    TokenUnavailable,
)
from talend_simulator import (
    Close,
    Drip,
    Huge,
    Reset,
    Stall,
)


def rows() -> Iterator[Fault]:
    yield from _broken_http()
    yield from _odd_http()
    yield from _endless()


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
