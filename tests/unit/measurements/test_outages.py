"""An outage costs consumers what docs/how-it-works.md says, by the functions' own code in virtual time."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outages.simulation import (
    OUTAGES_PER_LENGTH,
    SCHEDULE_SECONDS,
    WATCHDOG_SECONDS,
    Clockwork,
    Outage,
    mean_minutes,
    random_outages,
    seconds_without_token,
)

pytestmark = pytest.mark.frames_unwatched

CHARTS = Path(__file__).parents[3] / "docs" / "charts"
TALEND_LIFE = 30 * 60
outages = st.builds(
    Outage,
    starts_at=st.integers(1, SCHEDULE_SECONDS),
    seconds=st.integers(1, 60 * 60),
    watchdog_at=st.integers(0, WATCHDOG_SECONDS - 1),
)


@given(outages)
def test_an_outage_costs_what_it_outlasts_the_old_token_by(outage):
    """The wait for the next look is added: the watchdog's, a tick's, or that of a retry after one minute or three."""
    watchdog = outage.ends_at + (outage.watchdog_at - outage.ends_at) % WATCHDOG_SECONDS
    tick = outage.ends_at + -outage.ends_at % SCHEDULE_SECONDS
    retries = [tick - SCHEDULE_SECONDS + later for later in (60, 180) if tick > SCHEDULE_SECONDS]
    for clockwork, looks in (
        (Clockwork.ORACLE, [outage.ends_at]),
        (Clockwork.WATCHDOG, [watchdog, tick]),
        (Clockwork.LAMBDA_RETRIES, [*(at for at in retries if at >= outage.ends_at), tick]),
    ):
        assert seconds_without_token(outage, clockwork) == max(0, min(looks) - TALEND_LIFE), clockwork


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_chart_says_what_the_simulation_says(theme):
    labels = re.findall(r"<text[^>]*>([^<]+)</text>", (CHARTS / f"outages-{theme}.svg").read_text())
    shown = [outage for outage in random_outages(OUTAGES_PER_LENGTH) if outage.seconds == 20 * 60]
    for clockwork in (Clockwork.LAMBDA_RETRIES, Clockwork.WATCHDOG):
        found = [{clockwork: seconds_without_token(outage, clockwork)} for outage in shown]
        assert f"{mean_minutes(found, clockwork):.0f} minutes" in labels
