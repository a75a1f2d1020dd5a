"""A dry run checks every link of the chain, publishes nothing, and reports each broken link with the fix."""

import json

import pytest

from doubles.system import CREDENTIALS, TOKEN, System
from doubles.token_endpoint import jwt
from rotator.domain.errors import CredentialsRefused, SecretStoreError
from rotator.domain.result import Outcome
from rotator.ports import SecretDescription, Verdict
from unit.service.conftest import answer, exhaust, refused, unavailable

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
SKIPPED = "not checked, because an earlier check failed. Fix that one first."


def check(system):
    """Return the dry run's result, and its checks by their links."""
    result = system.rotate(dry_run=True)
    assert result.outcome is Outcome.CHECKED
    checks = {check.link: (check.ok, check.detail) for check in result.checks}
    assert len(checks) == len(result.checks)
    return result, checks


def broken(checks):
    return [link for link, (ok, _) in checks.items() if not ok]


def test_a_whole_chain_is_listed_and_nothing_is_published(system):
    begun = system.clock()
    result, checks = check(system)
    assert list(checks) == LINKS
    assert (broken(checks), system.invocation.warnings) == ([], [])
    assert system.invocation.expires_at == system.published.expires_at
    assert checks["token call"] == (True, "200")
    documented = result.as_rotation()
    assert documented.pop("checks")[0] == {
        "link": "credentials",
        "ok": True,
        "detail": "version credentials-1 is for https://api.eu.cloud.talend.com",
    }
    expected = {"outcome": "checked", "account": "default", "trigger": "manual", "version_id": "v1"}
    assert documented == expected | {"expires_at": system.published.expires_at}
    assert (system.secrets.versions(TOKEN), system.published_version) == (1, "v1")
    assert system.secrets.label(TOKEN, "AWSPREVIOUS") is None
    # The last ten seconds are reserved for publication.
    assert [deadline for _, deadline in system.endpoint.calls[1:]] == [begun + 50]


def test_unreadable_credentials_stop_only_dependent_checks(system):
    system.secrets.put(CREDENTIALS, "no colon", "credentials-2")
    _, checks = check(system)
    assert list(checks) == LINKS
    assert broken(checks) == ["credentials", "token call", "token checks"]
    assert "no colon" in checks["credentials"][1]
    assert checks["token call"][1] == checks["token checks"][1] == SKIPPED
    assert [warning.split(":")[0] for warning in system.invocation.warnings] == broken(checks)
    assert system.invocation.warnings[0] == f"credentials: {checks['credentials'][1]}"
    # A rotation would use the previous credentials, but a dry run checks the current ones.
    assert len(system.endpoint.calls) == 1


@pytest.mark.parametrize("error", [refused(), unavailable()])
def test_a_token_endpoint_that_fails_is_listed_and_not_raised(system, error):
    system.endpoint.answers = [error]
    # The key of credentials that could be read is not a broken link.
    system.secrets.descriptions[CREDENTIALS] = SecretDescription("their-key")
    _, checks = check(system)
    assert broken(checks) == ["token call", "token checks"]
    assert str(error) in checks["token call"][1]


def test_a_dry_run_passes_the_breaker_and_does_not_open_it(system):
    system.endpoint.answers = [refused(), refused()]
    with pytest.raises(CredentialsRefused):
        system.renew()
    check(system)
    assert len(system.endpoint.calls) == 3
    system.clock.advance(seconds=61)
    system.endpoint.answers = [refused()]
    check(system)
    assert system.renew().outcome is Outcome.ROTATED


def test_an_unexpected_audience_is_a_warning_not_a_fault(system):
    system.endpoint.answers = [{"access_token": jwt(aud="elsewhere"), "token_type": "Bearer"}]
    ok, detail = check(system)[1]["token checks"]
    assert ok
    assert detail.startswith("valid for 1800 s; the token's audience is not")
    assert "audience" in system.invocation.warnings[0]


@pytest.mark.parametrize(
    ("verdict", "ok", "problem"),
    [
        (Verdict.ACCEPTED, True, "answered as scripted"),
        (Verdict.REJECTED, False, "is not published"),
        (Verdict.UNKNOWN, False, "Check ProbePath"),
    ],
)
def test_a_probe_that_is_configured_is_a_link_of_the_chain(verdict, ok, problem):
    system = System(probe_path="/account/users")
    system.probe.verdicts = [verdict]
    _, checks = check(system)
    assert list(checks) == [*LINKS[:3], "probe", *LINKS[3:]]
    assert checks["probe"][0] is ok
    assert checks["probe"][1].startswith("https://api.eu.cloud.talend.com/account/users answered as scripted")
    assert problem in checks["probe"][1]
    assert system.probe.calls[0][2] == system.clock() + 50


# --- a fault in one link ---


def fail(operation):
    return lambda system: system.secrets.fail_on.update({operation: "AccessDeniedException"})


def replicate(status):
    description = SecretDescription(replicas={"us-east-1": status})
    return lambda system: system.secrets.descriptions.update({TOKEN: description})


