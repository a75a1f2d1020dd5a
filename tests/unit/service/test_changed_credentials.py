"""Changed credentials replace a token of the old ones, once, though other runs are under way."""

import pytest

from doubles.system import CREDENTIALS, TOKEN
from rotator.domain.errors import SecretStoreError
from rotator.domain.result import Outcome


def test_a_secret_that_is_not_an_accounts_credentials_is_ignored(empty):
    assert empty.rotate(account="", issued_after=0.0).as_rotation() == {
        "outcome": "ignored",
        "account": None,
        "trigger": "manual",
        "version_id": None,
        "expires_at": None,
    }
    assert empty.secrets.calls == []


@pytest.mark.parametrize("code", ["ResourceNotFoundException", "AccessDeniedException", "InternalServiceError"])
def test_changed_credentials_without_a_token_secret_are_ignored(empty, code):
    """They belong to another owner under the same prefix, and AWS denies access to a missing secret."""
    empty.secrets.fail_on["read"] = code
    with pytest.raises(SecretStoreError, match="talend-token/dwh/token"):
        empty.rotate(account="dwh")
    if code == "InternalServiceError":
        with pytest.raises(SecretStoreError):
            empty.rotate(account="dwh", issued_after=0.0)
    else:
        assert empty.rotate(account="dwh", issued_after=0.0).outcome is Outcome.IGNORED


def test_changed_credentials_are_used_once_though_announced_twice(system):
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    change = {"reason": "credentials changed", "issued_after": float(int(system.clock()))}
    system.clock.advance(seconds=2)
    assert system.rotate(**change).outcome is Outcome.ROTATED
    assert system.endpoint.calls[1][0].client_secret == "new"
    system.clock.advance(seconds=1)
    late = system.rotate(**change)
    assert (late.outcome, late.version_id) == (Outcome.FRESH, "v2")
    assert len(system.endpoint.calls) == 2


def test_changed_credentials_wait_for_the_run_that_holds_the_lock(system):
    # A run that has read the old credentials holds the lock for five more seconds, and never releases it.
    system.lock.hold("default", "v1", system.clock() + 5)
    system.secrets.put(CREDENTIALS, "abc:new", "credentials-2")
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v2")
    assert system.endpoint.calls[-1][0].client_secret == "new"
    assert system.clock.slept == [2, 2, 2]


def test_changed_credentials_wait_no_longer_than_the_functions_time(system):
    """A problem that each attempt finds is noted once."""
    started = system.clock()
    system.secrets.put(TOKEN, "not a document")
    system.lock.hold("default", "v-by-hand", started + 600)
    assert system.rotate(issued_after=started).outcome is Outcome.IN_PROGRESS
    assert len(system.invocation.warnings) == 1
    # The last ten seconds are reserved for publication.
    assert system.clock() - started == 50


def test_changed_credentials_replace_a_token_of_the_old_ones(system):
    version = system.secrets.read(TOKEN, "AWSCURRENT")
    assert system.rotate().version_id == "v2"
    # Reads are stale, so this run sees a version that has been replaced already, and the lock remembers that.
    system.secrets.stale[TOKEN] = version
    # Its second attempt sees the published version.
    system.secrets.before["read"] = lambda: system.secrets.before.update(read=system.secrets.stale.clear)
    result = system.rotate(issued_after=system.clock())
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v3")
