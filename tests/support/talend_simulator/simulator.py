"""The simulated Talend Cloud as a whole."""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from talend_simulator.connection import Connection, Stalls
from talend_simulator.endpoints import TOKEN_PATH, Endpoints, Settings
from talend_simulator.faults import Close, Fault, FaultQueue
from talend_simulator.messages import Request
from talend_simulator.server import Broken, Server
from talend_simulator.tokens import Account, Tokens


@dataclass(frozen=True)
class JournalEntry:
    """One request, without anything secret.

    - `path`: without the query, where a careless client may have put a token.
    - `status`: that of the answer; None if a fault sent no status line.
    - `client_id`: whose token was asked for, if it is an account that the simulator knows.
    - `token_sha256`: the fingerprint of the token that was issued, or that the API was called with.
    """

    method: str
    path: str
    status: int | None
    client_id: str | None
    token_sha256: str | None


class TalendSimulator:
    """Talend Cloud at `url` within `with`. A client needs nothing but HTTP.

    - `known`: the accounts that it knows from the start.
    - `clock`: epoch seconds; tokens expire by it.
    - `settings`: may be changed while it runs.

    Its parts are public: `settings`, `accounts`, `tokens`, `faults` (for the token endpoint) and `journal`.
    """

    def __init__(
        self, known: Iterable[Account] = (), *, clock: Callable[[], float] = time.time, settings: Settings | None = None
    ) -> None:
        self.settings = settings or Settings()
        self.accounts = {account.client_id: account for account in known}
        self.faults = FaultQueue()
        self.journal: list[JournalEntry] = []
        """Every request, written down before the first byte of its answer: who has the answer finds it here."""
        self._stalls = Stalls()
        self._server = Server(0, self._exchange, self._stalls)
        self.url = f"http://127.0.0.1:{self._server.port}"
        self.token_url = self.url + TOKEN_PATH
        self.tokens = Tokens(self.url, clock)
        self._endpoints = Endpoints(self.url, self.accounts, self.tokens, self.settings)

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    def add_account(self, account: Account | None = None) -> Account:
        """Add the account, or a random one; one with the same ID is replaced."""
        account = account or Account()
        self.accounts[account.client_id] = account
        return account

    def revoke(self, access_token: str) -> None:
        self.tokens.revoke(access_token)

    def token_calls(self) -> list[JournalEntry]:
        """Return the journal's entries for the token endpoint."""
        return [entry for entry in self.journal if entry.path == TOKEN_PATH]

    def break_kept(self, how: Broken) -> int:
        """Break the connections that clients keep at this moment; new ones work as ever. Return their number."""
        return self._server.break_kept(how)

    @property
    def stalled(self) -> int:
        """How many answers are held back at this moment, by a fault or because the API takes its time."""
        return len(self._stalls)

    def release(self) -> None:
        """Let go of the answers that are held back at this moment."""
        self._stalls.release()

    def _exchange(self, request: Request, connection: Connection) -> None:
        fault, client_id = Fault(), None
        if request.path == TOKEN_PATH:
            fault = self.faults.take()
            response = fault.answer(self._endpoints, request)
            client_id = self._endpoints.client_id_of(request)
        else:
            if self.settings.api_seconds:
                connection.wait(self.settings.api_seconds)
            response = self._endpoints.call_api(request)
        is_silent = isinstance(fault, Close) and fault.after_body_bytes is None
        status = None if is_silent else response.status
        self.journal.append(JournalEntry(request.method, request.path, status, client_id, response.token_sha256))
        fault.send(response, connection)