@pytest.mark.parametrize(
    ("link", "break_it", "problem"),
    [
        ("token checks", lambda system: system.endpoint.answers.append(answer("x", expires_in=10)), "valid for 10 s"),
        ("token secret", lambda system: system.secrets.put(TOKEN, "no document"), "INVALID: version v-by-hand of"),
        ("token secret", lambda system: system.clock.advance(minutes=25), "v1 is valid for -300 s. Force a rotation"),
        ("right to stage", fail("stage"), "AccessDeniedException. Fix it."),
        ("right to promote", fail("promote"), "AccessDeniedException. Fix it."),
        ("key", fail("describe"), "AccessDeniedException. Fix it."),
        ("version budget", fail("created"), "AccessDeniedException. Fix it."),
        ("replicas", replicate("InProgress"), "us-east-1 InProgress. Check the replica's KMS key and its policy, then"),
        ("replicas", replicate("Failed: no key"), "us-east-1 Failed: no key. Check the replica's KMS key"),
        (
            "lock table",
            lambda system: setattr(system.lock, "down", True),
            "'locks' failed with EndpointConnectionError",
        ),
        (
            "lock table",
            lambda system: setattr(system.lock, "release", lambda *_: None),
            "a lock was taken but not released. Check that the role has dynamodb:DeleteItem.",
        ),
        ("version budget", exhaust, "41 of 100 versions were written in 24 hours, and 0 are left"),
    ],
)
def test_a_broken_link_is_listed_with_the_fix(system, link, break_it, problem):
    break_it(system)
    _, checks = check(system)
    assert broken(checks) == [link]
    assert problem in checks[link][1]


def test_an_unreadable_token_secret_does_not_stop_the_other_checks(system):
    system.secrets._secrets.pop(TOKEN)
    result, checks = check(system)
    assert list(checks) == LINKS
    assert broken(checks) == ["token secret", "right to stage", "right to promote", "key", "version budget"]
    assert checks["right to stage"][1] == checks["right to promote"][1] == SKIPPED
    assert result.version_id is None


# --- what each link reports ---


@pytest.mark.parametrize(("minutes", "state"), [(0, "FRESH: version v1 is valid for 1200 s"), (16, "STALE: ")])
def test_the_published_token_is_shown_with_its_state(system, minutes, state):
    system.clock.advance(minutes=minutes)
    ok, detail = check(system)[1]["token secret"]
    assert ok
    assert detail.startswith(state)


def test_before_the_first_rotation_nothing_is_broken(empty):
    _, checks = check(empty)
    assert (broken(checks), empty.invocation.expires_at) == ([], 0)
    assert "nothing is published yet. Force a rotation" in checks["token secret"][1]
    assert "cannot be checked without a change" in checks["right to stage"][1]


def test_a_token_in_another_layout_shows_the_right_to_stage_too(system):
    other = json.dumps(json.loads(system.published.to_json().reveal()), indent=1)
    system.secrets.put(TOKEN, other)
    assert check(system)[1]["right to stage"][0]
    assert system.secrets.read(TOKEN, "AWSCURRENT").text.reveal() == other


def test_rights_are_tried_on_a_version_that_does_not_exist(system):
    promoted, taken = [], []
    promote, acquire = system.secrets.promote, system.lock.acquire
    system.secrets.promote = lambda *request: promoted.append(request) or promote(*request)
    system.lock.acquire = lambda *request: taken.append(request) or acquire(*request)
    check(system)
    assert promoted == [(TOKEN, "nobody", "nobody")]
    assert taken == [(system.invocation, "nobody")] * 2
    assert ("default", "nobody") not in system.lock._until


def test_the_keys_of_both_secrets_are_named(system):
    assert check(system)[1]["key"][1].count("aws/secretsmanager") == 2
    system.secrets.descriptions[TOKEN] = SecretDescription("arn:aws:kms:eu-west-1:123456789012:key/k")
    ok, detail = check(system)[1]["key"]
    assert ok
    assert detail.startswith("the token secret is encrypted by arn:aws:kms:eu-west-1:123456789012:key/k, the credent")


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


def test_replicas_are_listed_if_there_are_any(system):
    system.secrets.descriptions[TOKEN] = SecretDescription(replicas={"us-east-1": "InSync", "ap-south-1": "InSync"})
    assert check(system)[1]["replicas"] == (True, "us-east-1 InSync; ap-south-1 InSync")


def test_the_version_budget_counts_the_last_day_only(system):
    system.clock.advance(minutes=24 * 60 - 10)
    system.secrets.put(TOKEN, system.published.to_json().reveal(), "v1")
    assert check(system)[1]["version budget"] == (
        True,
        "1 of 100 versions were written in 24 hours, and 31 are left for renewals",
    )


def test_the_schedule_is_checked_for_the_new_tokens_validity():
    system = System(expires_in=600)
    assert "tokens that are valid for 600 s" in check(system)[1]["schedule"][1]
    system.rotate()
    system.endpoint.answers = [unavailable()]
    assert "tokens that are valid for 600 s" in check(system)[1]["schedule"][1]


@pytest.mark.parametrize(
    ("expression", "is_good", "detail"),
    [
        ("rate(25 minutes)", True, "rate(25 minutes) is often enough for tokens that are valid for 1800 s"),
        ("cron(0/25 * * * ? *)", False, "gaps of 25, 25, 10 minutes"),
    ],
)
def test_without_a_token_the_schedule_is_checked_for_30_minutes(expression, is_good, detail):
    system = System(schedule_expression=expression)
    system.endpoint.answers = [unavailable()]
    found = check(system)[1]["schedule"]
    assert (found[0], detail in found[1]) == (is_good, True)
