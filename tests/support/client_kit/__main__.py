"""Plays every scenario with a client of your own: `make kit CLIENT="node my-client.mjs"`."""

from __future__ import annotations

import shutil
import sys
from functools import partial

from client_kit.play import SCENARIOS, Consumer, play


def main(command: list[str]) -> int:
    """Print a line for each scenario; returns how many failed."""
    if not command or not shutil.which(command[0]):
        print("name a command that starts your client, such as: make kit CLIENT='node my-client.mjs'", file=sys.stderr)
        return 2
    failed = 0
    for scenario in SCENARIOS:
        problems = play(scenario, partial(Consumer, command))
        print(f"{'FAIL' if problems else 'ok  '}  {scenario['name']}", flush=True)
        for line in [scenario["rule"], *problems] if problems else []:
            print(f"        {line}")
        failed += bool(problems)
    print(f"{len(SCENARIOS) - failed} passed, {failed} failed")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
