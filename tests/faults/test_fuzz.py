"""Any input leads to a documented error or a valid result. A refused input writes nothing, and is not shown."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from doubles.marked import marked
from faults.matrix.cases import Case
from faults.matrix.columns import State, Trigger
from faults.matrix.world import running_world
from faults.size import chosen
from rotator.domain.credentials import Credentials, parse_credentials
from rotator.domain.errors import CredentialsError, InvalidEvent, InvalidTokenResponse, RotatorError
from rotator.domain.token_response import TokenResponse, read_token_response
from talend_token.document import Sensitive, TokenDocument
from talend_token.errors import InvalidTokenDocument

EVENTS = [json.loads(path.read_text()) for path in sorted((Path(__file__).parents[2] / "events").glob("*.json"))]
DOCUMENTED_ACCOUNTS = [event["account"] for event in EVENTS if "account" in event]
# An error or a log never shows the value of an unexpected event.
STRANGE = marked("a value in an event")
MEMBERS = ["trigger", "account", "dry_run", "reason", "rejected_version_id", "replay-name"]
MEMBERS += ["source", "detail", "detail-type", "resources", "time", "name", "labelUpdated"]
API = "https://api.eu.cloud.talend.com"
OUTCOMES = {
    "rotate": {"rotated", "fresh", "unchanged", "superseded", "in_progress", "ignored", "checked"},
    "renew": {"rotated", "superseded", "in_progress", "too_soon", "budget_exhausted"},
}

# With lone surrogates, and numbers that JSON has no form for but Python's parser reads.
texts = st.text(st.characters(codec=None), max_size=40) | st.just("x" * 100_000)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(STRANGE) | st.just(1e999)
names = st.sampled_from(MEMBERS) | texts
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4), max_leaves=12
)


def _nested(depth: int) -> object:
    nested: object = STRANGE
    for _ in range(depth):
        nested = [nested]
    return nested


def _credentials_changed(name: str) -> dict[str, object]:
    """Return what Secrets Manager sends if AWSCURRENT of a secret moves."""
    return {
        "source": "aws.secretsmanager",
        "detail-type": "Secret Label Updated",
        "time": "2026-11-23T22:40:00Z",
        "detail": {"name": name, "labelUpdated": "AWSCURRENT"},
    }


@st.composite
def mutated_events(draw):
    """A documented event, in which members are changed, added and removed, at the top or in its detail."""
    event = json.loads(json.dumps(draw(st.sampled_from(EVENTS))))
    for _ in range(draw(st.integers(0, 3))):
        place = event["detail"] if isinstance(event.get("detail"), dict) and draw(st.booleans()) else event
        name = draw(st.sampled_from([*place, *MEMBERS]))
        if draw(st.booleans()):
            place[name] = draw(anything)
        else:
            place.pop(name, None)
    return event


events = anything | mutated_events() | st.integers(1, 200).map(_nested)


def examples(ci):
    """Try so many of them, the same in every run; in a long run 50 times as many, others each time."""
    return settings(
        max_examples=chosen(ci, 50 * ci),
        deadline=None,
        derandomize=chosen(True, False),
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture(scope="module")
def world():
    with running_world() as world:
        yield world


@pytest.mark.parametrize("function", ["rotate", "renew"])
def test_any_event_is_answered_or_refused_with_nothing_written(world, function):
    """A refusal names what is wrong."""
    seen: Counter[str] = Counter()

    @examples(60)
    @given(event=events)
    @example(event={"trigger": "schedule", "account": "default"})
    @example(event={"trigger": "watchdog", "account": "default"})
    @example(event={"account": "default", "rejected_version_id": "33333333-3333-4333-8333-333333333333"})
    @example(event=_credentials_changed("talend-token/other/app/credentials"))
    @example(event=_credentials_changed("talend-token/default/credentials") | {"replay-name": STRANGE, "id": [STRANGE]})
    @example(event={"detail-type": [], "detail": _nested(100)})
    @example(event={"trigger": [STRANGE]})
    @example(event={"rejected_version_id": [STRANGE]})
    @example(event={"source": {"a": STRANGE}})
    def attack(event):
        case = Case(world, Trigger.MANUAL, State.FRESH)
        # A documented event is about the account that there is.
        if isinstance(event, dict) and event.get("account") in DOCUMENTED_ACCOUNTS:
            event = event | {"account": case.name}
        before = case.sight().version_id
        world.aws.calls.clear()
        problem, refusal = "", None
        try:
            answer = world.invoke(function, event, 60)
        except RotatorError as error:
            problem, refusal = f"{error} {error!r}", type(error)
        else:
            assert answer["outcome"] in OUTCOMES[function]
            seen[answer["outcome"]] += 1
        if refusal is InvalidEvent:
            assert not [name for name in world.aws.calls if "Get" not in name and "Describe" not in name]
            assert case.sight().version_id == before
        reason = event.get("reason") if isinstance(event, dict) else None
        # An error names unknown members, but not their values.
        is_a_name = isinstance(event, dict) and STRANGE in event
        if STRANGE not in str(reason) and not is_a_name:
            assert STRANGE not in problem + world.output.getvalue()
        assert case.is_live()

    attack()
    # Otherwise only refused events were tried.
    assert seen.keys() >= {"rotate": {"rotated", "fresh", "ignored"}, "renew": {"superseded"}}[function]


CREDENTIALS = Credentials("talend-token/any/credentials", "v1", "id", "secret", API)
PARSERS: dict[str, Any] = {
    "credentials": (lambda text: parse_credentials("any/credentials", "v1", Sensitive(text), API), CredentialsError),
    "a token document": (lambda text: TokenDocument.from_json(Sensitive(text)), InvalidTokenDocument),
    "a token response": (
        lambda text: read_token_response(TokenResponse(CREDENTIALS, 0, text.encode(errors="surrogatepass"))),
        InvalidTokenResponse,
    ),
}
members = ("access_token", "token_type", "expires_in", "scope", "issued_at", "expires_at", "api_url", "id", "secret")
nearly_valid = st.fixed_dictionaries({}, optional=dict.fromkeys(members, anything | st.just("Bearer")))


@pytest.mark.parametrize("kind", PARSERS)
@examples(400)
@given(text=texts | (anything | nearly_valid).map(json.dumps) | texts.map(lambda end: f"{STRANGE}{end}"))
def test_any_text_is_valid_or_refused_without_being_shown(kind, text):
    parse, refusal = PARSERS[kind]
    try:
        parse(text)
    except refusal as error:
        assert STRANGE not in f"{error} {error!r}"  # noqa: PT017 (most texts are refused, a few are not)
