"""Programs that call the Talend API with the published token."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import requests

# The path that the deployed consumer calls.
API_PATH = "/orchestration/executables/tasks"
# Another path, so that the careless consumer's calls differ from those in the simulator's journal.
CARELESS_PATH = "/account/users"


class Caller(threading.Thread):
    """Invokes the deployed consumer again and again, and keeps the answers.

    As on Lambda, each caller that runs at the same time gets its own execution environment.
    """

    def __init__(self, functions: Any, function_name: str) -> None:
        super().__init__(name="caller", daemon=True)
        self._functions = functions
        self._function_name = function_name
        self._stopping = threading.Event()
        self.answers: list[dict[str, Any]] = []
        self.problem: str | None = None

    def run(self) -> None:
        """Invoke until stopped; an error is stored in `problem`."""
        try:
            while not self._stopping.is_set():
                answer = self._functions.invoke(FunctionName=self._function_name)
                self.answers.append(json.load(answer["Payload"]))
        except Exception as error:  # noqa: BLE001 (the main thread reports it)
            self.problem = f"{type(error).__name__}: {error}"

    def stop(self) -> None:
        """Stop after the current invocation."""
        self._stopping.set()
        self.join()


class CarelessConsumer(threading.Thread):
    """Shows what happens without rotation: it never reads the token again, and stops when the token is rejected."""

    def __init__(self, secret_string: str, pause_seconds: float, refused: Callable[[float], None]) -> None:
        super().__init__(name="careless consumer", daemon=True)
        self._document = json.loads(secret_string)
        self._pause_seconds = pause_seconds
        self._refused = refused
        self._stopping = threading.Event()

    def run(self) -> None:
        """Call the API until the token is rejected, and report the time."""
        headers = {"Authorization": f"Bearer {self._document['access_token']}"}
        with requests.Session() as session:
            while not self._stopping.wait(self._pause_seconds):
                response = session.get(self._document["api_url"] + CARELESS_PATH, headers=headers, timeout=10)
                if response.status_code == 401:
                    self._refused(time.time())
                    return

    def stop(self) -> None:
        """Stop after the current call."""
        self._stopping.set()
        self.join()
