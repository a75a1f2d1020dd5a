"""The client."""

from talend_token import TokenClient

print(len(TokenClient().get_token().access_token), flush=True)
