"""Programs that call the Talend API with the published token."""

from __future__ import annotations

import json
from threading import Event
from typing import Any

import requests

from demo.timeline import Timeline, short

# The path that the deployed consumer calls.
API_PATH = "/orchestration/executables/tasks"
# Another path, so that the careless consumer's calls differ from those in the simulator's journal.
CARELESS_PATH = "/account/users"


def call_repeatedly(functions: Any, function_name: str, stopping: Event) -> list[dict[str, Any]]:
    """Invoke the deployed consumer again and again, and return its answers.

    As on Lambda, each caller that runs at the same time gets its own execution environment.
    """
    answers = []
    while not stopping.is_set():
        answer = functions.invoke(FunctionName=function_name)
        answers.append(json.load(answer["Payload"]))
    return answers


def call_until_refused(secret: dict[str, Any], pause_seconds: float, stopping: Event, timeline: Timeline) -> bool:
    """Call the API with the same version of the secret until it is rejected, and return whether it was.

    This shows what happens without rotation.
    """
    document = json.loads(secret["SecretString"])
    headers = {"Authorization": f"Bearer {document['access_token']}"}
    with requests.Session() as session:
        while not stopping.wait(pause_seconds):
            response = session.get(document["api_url"] + CARELESS_PATH, headers=headers, timeout=10)
            if response.status_code == 401:
                timeline.event("careless consumer", f"kept version {short(secret['VersionId'])}: expired, refused")
                return True
    return False
