"""The environment determines where the token comes from."""

import shutil
import traceback

import pytest

from doubles import marked
from talend_token import NotConfigured, RenewalFailed, TokenClient, TokenUnavailable
from talend_token.document import TokenDocument

API = "https://api.eu.cloud.talend.com"


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch):
    for name in ("ACCESS_TOKEN", "ACCESS_TOKEN_FILE", "API_URL", "TOKEN_SECRET", "RENEW_FUNCTION"):
        monkeypatch.delenv(f"TALEND_{name}", raising=False)


def test_an_empty_environment_is_reported_with_what_to_set():
    with pytest.raises(NotConfigured, match=r"Set TALEND_TOKEN_SECRET .* TALEND_RENEW_FUNCTION .* TALEND_ACCESS_TOKEN"):
        TokenClient()


@pytest.fixture
def fixed(monkeypatch):
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "hunter2")
    monkeypatch.setenv("TALEND_API_URL", "https://gateway.example.com/TALEND_X/")
    # It takes precedence if both are set.
    monkeypatch.setenv("TALEND_TOKEN_SECRET", "talend-token/default/token")
    return TokenClient()


def test_a_fixed_token_needs_no_aws(fixed):
    token = fixed.get_token(min_remaining=86_400)
    assert (token.access_token, token.api_url) == ("hunter2", "https://gateway.example.com/TALEND_X")
    assert token.version_id == ""
    assert repr(fixed) == "TokenClient(environment variable TALEND_ACCESS_TOKEN)"


def test_a_rejected_fixed_token_has_no_replacement(fixed):
    with pytest.raises(RenewalFailed, match=r"rejected the token in TALEND_ACCESS_TOKEN\. Set another one") as caught:
        fixed.renew(fixed.get_token())
    assert (caught.value.outcome, caught.value.retry_after_seconds) == ("not_configured", 0)


@pytest.mark.true_source
@pytest.mark.parametrize("url", [None, "", "api.eu.cloud.talend.com", "https://", "ftp://api.eu.cloud.talend.com"])
def test_a_fixed_token_needs_the_url_that_it_is_for_and_is_not_shown(monkeypatch, url):
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", "hunter2")
    if url is not None:
        monkeypatch.setenv("TALEND_API_URL", url)
    with pytest.raises(NotConfigured, match=r"TALEND_API_URL must be .* such as https://api\.eu\S+\.com\.$") as caught:
        TokenClient()
    shown = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    ours = [frame.locals for frame in shown.stack if "functions/talend_token" in frame.filename]
    assert ours
    assert "hunter2" not in repr(ours)


@pytest.mark.parametrize("token", ["hunter2\n", "hun ter2", "hünter2"])
def test_a_fixed_token_unfit_for_a_header_is_refused_and_not_shown(monkeypatch, token):
    monkeypatch.setenv("TALEND_ACCESS_TOKEN", token)
    monkeypatch.setenv("TALEND_API_URL", "https://api.us.cloud.talend.com")
    with pytest.raises(NotConfigured, match="characters that a header cannot hold") as caught:
        TokenClient()
    assert "ter2" not in str(caught.value)


# --- a token file ---


@pytest.fixture
def file(tmp_path, monkeypatch):
    file = tmp_path / "token.json"
    monkeypatch.setenv("TALEND_ACCESS_TOKEN_FILE", str(file))
    # The file takes precedence if both are set.
    monkeypatch.setenv("TALEND_TOKEN_SECRET", "talend-token/default/token")
    yield file
    shutil.rmtree(tmp_path)


def write(file, version, issued_at):
    """Write the file as `talend-token write` does."""
    document = TokenDocument(marked(version), "Bearer", issued_at, issued_at + 1800, API, version)
    file.write_text(f"{document.to_json().reveal()}\n")


@pytest.fixture
def reader(machine, file):
    client = machine.client(None)
    assert repr(client) == f"TokenClient(token file {str(file)!r})"
    return client


def test_a_file_is_read_and_its_replacement_seen_without_a_restart(aws_clock, file, reader):
    issued_at = int(aws_clock())
    write(file, "v1", issued_at)
    token = reader.get_token()
    assert (token.access_token, token.version_id) == (marked("v1"), "v1")
    assert (token.expires_at, token.api_url) == (issued_at + 1800, API)
    with pytest.raises(RenewalFailed, match=r"version v1 was rejected. Run `talend-token renew`") as caught:
        reader.renew(token)
    assert (caught.value.outcome, caught.value.retry_after_seconds) == ("not_configured", 0)
    write(file, "v2", issued_at)
    assert reader.renew(token).version_id == "v2"


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda _: None, "does not exist. `talend-token write` removes it when its token expires"),
        (lambda file: file.mkdir(), "cannot be read: Is a directory. Check its owner"),
        (lambda file: file.write_text("hunter2"), "does not hold a token document: not a JSON object. Write it with"),
        (lambda file: file.write_bytes(b"\xff"), "does not hold a token document: not text. Write it with"),
    ],
)
def test_a_file_without_a_token_is_reported_with_the_fix(file, reader, make, problem):
    make(file)
    with pytest.raises(TokenUnavailable, match=f"token file '{file}' {problem}") as caught:
        reader.get_token()
    assert caught.value.code is None
