"""`make charts`: simulates outages of the token endpoint, prints what they cost, and draws it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from outages.drawing import draw
from outages.simulation import TALEND_LIFE_SECONDS, WATCHDOG_SECONDS, Clockwork, Outage, seconds_without_token
from outages.study import LONGEST_MINUTES, Cost, Trial, of_length, random_trials, waits

CHARTS = Path(__file__).parents[3] / "docs" / "charts"
OUTAGES_PER_LENGTH = 100
SEED = 1
OTHER_LIVES_SECONDS = (600, 3600)
_BANDS = ((1, 5), (6, 10), (11, 20), (21, 30), (31, 45), (46, LONGEST_MINUTES))
_NAMED = Outage(starts_at=20 * 60, seconds=20 * 60)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="make charts", description=__doc__)
    parser.add_argument(
        "--outages",
        type=int,
        default=OUTAGES_PER_LENGTH,
        help=f"outages of each length from 1 to {LONGEST_MINUTES} minutes (default {OUTAGES_PER_LENGTH})",
    )
    options = parser.parse_args()
    if options.outages < 1:
        parser.error("--outages must be 1 or more")
    return options


def named_case() -> str:
    """The outage that anybody can check with a pencil."""
    schedule = seconds_without_token(_NAMED, Clockwork.LAMBDA_RETRIES)
    watchdog = [
        seconds_without_token(_NAMED, Clockwork.WATCHDOG, watchdog_at=second) for second in range(WATCHDOG_SECONDS)
    ]
    return (
        "Down from minute 20 to 40 after a rotation. Without a valid token, in minutes and seconds: "
        f"{_clock(schedule)} with the schedule and Lambda's retries, "
        f"{_clock(min(watchdog))} to {_clock(max(watchdog))} with the watchdog, by the second at which it runs."
    )


def _clock(seconds: int) -> str:
    return f"{seconds // 60}:{seconds % 60:02}"


def costs(trials: Sequence[Trial]) -> Iterator[str]:
    """What the outages cost, by their length, as a table in Markdown."""
    yield "| minutes down | outages | schedule and Lambda's retries | schedule and watchdog | no wait at all |"
    yield "|---|---|---|---|---|"
    for shortest, longest in _BANDS:
        some = of_length(trials, range(shortest, longest + 1))
        cells = [
            f"{cost.mean:.1f} / {cost.median:.1f} / {cost.percentile_95:.1f} / {cost.worst:.1f}"
            for cost in (Cost.of(some, clockwork) for clockwork in Clockwork)
        ]
        yield f"| {shortest} to {longest} | {len(some):,} | {' | '.join(cells)} |"


def later(trials: Sequence[Trial]) -> str:
    """How long consumers wait after the token endpoint's return, and how often the watchdog is the later one."""
    schedule, watchdog = (waits(trials, clockwork) for clockwork in (Clockwork.LAMBDA_RETRIES, Clockwork.WATCHDOG))
    behind = [ours - theirs for ours, theirs in zip(watchdog, schedule, strict=True) if ours > theirs]
    return (
        f"Longest wait after the endpoint's return: {_clock(max(schedule))} with the schedule and Lambda's retries, "
        f"{_clock(max(watchdog))} with the watchdog.\n"
        f"In {len(behind):,} of {len(trials):,} outages the watchdog was later than a retry of Lambda's, by "
        f"{_clock(max(behind, default=0))} at the most."
    )


def lives(trials_by_life: dict[int, list[Trial]]) -> Iterator[str]:
    """How the watchdog follows the life that the server grants, as a table in Markdown."""
    yield (
        "| token's life | 50 minutes without an outage: schedule alone | with the watchdog "
        "| outages: longest wait with the watchdog |"
    )
    yield "|---|---|---|---|"
    for life, trials in trials_by_life.items():
        alone, watched = (
            seconds_without_token(None, clockwork, life_seconds=life) / 60
            for clockwork in (Clockwork.LAMBDA_RETRIES, Clockwork.WATCHDOG)
        )
        longest = _clock(max(waits(trials, Clockwork.WATCHDOG)))
        yield f"| {life // 60} min | {alone:g} min | {watched:g} min | {longest} |"


def main() -> None:
    """Simulate, print, draw."""
    per_length = arguments().outages
    talend = random_trials(per_length, SEED)
    # A fifth is enough for the longest wait, which is all that is told of the other lives.
    others = {life: random_trials(max(1, per_length // 5), SEED, life) for life in OTHER_LIVES_SECONDS}
    print(named_case())
    print("\nMinutes without a valid token: mean / median / 95th percentile / worst.\n")
    print(*costs(talend), sep="\n")
    print(f"\n{later(talend)}\n")
    print(*lives({TALEND_LIFE_SECONDS: talend} | others), sep="\n")
    print()
    for path in draw(talend, CHARTS):
        print(f"wrote {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")


if __name__ == "__main__":
    main()
