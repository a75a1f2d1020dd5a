"""Programs that call the Talend API with a token that they did not ask for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import requests

# One of the documented API's calls that a service account with orchestration rights may make.
API_PATH = "/orchestration/executables/tasks"


class Consumer(threading.Thread):
    """Reads the token secret before each call, as any program on AWS can, and counts how the calls end."""

    def __init__(self, secrets: Any, token_secret: str, pause_seconds: float) -> None:
        super().__init__(name="consumer", daemon=True)
        self._secrets = secrets
        self._token_secret = token_secret
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()
        self.statuses: list[int] = []
        self.versions: list[str] = []
        self.problem: str | None = None

    def run(self) -> None:
        """Call until stopped; whatever goes wrong ends up in `problem`."""
        try:
            with requests.Session() as session:
                while not self._stopping.wait(self._pause_seconds):
                    self._call(session)
        except Exception as error:  # noqa: BLE001 (a thread has nobody to raise to)
            self.problem = f"{type(error).__name__}: {error}"

    def _call(self, session: requests.Session) -> None:
        version = self._secrets.get_secret_value(SecretId=self._token_secret)
        self.statuses.append(call(session, version["SecretString"]))
        if version["VersionId"] not in self.versions:
            self.versions.append(version["VersionId"])

    def stop(self) -> None:
        """End after the call that is under way."""
        self._stopping.set()
        self.join()


class CarelessConsumer(threading.Thread):
    """Reads the token once and keeps it for ever: what happens without rotation. Ends with the first refusal."""

    def __init__(self, secret_string: str, pause_seconds: float, refused: Callable[[float], None]) -> None:
        super().__init__(name="careless consumer", daemon=True)
        self._secret_string = secret_string
        self._pause_seconds = pause_seconds
        self._refused = refused
        self._stopping = threading.Event()

    def run(self) -> None:
        """Call until the token is refused, and tell when that was."""
        with requests.Session() as session:
            while not self._stopping.wait(self._pause_seconds):
                if call(session, self._secret_string) == 401:
                    self._refused(time.time())
                    return

    def stop(self) -> None:
        """End after the call that is under way."""
        self._stopping.set()
        self.join()


def call(session: requests.Session, secret_string: str) -> int:
    """Call the API that the token document names; the HTTP status."""
    document = json.loads(secret_string)
    headers = {"Authorization": f"{document['token_type']} {document['access_token']}"}
    return session.get(document["api_url"] + API_PATH, headers=headers, timeout=10).status_code
