"""The answers that rotators are measured with, and what is read from a recording."""

import base64
import json

import pytest

from bench.rotation_server import AGE_SECONDS, LIFE_SECONDS, answer_to
from bench.warm_rotation import operations
from talend_token.document import Sensitive, TokenDocument


def test_the_published_token_is_due_and_a_new_one_is_another():
    _, held = answer_to("GetSecretValue", {"SecretId": "talend/default/token"}, "https://api.example")
    published = TokenDocument.from_json(Sensitive(held["SecretString"]))
    _, issued = answer_to("", {}, "https://api.example")
    assert published.life_seconds == LIFE_SECONDS
    assert published.issued_at == held["CreatedDate"]
    assert AGE_SECONDS > LIFE_SECONDS / 30
    assert issued["access_token"] != published.access_token


def test_a_version_asked_for_by_its_id_does_not_exist():
    status, answer = answer_to("GetSecretValue", {"SecretId": "talend/default/token", "VersionId": "1"}, "")
    assert (status, answer["__type"]) == (400, "ResourceNotFoundException")


@pytest.mark.parametrize("operation", ["ListSecrets", "DeleteSecret"])
def test_an_operation_that_no_rotator_needs_is_refused(operation):
    assert answer_to(operation, {}, "")[0] == 400


def test_a_recording_names_operations_and_token_calls_in_order():
    requests = (
        b"POST / HTTP/1.1\r\nX-Amz-Target: secretsmanager.GetSecretValue\r\nContent-Length: 2\r\n\r\n{}",
        b"POST /security/oauth/token HTTP/1.1\r\nContent-Length: 2\r\n\r\n" + json.dumps({}).encode(),
        b"POST / HTTP/1.1\r\nx-amz-target: DynamoDB_20120810.PutItem\r\n\r\n",
    )
    recorded = [(1, base64.b64encode(request).decode()) for request in requests]
    assert list(operations(recorded)) == ["GetSecretValue", "the token call", "PutItem"]
