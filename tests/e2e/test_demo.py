"""`make demo` as a person runs it: to the end, from a second terminal, and killed."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from local_aws.waiting import eventually, is_running

ROOT = Path(__file__).parents[2]


class RunningDemo:
    """The demo as a process of its own."""

    def __init__(self, folder, *options, parent=False, ignored=None):
        self.output = folder / "output"
        environment = dict(os.environ) | {
            "PYTHONPATH": f"{ROOT}/tests:{ROOT}/tests/support:{ROOT}/functions",
            "TMPDIR": str(folder),
        }
        command = " ".join([sys.executable, "-m", "faults.leaks.announced", "demo", *options])
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                # A shell that waits for a command in its background is what `make` is to it.
                ["sh", "-c", f"{command} & wait"] if parent else command.split(),
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=ignored and (lambda: signal.signal(ignored, signal.SIG_IGN)),
            )

    def wait_for(self, text, seconds=400):
        def found():
            assert self.process.poll() is None or text in self.output.read_text(), self.output.read_text()
            return text in self.output.read_text()

        eventually(found, seconds)

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

    def start(*options, **surroundings):
        running.append(RunningDemo(tmp_path, *options, **surroundings))
        return running[-1]

    yield start
    for demo in running:
        if demo.process.poll() is None:
            demo.process.kill()
            demo.process.wait()


def alive(pids):
    return [pid for pid in pids if is_running(pid)]


def test_the_demo_succeeds_stays_up_on_request_and_cleans_up(start, tmp_path):
    # Half as fast as by itself: the other tests that run now cost a rotation more than the seconds it has by itself.
    demo = start("--keep", "--speed", "45")
    demo.wait_for("Ctrl-C takes everything down.")
    said = demo.output.read_text()
    assert "All good" in said, said
    assert said.count("rotate (schedule)") >= 3
    assert "5 of it call the API" in said
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


@pytest.mark.parametrize("victim", ["the demo", "its parent"])
def test_a_killed_demo_takes_its_servers_and_functions_with_it(start, victim):
    demo = start(parent=victim == "its parent")
    demo.wait_for("rotate (manual)")
    started = demo.descendants()
    assert len(started) > 1
    demo.process.kill()
    demo.process.wait()
    eventually(lambda: not alive(started), 30)


def test_a_background_demo_that_ignores_ctrl_c_ends_by_the_signal(start, tmp_path):
    demo = start(ignored=signal.SIGINT)
    demo.wait_for("storing ID:secret")
    started = demo.descendants()
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(30) == 130
    assert alive(started) == []
    assert [path.name for path in tmp_path.iterdir()] == ["output"]
