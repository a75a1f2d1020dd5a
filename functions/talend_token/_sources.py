"""The interface of a token source, and the sources that the environment can name."""

from __future__ import annotations

import os

from talend_token._token import Token
from talend_token.errors import InvalidTokenDocument, NotConfigured, RenewalFailed, TokenUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    class TokenSource(Protocol):
        """A place that tokens come from. Several threads may call both methods at once."""

        def read(self) -> Published:
            """Return the published token in any state. Raises `TokenUnavailable` if it cannot be read."""

        def renew(self, rejected_version_id: str) -> Renewal:
            """Invoke `renew` once for that version. Raises `RenewalFailed`."""

        def __str__(self) -> str:
            """Return the source's name for errors, such as `token secret 'talend-token/default/token'`."""


class Published:
    """The token that is published now."""

    # Not a dataclass, because importing `dataclasses` takes longer than importing the rest of this package.
    __slots__ = ("answered_at", "issued_at", "token")

    def __init__(self, token: Token, issued_at: int, answered_at: float | None) -> None:
        """
        Args:
            token: the published token.
            issued_at: when it was requested, in whole seconds since the epoch, UTC, by AWS's clock.
            answered_at: when the source answered, by AWS's clock and rounded down to a second. None if it is unknown.
        """
        self.token = token
        self.issued_at = issued_at
        self.answered_at = answered_at


class Renewal:
    """The answer of the `renew` function."""

    __slots__ = ("outcome", "retry_after_seconds")

    def __init__(self, outcome: str, retry_after_seconds: float = 0) -> None:
        """Create an answer. `outcome` is `rotated`, `superseded`, `in_progress`, `too_soon` or `budget_exhausted`."""
        self.outcome = outcome
        self.retry_after_seconds = retry_after_seconds


def source_from_environment() -> TokenSource:
    """Return the source that `TALEND_ACCESS_TOKEN`, `TALEND_ACCESS_TOKEN_FILE` or `TALEND_TOKEN_SECRET` names.

    Raises:
        NotConfigured: none of them is set, or the first one is unusable.
    """
    if os.environ.get("TALEND_ACCESS_TOKEN"):
        return FixedSource.from_environment()
    if os.environ.get("TALEND_ACCESS_TOKEN_FILE"):
        return FileSource(os.environ["TALEND_ACCESS_TOKEN_FILE"])
    if os.environ.get("TALEND_TOKEN_SECRET"):
        # Imported here to save time in programs that do not use AWS.
        from talend_token.secrets_manager import SecretsManagerSource

        return SecretsManagerSource(os.environ["TALEND_TOKEN_SECRET"], os.environ.get("TALEND_RENEW_FUNCTION"))
    raise NotConfigured(
        "the environment does not say where the Talend token is. Set TALEND_TOKEN_SECRET to the name or ARN of the "
        "token secret, and TALEND_RENEW_FUNCTION to that of the renew function. For work without AWS, set "
        "TALEND_ACCESS_TOKEN to a token, or TALEND_ACCESS_TOKEN_FILE to a file that `talend-token write` keeps current."
    )


class FixedSource:
    """A token from the environment, for work without AWS. It counts as valid until an API rejects it."""

    def __init__(self, token: Token) -> None:
        self._token = token

    @classmethod
    def from_environment(cls) -> FixedSource:
        """Create a source from `TALEND_ACCESS_TOKEN` and `TALEND_API_URL`.

        Raises:
            NotConfigured: the URL is missing or is not a URL, or the token has characters that a header cannot hold.
        """
        # Imported here because most programs have no such token.
        from talend_token._http import is_base_url
        from talend_token.document import LAST_SECOND, fits_a_header

        if not is_base_url(os.environ.get("TALEND_API_URL", "")):
            raise NotConfigured(
                "TALEND_ACCESS_TOKEN is set, so TALEND_API_URL must be the URL of the API that the token is for, such "
                "as https://api.eu.cloud.talend.com."
            )
        if not fits_a_header(os.environ["TALEND_ACCESS_TOKEN"]):
            raise NotConfigured(
                "TALEND_ACCESS_TOKEN has characters that a header cannot hold. Check that it is complete and "
                "has no quotation marks."
            )
        # The expiry of such a token is unknown.
        token = Token(
            os.environ["TALEND_ACCESS_TOKEN"],
            expires_at=LAST_SECOND,
            version_id="",
            api_url=os.environ["TALEND_API_URL"].rstrip("/"),
        )
        return cls(token)

    def read(self) -> Published:
        return Published(self._token, issued_at=0, answered_at=None)

    def renew(self, rejected_version_id: str) -> Renewal:  # noqa: ARG002
        raise RenewalFailed(
            "the API rejected the token in TALEND_ACCESS_TOKEN. Set another one.",
            outcome="not_configured",
            retry_after_seconds=0,
        )

    def __str__(self) -> str:
        return "environment variable TALEND_ACCESS_TOKEN"

    def __reduce__(self) -> tuple[Callable[[], FixedSource], tuple[()]]:
        """Leave the token out of a pickle; the process that loads it reads its own environment."""
        return FixedSource.from_environment, ()


class FileSource:
    """A file that `talend-token write` keeps current, for containers and hosts without AWS."""

    def __init__(self, file: str) -> None:
        self._file = file

    def read(self) -> Published:
        # Imported here because most programs have no such file.
        from talend_token.document import Sensitive, TokenDocument

        try:
            with open(self._file, encoding="utf-8") as opened:  # noqa: PTH123 (importing pathlib takes long)
                document = TokenDocument.from_json(Sensitive(opened.read()))
        except FileNotFoundError:
            problem = "does not exist. `talend-token write` removes it when its token expires, so check its errors"
        except OSError as error:
            problem = f"cannot be read: {error.strerror}. Check its owner, because only that user may read it"
        except (InvalidTokenDocument, UnicodeDecodeError) as error:
            reason = str(error) if isinstance(error, InvalidTokenDocument) else "not text"
            problem = f"does not hold a token document: {reason}. Write it with `talend-token write`"
        else:
            token = Token(
                document.access_token,
                expires_at=document.expires_at,
                version_id=document.version_id,
                api_url=document.api_url,
            )
            return Published(token, document.issued_at, answered_at=None)
        raise TokenUnavailable(f"{self} {problem}.")

    def renew(self, rejected_version_id: str) -> Renewal:
        raise RenewalFailed(
            f"{self}: version {rejected_version_id} was rejected. Run `talend-token renew` where the file is written. "
            "The new token appears in the file within a minute.",
            outcome="not_configured",
            retry_after_seconds=0,
        )

    def __str__(self) -> str:
        return f"token file {self._file!r}"
