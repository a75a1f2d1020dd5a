"""The JSON API under `/_simulator/` with which another process controls the simulator.

- `GET settings`, `PATCH settings`: shows or changes the settings, such as `{"revoke_on_issue": true}`.
- `GET accounts`: lists the accounts, without their secrets.
- `PUT accounts/{client_id}`: adds or replaces one, `{"client_secret": "...", "permissions": [...], "name": "..."}`, of
  which the last two are optional. `DELETE accounts/{client_id}` removes it; its tokens live on.
- `DELETE accounts/{client_id}/tokens`, `DELETE tokens/{sha256}`: revokes all tokens of an account, or one; answers
  `{"revoked": 1}`.
- `POST faults`: queues one, such as `{"kind": "answer", "status": 503, "times": 2}`; a standing one has null there.
  `GET faults` lists what is queued and counts the answers that are held back, `DELETE faults` clears the queue.
- `POST faults/release`: lets go of the answers that are held back; answers `{"released": 1}`.
- `GET journal?after=0`: the requests after that sequence number. `DELETE journal` forgets them.

A wrong request gets 400 with a `message`. No token is needed, because the server listens on loopback only. These
requests are not in the journal.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from urllib.parse import parse_qs, unquote

from talend_simulator.accounts import Account, Accounts
from talend_simulator.connection import Stalls
from talend_simulator.fault_queue import FaultQueue, fault_of
from talend_simulator.journal import Journal
from talend_simulator.messages import Request, Response, json_response
from talend_simulator.settings import Settings
from talend_simulator.tokens import Tokens

CONTROL_PREFIX = "/_simulator/"


@dataclass(frozen=True)
class Control:
    """Answers the requests under `CONTROL_PREFIX`."""

    settings: Settings
    accounts: Accounts
    tokens: Tokens
    faults: FaultQueue
    stalls: Stalls
    journal: Journal

    def answer(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except ValueError as error:
            return json_response(400, {"message": str(error)})

    def _answer(self, request: Request) -> Response:
        segments = [unquote(segment) for segment in request.path.removeprefix(CONTROL_PREFIX).split("/")]
        match request.method, segments:
            case "GET", ["settings"]:
                return json_response(200, asdict(self.settings))
            case "PATCH", ["settings"]:
                self.settings.change(request.json_object())
                return json_response(200, asdict(self.settings))
            case "GET", ["accounts"]:
                return json_response(200, {"accounts": [_shown(account) for account in self.accounts.all()]})
            case "PUT", ["accounts", client_id]:
                account = _account_of(client_id, request)
                self.accounts.put(account)
                return json_response(200, _shown(account))
            case "DELETE", ["accounts", client_id]:
                return Response(204) if self.accounts.remove(client_id) else _not_found()
            case "DELETE", ["accounts", client_id, "tokens"]:
                return json_response(200, {"revoked": self.tokens.revoke_all(client_id)})
            case "DELETE", ["tokens", token_sha256]:
                return json_response(200, {"revoked": int(self.tokens.revoke(token_sha256))})
            case "POST", ["faults", "release"]:
                return json_response(200, {"released": self.stalls.release()})
            case _, ["faults"]:
                return self._faults(request)
            case "GET", ["journal"]:
                after = parse_qs(request.query).get("after", ["0"])[-1]
                entries = self.journal.entries(after=int(after))
                return json_response(200, {"entries": [asdict(entry) for entry in entries]})
            case "DELETE", ["journal"]:
                self.journal.clear()
                return Response(204)
        return _not_found()

    def _faults(self, request: Request) -> Response:
        match request.method:
            case "GET":
                waiting = [{"kind": fault.kind, "times": times} for fault, times in self.faults.waiting()]
                return json_response(200, {"faults": waiting, "stalled": len(self.stalls)})
            case "POST":
                members = request.json_object()
                times = members.pop("times", 1)
                if times is not None and type(times) is not int:
                    raise ValueError("times must be a whole number or null")
                self.faults.add(fault_of(members), times=times)
                return Response(204)
            case "DELETE":
                self.faults.clear()
                return Response(204)
        return _not_found()


def _not_found() -> Response:
    return json_response(404, {"message": "Not found"})


def _shown(account: Account) -> dict[str, object]:
    return {"client_id": account.client_id, "name": account.name, "permissions": list(account.permissions)}


_MEMBERS: dict[str, Callable[[object], bool]] = {
    "client_secret": lambda value: isinstance(value, str),
    "name": lambda value: isinstance(value, str),
    "permissions": lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
}


def _account_of(client_id: str, request: Request) -> Account:
    members = request.json_object()
    if "client_secret" not in members:
        raise ValueError("client_secret is missing")
    for name, value in members.items():
        if name not in _MEMBERS:
            raise ValueError(f"an account has no member {name!r}")
        if not _MEMBERS[name](value):
            raise ValueError(f"{name} must be {'a list of strings' if name == 'permissions' else 'a string'}")
    if "permissions" in members:
        members["permissions"] = tuple(members["permissions"])
    return Account(client_id, **members)
