"""`make demo`: run to its end, used from a second terminal, and interrupted."""

import os
import re
import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from local_aws.waiting import PATIENCE_SECONDS, eventually, is_running

ROOT = Path(__file__).parents[2]


class RunningDemo:
    """The demo as another process, maybe with a shell as its parent or with a signal that its parent ignores."""

    def __init__(self, folder, *options, parent=False, ignored=None):
        self.output = folder / "output"
        environment = dict(os.environ) | {
            "PYTHONPATH": f"{ROOT}/tests:{ROOT}/tests/support:{ROOT}/functions",
            "TMPDIR": str(folder),
        }
        command = " ".join([sys.executable, "-m", "faults.leaks.search", "demo", *options])
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                # Like make, the shell waits for the command.
                ["sh", "-c", f"{command} & wait"] if parent else command.split(),
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=ignored and (lambda: signal.signal(ignored, signal.SIG_IGN)),
            )

    def wait_for(self, text):
        def found():
            assert self.process.poll() is None or text in self.output.read_text(), self.output.read_text()
            return text in self.output.read_text()

        try:
            eventually(found, 400)
        except TimeoutError:
            pytest.fail(f"no {text!r} in:\n{self.output.read_text()}")

    def descendants(self):
        """Return the ids of all processes below it."""
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
    with ExitStack() as stack:

        def start(*options, **surroundings):
            demo = RunningDemo(tmp_path, *options, **surroundings)
            stack.enter_context(demo.process)
            stack.callback(demo.process.kill)
            return demo

        yield start


def shapes(text):
    """Return the lines of a demo's screen, whatever its times, versions and counts.

    On a busy machine, a tick that is still under way may publish the first token instead of the event.
    """
    lines = [re.sub(r"rotate \(\w+\) +", "rotate ", line) for line in text.splitlines()]
    return {re.sub(r"\b[0-9a-f]{8}\b|\d+", "0", line).strip() for line in lines}


def test_the_demo_succeeds_stays_up_on_request_and_cleans_up(start, tmp_path):
    # Half the usual speed: a rotation takes longer while other tests run.
    demo = start("--keep", "--speed", "45")
    demo.wait_for("Ctrl-C stops everything.")
    said = demo.output.read_text()
    assert "All good" in said, said
    assert said.count("rotate (schedule)") >= 3
    assert "5 consumers call the API" in said
    assert "expired, refused" in said
    assert "caused 1 renewal" in said
    (shown,) = re.findall(r"```\n(at Talend .*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert shapes(shown) <= shapes(said)
    assert re.search(r"^\$ talend-token status\naccount .*\ndefault  (fresh|stale) ", said, re.MULTILINE)
    # Every JWT begins like this.
    assert "eyJ" not in said

    exports = dict(re.findall(r"^export (\w+)=(.*)$", said, re.MULTILINE))
    exports["PATH"] = exports["PATH"].strip('"').replace("$PATH", os.environ["PATH"])
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    (command,) = re.findall(r"^aws secretsmanager describe-secret .*$", said, re.MULTILINE)
    described = subprocess.run(["sh", "-c", command], env=ours | exports, check=True, capture_output=True, text=True)
    assert "AWSCURRENT" in described.stdout
    for command in re.findall(r"^(?:talend-token|curl -H) .*$", said, re.MULTILINE):
        shown = subprocess.run(["sh", "-c", command], env=ours | exports, check=False, capture_output=True, text=True)
        assert shown.returncode == (1 if "doctor" in command else 0), (command, shown)

    started = demo.descendants()
    assert started
    demo.process.send_signal(signal.SIGINT)
    assert demo.process.wait(PATIENCE_SECONDS) == 0
    assert [pid for pid in started if is_running(pid)] == []
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


@pytest.mark.parametrize("how", ["its parent is killed", "its parent ignores interrupts"])
def test_a_demo_that_deploys_ends_with_all_that_it_started(start, tmp_path, how):
    """A shell starts its background commands so that they ignore interrupts."""
    killed = how == "its parent is killed"
    demo = start(parent=killed, ignored=None if killed else signal.SIGINT)
    demo.wait_for("sam deploy")
    started = demo.descendants()
    assert len(started) > killed
    demo.process.send_signal(signal.SIGKILL if killed else signal.SIGINT)
    assert demo.process.wait(PATIENCE_SECONDS) == (-signal.SIGKILL if killed else 130)
    eventually(lambda: not [pid for pid in started if is_running(pid)])
    if not killed:
        assert [path.name for path in tmp_path.iterdir()] == ["output"]
