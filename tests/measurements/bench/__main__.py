"""`make bench`: measure the functions and the client beside the alternatives that users have.

Every figure stands beside a floor or a peer of the same run: compare ratios, not times. Servers are on loopback.
Without --quick, the tables in docs/benchmarks.md are written anew for what was measured.

- warm: a call of the client, beside other libraries
- functions: cold starts and warm rotations, beside other handlers
- herd: 500 threads meet an expired token, and a rejected one
"""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import re
import shlex
import sys
import time
from importlib.metadata import version

from demo.deployment import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"
SUBJECTS = ("warm", "functions", "herd")
LIBRARIES = (
    *("boto3", "botocore", "requests", "authlib"),
    *("aws-lambda-powertools", "aws-secretsmanager-caching", "google-auth"),
)


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("subjects", nargs="*", choices=SUBJECTS, help="what to measure (default: all)")
    parser.add_argument("--quick", action="store_true", help="fewer rounds and callers: to see that it runs")
    return parser.parse_args()


def conditions() -> str:
    """Return the command, the versions and the machine of this run."""
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    command = f'make bench ARGS="{shlex.join(sys.argv[1:])}"' if sys.argv[1:] else "make bench"
    interpreter = f"{platform.python_implementation()} {platform.python_version()}"
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    return f"`{command}`, {time.strftime('%Y-%m-%d', time.gmtime())}, {interpreter}, {machine}.\n\n{libraries}.\n"


def main() -> None:
    """Measure the subjects, print their tables, and put them in the page."""
    options = arguments()
    for name in options.subjects or SUBJECTS:
        print(f"measuring: {name}", file=sys.stderr)
        tables = importlib.import_module(f"bench.{name}").run(options.quick)
        text = "\n".join([conditions(), *(table.markdown() for table in tables)])
        print(text, flush=True)
        if not options.quick:
            # Each subject has a mark, and its tables reach to the next one.
            parts = re.split(r"(?=<!-- )", PAGE.read_text())
            mark = f"<!-- `make bench ARGS={name}` writes this. -->\n"
            PAGE.write_text("".join(f"{mark}\n{text}\n" if part.startswith(mark) else part for part in parts))


if __name__ == "__main__":
    main()
