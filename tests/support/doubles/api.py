"""A Talend API on a loopback port, which knows the tokens of an in-memory source."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from loopback import HttpHandler, LoopbackServer


@dataclass(frozen=True)
class Call:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def token(self) -> str | None:
        """The Bearer token, if there is one."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token if kind == "Bearer" else None


@dataclass
class Api:
    """Answers 200 to an accepted token and `refusal` to any other; a path of `redirects` is answered with one."""

    url: str = ""
    accepted: set[str] = field(default_factory=set)
    redirects: dict[str, str] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)
    refusal: int = 401
    cookie: str = ""
    """Set by each refusal."""
    endless_refusals: bool = False
    """Their bodies never end."""
    redirect_status: int = 307
    on_call: Callable[[], object] = lambda: None

    def answer(self, handler: HttpHandler, body: bytes) -> None:
        """Serve one request."""
        headers = {name.lower(): value for name, value in handler.headers.items()}
        call = Call(handler.command, handler.path, headers, body)
        self.calls.append(call)
        self.on_call()
        if call.path in self.redirects:
            handler.send(self.redirect_status, {"Location": self.redirects[call.path]})
        elif call.token in self.accepted:
            handler.send(200, {}, b"welcome")
        elif self.endless_refusals:
            handler.send(self.refusal, {"Content-Length": str(10**12)})
            while True:
                handler.wfile.write(b"no" * 1000)
        else:
            handler.send(self.refusal, {"Set-Cookie": self.cookie} if self.cookie else {}, b"no")

    @property
    def tokens(self) -> list[str | None]:
        """The token of each call so far."""
        return [call.token for call in self.calls]


@contextmanager
def talend_api() -> Iterator[Api]:
    """A running API."""
    api = Api()

    class Handler(HttpHandler):
        def answer(self, body: bytes) -> None:
            api.answer(self, body)

    with LoopbackServer(Handler) as server:
        api.url = f"http://127.0.0.1:{server.port}"
        yield api
