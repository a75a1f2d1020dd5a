"""authlib with requests."""

import os

from authlib.integrations.requests_client import OAuth2Session

session = OAuth2Session("abc", "s3cret", token_endpoint=os.environ["TOKEN_URL"], grant_type="client_credentials")
print(len(session.fetch_token()["access_token"]), flush=True)
