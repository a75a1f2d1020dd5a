"""An invocation collects warnings while a function runs."""

from rotator.domain.invocation import Invocation, Trigger


def test_a_warning_is_noted_once():
    """A run that tries again because the credentials changed may find the same problem twice."""
    invocation = Invocation(Trigger.MANUAL, 0)
    for warning in ("odd", "stale", "odd"):
        invocation.warn(warning)
    assert invocation.warnings == ["odd", "stale"]


def test_publication_gets_the_last_ten_seconds():
    assert Invocation(Trigger.MANUAL, 100).token_deadline == 90
