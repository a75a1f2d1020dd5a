"""The witness reports each rule that is broken."""

import dataclasses

import pytest

from faults.invariants import DAY_SECONDS, InvariantBroken, Sight, Witness
from talend_token.document import Sensitive, TokenDocument

NOW = 1_795_472_989.0
GOOD = "good"


def sight(version_id, token=GOOD, *, ends_in=1800, at=NOW, created=()):
    document = TokenDocument(token, "Bearer", int(at), int(at) + ends_in, "https://api.eu.cloud.talend.com")
    return Sight(at, version_id, document.to_json(), created)


@pytest.fixture
def witness():
    witness = Witness(
        refused=lambda token: token == "refused",
        checked=lambda token: token != "unchecked",
        ends=lambda token: NOW - 1 if token == "over" else NOW + 9,
    )
    witness.by_hand(sight("v1"))
    return witness


@pytest.mark.parametrize(
    ("seen", "says"),
    [
        (Sight(NOW, "v2", Sensitive("{}")), "not a complete token document"),
        (Sight(NOW, None, None), "not a complete token document"),
        (sight("v1", "other"), "has another text than before"),
        (dataclasses.replace(sight("v2", "next", ends_in=60, at=NOW - 60), at=NOW), "published expired"),
        (sight("v2", "over"), "published expired"),
        (sight("v2", "unchecked"), "token was not checked"),
        (sight("v2", "refused"), "although its token is refused"),
        (sight("v2", "next", ends_in=1700), "expires before v1, which was valid"),
        (sight("v1", created=[NOW - 1] * 101), "101 versions in 24 hours"),
    ],
)
def test_a_broken_rule_is_named(witness, seen, says):
    with pytest.raises(InvariantBroken, match=says):
        witness.look(seen)


def test_a_second_successor_is_named(witness):
    witness.look(sight("v2", "next"))
    witness.last = sight("v1")
    with pytest.raises(InvariantBroken, match="v1 was replaced by"):
        witness.look(sight("v3", "third"))


def test_a_version_that_was_rolled_back_to_may_have_another_successor(witness):
    witness.look(sight("v2", "next"))
    witness.by_hand(sight("v1"))
    witness.look(sight("v3", "third"))


def test_a_token_that_expires_earlier_needs_a_reason(witness):
    """The reason is a forced rotation, or a published token that is rejected."""
    witness.look(sight("v2", "next", ends_in=60), wanted=True)
    witness.by_hand(sight("v3", "refused"))
    witness.look(sight("v4", "next", ends_in=60))


def test_a_hundred_versions_in_a_day_are_within_the_quota(witness):
    witness.look(sight("v1", created=[NOW - DAY_SECONDS, *[NOW - 1] * 100]))
