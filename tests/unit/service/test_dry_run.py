"""A dry run looks at every link of the chain, publishes nothing, and names what is broken with its fix."""

import json

import pytest

from doubles.system import CREDENTIALS, TOKEN, System
from doubles.token_endpoint import access_token, jwt
from rotator.domain.errors import CredentialsRefused, SecretStoreError, TokenUnavailable
from rotator.domain.result import Outcome
from rotator.ports import SecretDescription, Verdict

LINKS = [
    "credentials",
    "token call",
    "token checks",
    "token secret",
    "right to stage",
    "right to promote",
    "key",
    "lock table",
    "version budget",
    "schedule",
]


@pytest.fixture
def system():
    """A system with a published token that is ten minutes old."""
    system = System()
    system.rotate()
    system.clock.advance(minutes=10)
    return system


def check(system):
    """The dry run's result, and its checks by their links."""
    result = system.rotate(dry_run=True)
    assert result.outcome is Outcome.CHECKED
    checks = {check.link: (check.ok, check.detail) for check in result.checks}
    assert len(checks) == len(result.checks)
    return result, checks


def broken(checks):
    return [link for link, (ok, _) in checks.items() if not ok]


def test_a_chain_without_a_fault_is_listed_link_by_link(system):
    result, checks = check(system)
    assert list(checks) == LINKS
    assert broken(checks) == []
    assert checks["token call"] == (True, "200")
    assert system.invocation.warnings == []
    assert (result.version_id, result.expires_at) == ("v1", system.published.expires_at)


def test_nothing_is_published_and_no_version_is_spent(system):
    system.secrets.calls.clear()
    check(system)
    assert system.secrets.versions(TOKEN) == 1
    assert (system.published_version, system.secrets.label(TOKEN, "AWSPREVIOUS")) == ("v1", None)
    assert len(system.endpoint.calls) == 2


def test_the_answer_is_the_documented_one_with_the_checks(system):
    answer = system.rotate(dry_run=True).as_rotation()
    assert answer.keys() == {"outcome", "account", "trigger", "version_id", "expires_at", "checks"}
    assert answer["outcome"] == "checked"
    assert answer["checks"][0] == {
        "link": "credentials",
        "ok": True,
        "detail": "version credentials-1 is for https://api.eu.cloud.talend.com",
    }
    json.dumps(answer)


def test_no_check_shows_a_credential_or_a_token(system):
    told = json.dumps(system.rotate(dry_run=True).as_rotation())
    system.secrets.put(CREDENTIALS, "hunter2", "credentials-2")
    told += json.dumps(system.rotate(dry_run=True).as_rotation())
    assert not any(secret in told for secret in ("s3cret", "hunter2", access_token(1), access_token(2)))


def test_it_leaves_the_time_that_a_publication_takes(system):
    begun = system.clock()
    check(system)
    assert system.endpoint.calls[1][1] == begun + 50


def test_an_api_that_the_credentials_name_is_shown(system):
    system.secrets.put(CREDENTIALS, '{"id": "a", "secret": "b", "api_url": "https://proxy.example"}')
    _, checks = check(system)
    assert checks["credentials"] == (True, "version v-by-hand is for https://proxy.example")


def test_unreadable_credentials_stop_only_dependent_checks(system):
    system.secrets.put(CREDENTIALS, "no colon", "credentials-2")
    _, checks = check(system)
    assert list(checks) == LINKS
    assert broken(checks) == ["credentials", "token call", "token checks"]
    assert "no colon" in checks["credentials"][1]
    assert checks["token call"][1] == "not checked, because an earlier check failed. Fix that one first."
    assert checks["token call"] == checks["token checks"]
    assert [warning.split(":")[0] for warning in system.invocation.warnings] == broken(checks)
    assert system.invocation.warnings[0] == f"credentials: {checks['credentials'][1]}"
    # A rotation would use the previous credentials; a dry run checks the current ones.
    assert len(system.endpoint.calls) == 1


@pytest.mark.parametrize(
    "error",
    [
        CredentialsRefused("url", CREDENTIALS, "answered 401", "Check.", status=401),
        TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503),
    ],
)
def test_a_token_endpoint_that_fails_is_listed_and_not_raised(system, error):
    system.endpoint.answers = [error]
    _, checks = check(system)
    assert broken(checks) == ["token call", "token checks"]
    assert str(error) in checks["token call"][1]


