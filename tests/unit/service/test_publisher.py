"""A replacement by compare and swap costs one version, whatever other runs do and whatever they left staged."""

import dataclasses

import pytest

from doubles.system import CREDENTIALS, TOKEN
from doubles.token_endpoint import access_token
from rotator.domain.errors import SecretStoreError
from rotator.domain.invocation import Trigger
from rotator.domain.result import Outcome
from unit.service.conftest import act, leave_staged, with_token

# --- another run ---


def test_a_run_that_was_overtaken_leaves_the_newer_token_in_place(system):
    """The lock is down, so only the compare and swap protects the version."""
    system.lock.down = True
    system.secrets.before["stage"] = system.rotate
    late = system.rotate()
    assert (late.outcome, late.version_id) == (Outcome.SUPERSEDED, system.published_version)
    assert late.expires_at == system.published.expires_at
    assert system.published.access_token == access_token(3)


def test_a_run_that_lost_and_reads_stale_is_in_progress(system):
    """A stale read returns the replaced version, and the result must not send consumers back to it."""
    system.lock.down = True
    behind = system.secrets.read(TOKEN, "AWSCURRENT")

    def another_run():
        system.rotate()
        system.secrets.stale[TOKEN] = behind

    system.secrets.before["stage"] = another_run
    lost = system.rotate()
    assert (lost.outcome, lost.retry_after_seconds) == (Outcome.IN_PROGRESS, 2)
    assert lost.as_renewal()["version_id"] is None


def test_a_token_published_since_the_first_read_is_not_reported(system):
    """It has both labels when this run looks for a staged token."""
    system.lock.down = True
    read, answers = system.secrets.read, []
    system.secrets.before["promote"] = lambda: answers.append(read(TOKEN, "AWSCURRENT"))
    system.rotate()
    system.secrets.read = lambda secret_id, stage: answers.pop() if answers else read(secret_id, stage)
    late = system.rotate()
    assert (late.outcome, late.version_id) == (Outcome.SUPERSEDED, "v2")
    assert len(system.endpoint.calls) == 2


# --- a token that was left staged ---


@pytest.mark.parametrize("trigger", list(Trigger))
def test_a_fresh_token_left_staged_is_promoted_without_a_token_call(trigger):
    system = with_token(minutes=25)
    leave_staged(system, trigger)
    system.clock.advance(minutes=1)
    result = act(system, trigger)
    assert (result.outcome, result.version_id) == (Outcome.ROTATED, "v2")
    assert (system.published.access_token, system.published.version_id) == (access_token(2), "v2")
    assert len(system.endpoint.calls) == 2
    assert "left staged" in system.invocation.warnings[0]


def test_a_staged_token_older_than_the_published_is_not_promoted():
    system = with_token(minutes=2)
    older = dataclasses.replace(system.published, access_token="older", issued_at=system.published.issued_at - 1)
    system.secrets.stage(TOKEN, "left", older.to_json())
    assert system.rotate().version_id == "v2"


def test_something_unreadable_left_staged_is_ignored(system):
    system.secrets.put(TOKEN, system.published.to_json().reveal())
    system.secrets._secrets[TOKEN].versions["v1"] = None
    assert system.rotate().version_id == "v2"


@pytest.mark.parametrize("again", [False, True])
def test_a_token_rolled_back_does_not_come_back(system, again):
    """An operator moves the label to the first token, stores that again, and may move the label again."""
    first = system.published.to_json().reveal()
    system.rotate()
    system.secrets.promote(TOKEN, "v1", "v2")
    # The creation times are whole seconds, so this one may be that of v2.
    system.secrets.put(TOKEN, first)
    if again:
        system.secrets.promote(TOKEN, "v1", system.published_version)
    assert system.secrets.label(TOKEN, "AWSPENDING") == "v2"
    # Until then, the lock remembers that v1 was replaced.
    system.clock.advance(seconds=61)
    assert system.rotate().version_id == "v3"


# --- changed credentials replace a token of the old ones ---


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
