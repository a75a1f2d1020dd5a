"""`make demo` as a person runs it: to the end, from a second terminal, and killed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from e2e.polling import until

ROOT = Path(__file__).parents[2]


class RunningDemo:
    """The demo as a process of its own."""

    def __init__(self, folder, *options):
        self.output = folder / "output"
        environment = dict(os.environ) | {"PYTHONPATH": f"{ROOT}/tests:{ROOT}/functions", "TMPDIR": str(folder)}
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "demo", "--speed", "150", *options],
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_for(self, text, seconds=240):
        def found():
            assert self.process.poll() is None or text in self.output.read_text(), self.output.read_text()
            return text in self.output.read_text()

        until(found, seconds)

    def descendants(self):
        """The process ids of all that it started and that they started."""
        found, new = set(), {self.process.pid}
        while new:
            found |= new
            new = {
                int(child)
                for pid in new
                for children in Path(f"/proc/{pid}/task").glob("*/children")
                for child in children.read_text().split()
            } - found
        return found - {self.process.pid}


@pytest.fixture
def start(tmp_path):
    running = []

    def start(*options):
        running.append(RunningDemo(tmp_path, *options))
        return running[-1]

    yield start
    for demo in running:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()


def alive(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def test_the_demo_ends_well_stays_up_for_a_second_terminal_and_leaves_nothing_behind(start, tmp_path):
    demo = start("--keep")
    demo.wait_for("Ctrl-C takes everything down.")
    said = demo.output.read_text()
    assert "All good" in said
    assert said.count("rotate (schedule)") >= 3
    assert "expired, refused" in said
    assert "cost 1 renewal" in said
    # How every JWT begins.
    assert "eyJ" not in said

    exports = dict(re.findall(r"^export (\w+)=(.*)$", said, re.MULTILINE))
    exports["PATH"] = exports["PATH"].strip('"').replace("$PATH", os.environ["PATH"])
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    (command,) = re.findall(r"^aws secretsmanager describe-secret .*$", said, re.MULTILINE)
    described = subprocess.run(["sh", "-c", command], env=ours | exports, check=True, capture_output=True, text=True)
    assert "AWSCURRENT" in described.stdout

    started = demo.descendants()
    assert started
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 0
    assert alive(started) == []
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_a_killed_demo_takes_its_servers_and_functions_with_it(start):
    demo = start()
    demo.wait_for("rotate (manual)")
    started = demo.descendants()
    assert len(started) > 1
    demo.process.kill()
    demo.process.wait()
    until(lambda: not alive(started), 30)
