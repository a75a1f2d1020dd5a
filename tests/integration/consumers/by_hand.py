"""A client that uses nothing but the standard library, by the five steps of docs/other-languages.md.

Its arguments name flaws, each of which is a mistake that clients make, for tests of the kit.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from urllib.parse import urlsplit


def _json_of(request, timeout):
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        raise


class Client:
    def __init__(self, environ, flaws=()):
        self.environ = environ
        self.flaws = set(flaws)
        self.now = 0.0
        self.token = None
        self.next_read_at = 0.0
        self.refusals = {}
        # One thread at a time reads the secret, or has a token renewed. The others then find its result.
        self.lock = nullcontext() if "no single flight" in self.flaws else threading.RLock()

    # --- step 1: read ---

    def read(self):
        body = json.dumps({"SecretId": self.environ["TALEND_TOKEN_SECRET"]}).encode()
        headers = {"X-Amz-Target": "secretsmanager.GetSecretValue", "Content-Type": "application/x-amz-json-1.1"}
        request = urllib.request.Request(self.environ["AWS_ENDPOINT_URL"], body, headers)
        text = _json_of(request, 5)["SecretString"]
        if '"access_token"' not in text:
            raise ValueError(f"no token document: {text if 'quotes the secret' in self.flaws else ''}")
        self.token = json.loads(text)

    # --- step 2: keep ---

    def get_token(self):
        with self.lock:
            remaining = self.token["expires_at"] - self.now if self.token else 0
            if self.token and "ignores expiry" in self.flaws:
                return self.token
            if remaining <= 0 or "keeps nothing" in self.flaws:
                if "remembers an outage" in self.flaws and self.refusals.get("outage"):
                    raise self.refusals["outage"]
                try:
                    self.read()
                except OSError as error:
                    self.refusals["outage"] = error
                    if "falls back to an expired token" not in self.flaws or not self.token:
                        raise
            elif remaining <= 300 and (self.now >= self.next_read_at or "reads at each call" in self.flaws):
                self.next_read_at = self.now + 5
                try:
                    self.read()
                except OSError:
                    if "drops a good token" in self.flaws:
                        raise
            trusting = {"trusts what is published", "falls back to an expired token"}
            if self.now >= self.token["expires_at"] and not self.flaws & trusting:
                raise ValueError("the published token has expired")
            return self.token

    # --- step 4: after a 401 ---

    def renew(self, rejected):
        with self.lock:
            waits = self.now < self.refusals.get(rejected, 0)
            if waits and "reads nothing while it waits" in self.flaws:
                return False
            if self.token["version_id"] == rejected and "renews without comparing" not in self.flaws:
                with suppress(OSError, ValueError):
                    self.read()
            if "no single flight" not in self.flaws and self.token["version_id"] != rejected:
                return True
            if waits and "asks again and again" not in self.flaws:
                return False
            answer = self.invoke({"rejected_version_id": "" if "names no version" in self.flaws else rejected})
            good = {"rotated", "in_progress", "" if "gives up when superseded" in self.flaws else "superseded"}
            if answer.get("outcome") not in good:
                pause = 3600 if "waits for an hour" in self.flaws else min(answer.get("retry_after_seconds", 5), 60)
                self.refusals[rejected] = self.now + pause
                return False
            for _ in range(1 if "does not wait" in self.flaws else 100):
                self.read()
                if self.token["version_id"] != rejected:
                    return True
            return False

    def invoke(self, event):
        if "never renews" in self.flaws:
            return {}
        path = f"/2015-03-31/functions/{self.environ['TALEND_RENEW_FUNCTION']}/invocations"
        request = urllib.request.Request(self.environ["AWS_ENDPOINT_URL"] + path, json.dumps(event).encode())
        return _json_of(request, 35)

    # --- steps 3 and 5: send, and repeat once ---

    def send(self, command, token):
        origins = {urlsplit(url)[:2] for url in (command["url"], token["api_url"])}
        if len(origins) > 1 and "sends it anywhere" not in self.flaws:
            raise ValueError("the token is not for this host")
        body = command["body"].encode() if command["body"] else None
        request = urllib.request.Request(command["url"], body, method=command["method"])
        # Unlike a header, it is not sent along a redirect.
        add = request.add_header if "follows redirects" in self.flaws else request.add_unredirected_header
        add("Authorization", f"Bearer {token['access_token']}")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer
        except urllib.error.HTTPError as error:
            error.close()
            return error

    def call(self, command):
        token = self.get_token()
        answer = self.send(command, token)
        statuses = (401, 403) if "renews on 403" in self.flaws else (401,)
        for _ in range(2 if "repeats twice" in self.flaws else 1):
            is_elsewhere = urlsplit(answer.url)[:2] != urlsplit(token["api_url"])[:2]
            if answer.status not in statuses or is_elsewhere or not self.renew(token["version_id"]):
                break
            token = self.get_token()
            again = command | {"body": None} if "loses the body" in self.flaws else command
            answer = self.send(again, token)
        return answer.status


def answer(client, command):
    """Return the answer to a command of the kit."""
    client.now = command["now"]
    try:
        return {"id": command["id"], "status": client.call(command)}
    except Exception as error:  # noqa: BLE001 (the kit looks at any of them)
        return {"id": command["id"], "error": f"{error!r} {error}"}


def main(client):
    """Answer the commands on the standard input, and those that arrive together at the same time."""

    def print_answer(line):
        # In one piece with its end, because several threads print.
        print(f"{json.dumps(answer(client, json.loads(line)))}\n", end="", flush=True)

    with ThreadPoolExecutor(100) as pool:
        for line in sys.stdin:
            pool.submit(print_answer, line)


if __name__ == "__main__":
    main(Client(os.environ, sys.argv[1:]))
