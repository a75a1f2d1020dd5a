"""The whole service over test doubles, and the failures that tests cause in it."""

import pytest

from doubles.system import CREDENTIALS, TOKEN, System
from rotator.domain.errors import CredentialsRefused, SecretStoreError, TokenUnavailable
from rotator.domain.invocation import Trigger


@pytest.fixture
def empty():
    """A system that has not published a token yet."""
    return System()


@pytest.fixture
def system():
    """A system whose published token, v1, is ten minutes old."""
    return with_token()


def with_token(minutes=10, **settings):
    """Return a system whose published token is that old."""
    system = System(**settings)
    system.rotate()
    system.clock.advance(minutes=minutes)
    return system


def refused(status=401):
    return CredentialsRefused("url", CREDENTIALS, f"answered {status}", "Check.", status=status)


def unavailable():
    return TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503)


def answer(access_token, expires_in=1200):
    return {"access_token": access_token, "token_type": "Bearer", "expires_in": expires_in}


def act(system, trigger):
    """Invoke the function that the trigger is for."""
    return system.renew() if trigger is Trigger.REJECTED else system.rotate(trigger)


def leave_staged(system, trigger=Trigger.MANUAL):
    """Let a run stage a token and fail to promote it."""
    system.secrets.fail_on["promote"] = "InternalServiceError"
    with pytest.raises(SecretStoreError):
        act(system, trigger)
    system.secrets.fail_on.clear()


def exhaust(system, text=None):
    """Write so many versions that none are left for renewals."""
    for _ in range(40):
        system.secrets.put(TOKEN, text or system.published.to_json().reveal(), "v1")
