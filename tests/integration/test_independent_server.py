"""Both functions against an authorization server that was written by others: oauthlib's."""

import time

import pytest

import renew
from doubles import marked
from doubles.oauthlib_server import authorization_server
from integration.handlers import CREDENTIALS, TOKEN, invoke
from rotator.domain.errors import CredentialsRefused

# A colon, which Basic has to bring over whole (RFC 7617 section 2).
SECRET = marked("of an independent client") + ":~"


@pytest.fixture
def talend():
    with authorization_server({"abc": SECRET}, expires_in=900) as server:
        yield server


@pytest.fixture
def secrets(secrets):
    secrets.put_secret_value(SecretId=CREDENTIALS, SecretString=f"abc:{SECRET}")
    return secrets


def test_the_server_accepts_a_rotated_token(published, talend):
    assert invoke({})["outcome"] == "rotated"
    document = published()
    assert talend.accepts(document.token_type, document.access_token)
    assert not talend.accepts("Bearer", "another")
    assert 890 < document.remaining_seconds(time.time()) <= 900


@pytest.mark.parametrize("pair", [f"abc:{SECRET}x", "abd:nothing"], ids=["a wrong secret", "an unknown client"])
def test_a_refusal_is_final_and_named_by_its_registered_code(secrets, talend, capsys, pair):
    for _ in range(2):
        secrets.put_secret_value(SecretId=CREDENTIALS, SecretString=pair)
    # The registered code and nothing else of the body (RFC 6749 section 5.2).
    with pytest.raises(CredentialsRefused, match=r"answered 401 \(invalid_client\) for"):
        invoke({})
    assert "error_description" not in capsys.readouterr().out
    # The current credentials once, and the previous ones once.
    assert talend.statuses == [401, 401]


def test_a_grant_that_the_server_does_not_give_is_refused(secrets, talend, monkeypatch):
    monkeypatch.setattr(talend.validator, "validate_grant_type", lambda *_, **__: False)
    with pytest.raises(CredentialsRefused, match="answered 40"):
        invoke({})
    assert secrets.describe_secret(SecretId=TOKEN).get("VersionIdsToStages", {}) == {}


def test_a_token_that_the_server_has_forgotten_is_renewed_once(aged, published, talend):
    talend.validator.tokens.clear()
    answers = [invoke({"rejected_version_id": aged}, renew) for _ in range(3)]
    assert [answer["outcome"] for answer in answers] == ["rotated", "superseded", "superseded"]
    assert talend.accepts("Bearer", published().access_token)
    assert talend.statuses == [200, 200]
