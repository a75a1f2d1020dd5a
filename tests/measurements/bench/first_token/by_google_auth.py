"""google-auth with requests, and a token endpoint that is not Google's."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
from google.auth.transport.requests import AuthorizedSession
from google.oauth2.credentials import Credentials


def refresh(_: Any, scopes: Any) -> tuple[str, datetime]:  # noqa: ARG001
    form = {"grant_type": "client_credentials", "client_id": "abc", "client_secret": "s3cret"}
    answer = requests.post(os.environ["TOKEN_URL"], data=form, timeout=60).json()
    return answer["access_token"], (datetime.now(UTC) + timedelta(seconds=answer["expires_in"])).replace(tzinfo=None)


credentials = Credentials(None, refresh_handler=refresh)
session = AuthorizedSession(credentials)
credentials.before_request(session, "GET", os.environ["TOKEN_URL"], {})
print(len(credentials.token), flush=True)