def test_a_dry_run_passes_the_breaker_and_does_not_open_it(system):
    def refuse():
        return CredentialsRefused("url", CREDENTIALS, "answered 401", "Check.", status=401)

    system.endpoint.answers = [refuse()]
    with pytest.raises(CredentialsRefused):
        system.renew()
    system.endpoint.answers = [refuse()]
    check(system)
    assert len(system.endpoint.calls) == 3
    system.clock.advance(seconds=61)
    system.endpoint.answers = [refuse()]
    check(system)
    assert system.renew().outcome is Outcome.ROTATED


def test_an_unusable_token_is_listed(system):
    system.endpoint.answers = [{"access_token": "x", "token_type": "Bearer", "expires_in": 10}]
    _, checks = check(system)
    assert broken(checks) == ["token checks"]
    assert "valid for 10 s" in checks["token checks"][1]


def test_an_odd_audience_is_a_warning_not_a_fault(system):
    system.endpoint.answers = [{"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    _, checks = check(system)
    assert checks["token checks"][0]
    assert checks["token checks"][1].startswith("valid for 1800 s; the token's audience is not")
    assert "audience" in system.invocation.warnings[0]


# --- the probe ---


@pytest.mark.parametrize(
    ("verdict", "ok", "said"),
    [
        (Verdict.ACCEPTED, True, "answered as scripted"),
        (Verdict.REJECTED, False, "is not published"),
        (Verdict.UNKNOWN, False, "Check ProbePath"),
    ],
)
def test_a_probe_that_is_configured_is_a_link_of_the_chain(verdict, ok, said):
    system = System(probe_path="/account/users")
    system.probe.verdicts = [verdict]
    _, checks = check(system)
    assert list(checks) == [*LINKS[:3], "probe", *LINKS[3:]]
    assert checks["probe"][0] is ok
    assert checks["probe"][1].startswith("https://api.eu.cloud.talend.com/account/users answered as scripted")
    assert said in checks["probe"][1]
    assert system.probe.calls[0][2] == system.clock() + 50


# --- the token secret ---


@pytest.mark.parametrize(
    ("minutes", "ok", "said"),
    [
        (0, True, "FRESH: version v1 is valid for 1200 s"),
        (16, True, "STALE: version v1 is valid for 240 s"),
        (25, False, "INVALID: version v1 is valid for -300 s. Force a rotation and read"),
    ],
)
def test_the_published_token_is_shown_with_its_state(system, minutes, ok, said):
    system.clock.advance(minutes=minutes)
    _, checks = check(system)
    assert checks["token secret"][0] is ok
    assert said in checks["token secret"][1]


def test_before_the_first_rotation_nothing_is_broken():
    _, checks = check(System())
    assert broken(checks) == []
    assert "nothing is published yet. Force a rotation" in checks["token secret"][1]
    assert "cannot be checked without a change" in checks["right to stage"][1]


def test_an_unreadable_token_is_listed_once(system):
    system.secrets.put(TOKEN, "not a document")
    result, checks = check(system)
    assert broken(checks) == ["token secret"]
    assert f"INVALID: version v-by-hand of secret {TOKEN!r} is not a token document" in checks["token secret"][1]
    assert "cannot be checked" in checks["right to stage"][1]
    assert result.expires_at is None


def test_an_unreadable_token_secret_does_not_stop_the_other_checks(system):
    system.secrets._secrets.pop(TOKEN)
    result, checks = check(system)
    assert list(checks) == LINKS
    assert broken(checks) == ["token secret", "right to stage", "right to promote", "key", "version budget"]
    skipped = "not checked, because an earlier check failed. Fix that one first."
    assert checks["right to stage"][1] == checks["right to promote"][1] == skipped
    assert result.version_id is None


# --- rights ---


@pytest.mark.parametrize(
    ("operation", "link"),
    [("stage", "right to stage"), ("promote", "right to promote"), ("describe", "key"), ("created", "version budget")],
)
def test_a_right_that_is_missing_is_listed(system, operation, link):
    system.secrets.fail_on[operation] = "AccessDeniedException"
    _, checks = check(system)
    assert broken(checks) == [link]
    assert "AccessDeniedException. Fix it." in checks[link][1]


def test_a_token_in_another_layout_shows_the_right_to_stage_too(system):
    members = json.loads(system.published.to_json().reveal())
    system.secrets.put(TOKEN, json.dumps(members, indent=1))
    _, checks = check(system)
    assert checks["right to stage"][0]
    assert system.secrets._secrets[TOKEN].versions["v-by-hand"].reveal() == json.dumps(members, indent=1)


def test_the_right_to_promote_is_tried_on_an_unknown_version(system):
    asked = []
    promote = system.secrets.promote
    system.secrets.promote = lambda *request: asked.append(request) or promote(*request)
    check(system)
    assert asked == [(TOKEN, "nobody", "nobody")]


def test_the_keys_of_both_secrets_are_named(system):
    assert check(system)[1]["key"][1].count("aws/secretsmanager") == 2
    system.secrets.descriptions[TOKEN] = SecretDescription("arn:aws:kms:eu-west-1:123456789012:key/k")
    ok, detail = check(system)[1]["key"]
    assert ok
    assert detail.startswith(
        "the token secret is encrypted by arn:aws:kms:eu-west-1:123456789012:key/k, the credentials"
    )


def test_another_key_is_named_if_the_credentials_cannot_be_read(system):
    system.secrets.descriptions[CREDENTIALS] = SecretDescription("their-key")
    read = system.secrets.read

    def deny(secret_id, stage):
        if secret_id == CREDENTIALS:
            raise SecretStoreError("GetSecretValue", secret_id, "AccessDeniedException", "Check.")
        return read(secret_id, stage)

    system.secrets.read = deny
    ok, detail = check(system)[1]["key"]
    assert not ok
    assert "the credentials secret by their-key. Allow the functions' roles in the second key's policy" in detail


# --- replicas ---


def test_replicas_are_listed_if_there_are_any(system):
    system.secrets.descriptions[TOKEN] = SecretDescription(replicas={"us-east-1": "InSync", "ap-south-1": "InSync"})
    assert check(system)[1]["replicas"] == (True, "us-east-1 InSync; ap-south-1 InSync")


@pytest.mark.parametrize("status", ["Failed: no such key", "InProgress"])
def test_a_replica_that_is_not_in_sync_is_listed_with_the_fix(system, status):
    system.secrets.descriptions[TOKEN] = SecretDescription(replicas={"us-east-1": status})
    _, checks = check(system)
    assert broken(checks) == ["replicas"]
    assert (
        checks["replicas"][1]
        == f"us-east-1 {status}. Check the replica's KMS key and its policy, then replicate again."
    )


# --- the lock table, the budget, the schedule ---


def test_a_lock_is_taken_and_released(system):
    taken = []
    acquire = system.lock.acquire
    system.lock.acquire = lambda *request: taken.append(request) or acquire(*request)
    check(system)
    assert taken == [(system.invocation, "nobody")] * 2
    assert ("default", "nobody") not in system.lock._until


def test_a_lock_table_that_is_down_is_listed(system):
    system.lock.down = True
    _, checks = check(system)
    assert broken(checks) == ["lock table"]
    assert "lock table 'locks' failed with EndpointConnectionError" in checks["lock table"][1]


def test_a_lock_that_cannot_be_released_is_listed(system):
    system.lock.release = lambda *_: None
    _, checks = check(system)
    assert checks["lock table"] == (
        False,
        "a lock was taken but not released. Check that the role has dynamodb:DeleteItem.",
    )


def test_the_version_budget_counts_the_last_day_only(system):
    system.clock.advance(minutes=24 * 60 - 10)
    system.secrets.put(TOKEN, system.published.to_json().reveal(), "v1")
    assert check(system)[1]["version budget"] == (
        True,
        "1 of 100 versions were written in 24 hours, and 31 are left for renewals",
    )


def test_a_budget_without_renewals_left_is_listed(system):
    for _ in range(40):
        system.secrets.put(TOKEN, system.published.to_json().reveal(), "v1")
    _, checks = check(system)
    assert broken(checks) == ["version budget"]
    assert checks["version budget"][1].startswith("41 of 100 versions were written in 24 hours, and 0 are left")


def test_a_schedule_with_gaps_is_listed_with_the_fix():
    system = System(schedule_expression="cron(0/25 * * * ? *)")
    _, checks = check(system)
    assert checks["schedule"][0] is False
    assert "gaps of 25, 25, 10 minutes" in checks["schedule"][1]


def test_the_schedule_is_checked_for_the_new_tokens_validity():
    system = System(expires_in=600)
    assert "tokens that are valid for 600 s" in check(system)[1]["schedule"][1]
    system.rotate()
    system.endpoint.answers = [TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503)]
    assert "tokens that are valid for 600 s" in check(system)[1]["schedule"][1]


def test_without_a_token_the_schedule_is_checked_for_30_minutes():
    system = System()
    system.endpoint.answers = [TokenUnavailable("url", CREDENTIALS, "answered 503", "Wait.", status=503)]
    assert check(system)[1]["schedule"] == (
        True,
        "rate(25 minutes) is often enough for tokens that are valid for 1800 s",
    )
