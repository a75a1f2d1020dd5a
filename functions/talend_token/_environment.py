"""Where the token is, as the environment says."""

from __future__ import annotations

import os

from talend_token.errors import NotConfigured

TYPE_CHECKING = False
if TYPE_CHECKING:
    from talend_token._ports import TokenSource


def source_from_environment() -> TokenSource:
    """The source that `TALEND_ACCESS_TOKEN`, or else `TALEND_TOKEN_SECRET`, names.

    Raises:
        NotConfigured: neither is set, or one of them is not usable.
    """
    # Imported where they are used: a program that needs no AWS does not pay for it.
    if os.environ.get("TALEND_ACCESS_TOKEN"):
        from talend_token._fixed import FixedSource

        return FixedSource.from_environment()
    if os.environ.get("TALEND_TOKEN_SECRET"):
        from talend_token.secrets_manager import SecretsManagerSource

        return SecretsManagerSource(os.environ["TALEND_TOKEN_SECRET"], os.environ.get("TALEND_RENEW_FUNCTION"))
    raise NotConfigured(
        "nothing says where the Talend token is. Set TALEND_TOKEN_SECRET to the name or ARN of the token secret, and "
        "TALEND_RENEW_FUNCTION to that of the renew function; or TALEND_ACCESS_TOKEN to a token, where there is no AWS."
    )
