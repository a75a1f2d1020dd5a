"""httpx-auth with httpx."""

import os

import httpx
from httpx_auth import OAuth2ClientCredentials

auth = OAuth2ClientCredentials(os.environ["TOKEN_URL"], client_id="abc", client_secret="s3cret")
request = next(auth.auth_flow(httpx.Request("GET", os.environ["TOKEN_URL"])))
print(len(request.headers["Authorization"].removeprefix("Bearer ")), flush=True)
