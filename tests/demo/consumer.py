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
    """Reads the token secret before each call, has a rejected token renewed, and counts how the calls end.

    `clients` gives the consumer's clients of AWS: "secretsmanager" and "lambda".
    """

    def __init__(
        self, clients: Callable[[str], Any], token_secret: str, renew_function: str, pause_seconds: float
    ) -> None:
        super().__init__(name="consumer", daemon=True)
        self._secrets = clients("secretsmanager")
        self._functions = clients("lambda")
        self._token_secret = token_secret
        self._renew_function = renew_function
        self._pause_seconds = pause_seconds
        self._stopping = threading.Event()
        self.statuses: list[int] = []
        self.versions: set[str] = set()
        self.rejections = 0
        self.problem: str | None = None

    def run(self) -> None:
        """Call until stopped; whatever goes wrong ends up in `problem`."""
        try:
            with requests.Session() as session:
                while not self._stopping.wait(self._pause_seconds):
                    self.statuses.append(self._call(session))
        except Exception as error:  # noqa: BLE001 (a thread has nobody to raise to)
            self.problem = f"{type(error).__name__}: {error}"

    def _call(self, session: requests.Session) -> int:
        version = self._read()
        status = call(session, version["SecretString"])
        if status != 401:
            return status
        self.rejections += 1
        return call(session, self._renewed(version["VersionId"])["SecretString"])

    def _renewed(self, rejected: str) -> dict[str, Any]:
        """Ask for a renewal, and read the secret until it holds another version than the rejected one."""
        event = json.dumps({"rejected_version_id": rejected})
        answer = self._functions.invoke(FunctionName=self._renew_function, Payload=event)
        if "FunctionError" in answer:
            raise RuntimeError(json.load(answer["Payload"])["errorMessage"])
        while (version := self._read())["VersionId"] == rejected:
            self._stopping.wait(0.05)
        return version

    def _read(self) -> dict[str, Any]:
        version: dict[str, Any] = self._secrets.get_secret_value(SecretId=self._token_secret)
        self.versions.add(version["VersionId"])
        return version

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
