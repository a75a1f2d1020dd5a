"""Returns the number of tasks in Talend Management Console."""

import os

import requests

from talend_token.requests import TalendAuth

# Created once, so that later invocations reuse its connections and the token.
session = requests.Session()
session.auth = TalendAuth()


def handler(_event: object, _context: object) -> dict[str, int]:
    url = f"{os.environ['TALEND_API_URL']}/orchestration/executables/tasks"
    response = session.get(url, timeout=(3, 20))
    if not response.ok:
        return {"status": response.status_code}
    return {"status": response.status_code, "tasks": response.json()["total"]}
