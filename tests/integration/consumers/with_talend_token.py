"""Plays the kit's commands with talend_token and requests, or httpx, which the argument names."""

from __future__ import annotations

import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.append(str(Path(__file__).parents[3] / "functions"))

from talend_token import TokenClient


class Client:
    """A session of a library, and a clock that is set by each command."""

    def __init__(self, library):
        self.now = 0.0
        tokens = TokenClient(clock=lambda: self.now, monotonic=lambda: self.now)
        if library == "httpx":
            import httpx

            from talend_token.httpx import TalendAuth

            # Without TLS there is no reason to load certificates.
            session = httpx.Client(auth=TalendAuth(tokens), timeout=60, follow_redirects=True, verify=False)  # noqa: S501
            self._send = lambda method, url, body: session.request(method, url, content=body)
        else:
            import requests

            from talend_token.requests import TalendAuth

            session = requests.Session()
            session.auth = TalendAuth(tokens)
            self._send = lambda method, url, body: session.request(method, url, data=body, timeout=60)
        self.close = session.close

    def fetch(self, command):
        self.now = command["now"]
        try:
            response = self._send(command["method"], command["url"], command["body"])
        except Exception as error:  # noqa: BLE001 (the kit looks at any of them)
            return {"id": command["id"], "error": f"{error!r} {error}"}
        return {"id": command["id"], "status": response.status_code}


def main(fetch):
    """Answer the commands on the standard input, all that arrive at once at once."""
    printing = threading.Lock()

    def answer(command):
        answered = json.dumps(fetch(command))
        with printing:
            print(answered, flush=True)

    with ThreadPoolExecutor(100) as pool:
        for line in sys.stdin:
            pool.submit(answer, json.loads(line))


if __name__ == "__main__":
    main(Client(sys.argv[1]).fetch)
