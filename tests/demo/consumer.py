"""Programs that call the Talend API with a token that they did not ask for."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import requests

# What the deployed consumer calls.
API_PATH = "/orchestration/executables/tasks"
# Another path, by which the simulator's journal tells the careless consumer's calls from those.
CARELESS_PATH = "/account/users"


class Caller(threading.Thread):
    """Invokes the deployed consumer, one invocation after the other, and keeps the answers.

    Callers that run at the same time get an execution environment each, as on Lambda.
    """

    def __init__(self, functions: Any, function_name: str) -> None:
        super().__init__(name="caller", daemon=True)
        self._functions = functions
        self._function_name = function_name
        self._stopping = threading.Event()
        self.answers: list[dict[str, Any]] = []
        self.problem: str | None = None

    def run(self) -> None:
        """Invoke until stopped; whatever goes wrong ends up in `problem`."""
        try:
            while not self._stopping.is_set():
                answer = self._functions.invoke(FunctionName=self._function_name)
                self.answers.append(json.load(answer["Payload"]))
        except Exception as error:  # noqa: BLE001 (a thread has nobody to raise to)
            self.problem = f"{type(error).__name__}: {error}"

    def stop(self) -> None:
        """End after the invocation that is under way."""
        self._stopping.set()
        self.join()


class CarelessConsumer(threading.Thread):
    """Reads the token once and keeps it for ever: what happens without rotation. Ends with the first refusal."""

    def __init__(self, secret_string: str, pause_seconds: float, refused: Callable[[float], None]) -> None:
        super().__init__(name="careless consumer", daemon=True)
        self._document = json.loads(secret_string)
        self._pause_seconds = pause_seconds
        self._refused = refused
        self._stopping = threading.Event()

    def run(self) -> None:
        """Call until the token is refused, and tell when that was."""
        headers = {"Authorization": f"Bearer {self._document['access_token']}"}
        with requests.Session() as session:
            while not self._stopping.wait(self._pause_seconds):
                response = session.get(self._document["api_url"] + CARELESS_PATH, headers=headers, timeout=10)
                if response.status_code == 401:
                    self._refused(time.time())
                    return

    def stop(self) -> None:
        """End after the call that is under way."""
        self._stopping.set()
        self.join()
