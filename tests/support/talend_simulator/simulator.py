"""The simulated Talend Cloud as a whole."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self

from talend_simulator.accounts import Account, Accounts
from talend_simulator.api import Api
from talend_simulator.connection import Connection, Stalls
from talend_simulator.fault_queue import FaultQueue
from talend_simulator.faults import Fault
from talend_simulator.journal import Journal, JournalEntry
from talend_simulator.messages import Request
from talend_simulator.server import Broken, Server
from talend_simulator.settings import Settings
from talend_simulator.token_endpoint import TOKEN_PATH, TokenEndpoint
from talend_simulator.tokens import Tokens, fingerprint


class TalendSimulator:
    """Talend Cloud at `url`, from `start` (or `with`) to `stop`.

    - `accounts`: those that it knows from the start.
    - `port`: 0 takes a free one.
    - `clock`: epoch seconds; tokens expire and minutes pass by it.
    - `settings`: may be changed while it runs.

    Its parts are public: `settings`, `accounts`, `tokens`, `faults` (for the token endpoint) and `journal`.

    Raises:
        OSError: the port is taken.
    """

    def __init__(
        self,
        accounts: Iterable[Account] = (),
        *,
        port: int = 0,
        clock: Callable[[], float] = time.time,
        settings: Settings | None = None,
    ) -> None:
        self.settings = settings or Settings()
        self.accounts = Accounts()
        for account in accounts:
            self.accounts.put(account)
        self.faults = FaultQueue()
        self.journal = Journal()
        self._clock = clock
        self._stalls = Stalls()
        self._server = Server(port, self._exchange, self._stalls)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.tokens = Tokens(self.url, clock)
        self._token_endpoint = TokenEndpoint(self.url, self.accounts, self.tokens, self.settings)
        self._api = Api(self.tokens, self.settings, clock)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Serve in threads of this process. A simulator is started once."""
        self._server.start()

    def stop(self) -> None:
        """End every connection, also those that a fault holds, and free the port."""
        self._server.stop()

    @property
    def token_url(self) -> str:
        """The token endpoint."""
        return self.url + TOKEN_PATH

    def add_account(self, account: Account | None = None) -> Account:
        """Add the account, or a random one; one with the same ID is replaced."""
        account = account or Account()
        self.accounts.put(account)
        return account

    def revoke(self, access_token: str) -> bool:
        """End this token; False if it is not alive. `tokens` revokes by fingerprint and by account."""
        return self.tokens.revoke(fingerprint(access_token))

    def token_calls(self) -> tuple[JournalEntry, ...]:
        """The journal's entries for the token endpoint."""
        return tuple(entry for entry in self.journal if entry.path == TOKEN_PATH)

    def break_kept(self, how: Broken) -> int:
        """Break the connections that clients keep open at this moment, new ones work as ever; their number."""
        return self._server.break_kept(how)

    @property
    def stalled(self) -> int:
        """How many answers are held back at this moment, by a fault or because the API takes its time."""
        return len(self._stalls)

    def release(self) -> int:
        """Let go of the answers that are held back at this moment; their number."""
        return self._stalls.release()

    def _exchange(self, request: Request, connection: Connection) -> None:
        fault = Fault()
        if request.path == TOKEN_PATH:
            fault = self.faults.take() or fault
            response = fault.answer(self._token_endpoint, request)
            response = replace(response, client_id=self._token_endpoint.client_id_of(request))
        else:
            if self.settings.api_seconds:
                connection.wait(self.settings.api_seconds)
            response = self._api.answer(request)
        self.journal.record(
            time=self._clock(),
            method=request.method,
            path=request.path,
            status=None if fault.is_silent else response.status,
            client_id=response.client_id,
            token_sha256=response.token_sha256,
            fault=fault.kind or None,
        )
        fault.send(response, connection)
