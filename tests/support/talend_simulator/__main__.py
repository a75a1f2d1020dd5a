"""The simulator as a process of its own."""

import argparse
import json
import os
import signal
import sys
from typing import NoReturn

from talend_simulator.settings import Settings
from talend_simulator.simulator import TalendSimulator

DESCRIPTION = """\
Simulates Talend Cloud's token endpoint and API on 127.0.0.1. Prints one line of JSON, {"url": "..."}, when it is
ready. Ends on SIGTERM, on SIGINT and at the end of standard input: keep a pipe to it open.
"""
EPILOG = """\
Accounts, faults, revocations, settings and the journal are under {url}/_simulator/. To add an account:
curl -X PUT -d '{"client_secret": "..."}' {url}/_simulator/accounts/{client_id}
"""


def _end(*_: object) -> NoReturn:
    sys.exit(0)


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m talend_simulator",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--port", type=int, default=0, help="0, the default, takes a free one")
    parser.add_argument(
        "--speed", type=float, default=1, help="shortens the life of tokens: 60 makes it 30 seconds (default 1)"
    )
    arguments = parser.parse_args()
    if sys.stdin is None:
        parser.error("standard input is closed, and its end is what ends the simulator: give it a pipe")
    signal.signal(signal.SIGTERM, _end)
    signal.signal(signal.SIGINT, _end)
    try:
        talend = TalendSimulator(port=arguments.port, settings=Settings(speed=arguments.speed))
    except (OSError, OverflowError, ValueError) as error:
        parser.error(str(error))
    with talend:
        print(json.dumps({"url": talend.url}), flush=True)
        # Not sys.stdin: its lock would be held here when a signal ends the process.
        while os.read(0, 4096):
            continue


if __name__ == "__main__":
    main()
