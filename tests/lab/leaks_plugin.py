"""A pytest plugin: every test of the suite fails at its end if a piece of a marked secret has come out of anything.

What is looked at: see `lab.leaks_frames` (exceptions, return values), `lab.leaks_outlets` (output, logs, metrics, what
is sent, what the local AWS remembers), and here the files that tests leave.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from lab.leaks import Leak, Marks
from lab.leaks_announced import FILE_VARIABLE
from lab.leaks_frames import Watch
from lab.leaks_outlets import listen, tap

_NAME = "nothing-leaks"
ROOT = Path(__file__).resolve().parents[2]
# Texts wait until their test ends; these many characters are not waited with.
_PATIENCE = 4_000_000
# Programs and archives of other people's code are larger.
_LARGEST_FILE = 2_000_000


class Search:
    """Texts in which pieces of secrets are looked for, and where they were found."""

    def __init__(self, marks: Marks) -> None:
        self.marks = marks
        self.leaks: set[Leak] = set()
        self.texts = 0
        self.characters = 0
        self._lock = threading.Lock()
        self._waiting: dict[str, str] = {}
        self._size = 0

    def tell(self, where: str, text: str) -> None:
        """Search this text soon."""
        with self._lock:
            if text not in self._waiting:
                self._waiting[text] = where
                self.texts += 1
                self._size += len(text)
            late = self._size > _PATIENCE
        if late:
            self.catch_up()

    def catch_up(self) -> None:
        """Search everything that is waiting."""
        with self._lock:
            waiting, self._waiting = self._waiting, {}
            self.characters += self._size
            self._size = 0
        # Together at first: there is hardly ever anything to be found.
        if waiting and self.marks.forms_in("\n".join(waiting)):
            for text, where in waiting.items():
                self.leaks |= {Leak(where, form) for form in self.marks.forms_in(text)}

    def taken(self) -> list[Leak]:
        """What was found since the last time."""
        self.catch_up()
        leaks, self.leaks = self.leaks, set()
        return sorted(leaks, key=str)


class NothingLeaks:
    """The plugin."""

    def __init__(self) -> None:
        self.marks = Marks()
        # A password that tests make up where any will do.
        self.marks.add_word("hunter2")
        self.search = Search(self.marks)
        self.watch = Watch(self.search.tell)
        self._taps = pytest.MonkeyPatch()
        self._announced = 0

    def start(self) -> None:
        """Look from now on."""
        listen(self.marks, self.search.tell)
        tap(self._taps, self.search.tell)
        self.watch.start()

    def stop(self) -> None:
        """Look no longer."""
        self.watch.stop()
        self._taps.undo()

    @pytest.fixture(scope="session", autouse=True)
    def files_that_are_left(self, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        """Search, at the end of it all, the folders of tests and what `sam build` has left."""
        announced = tmp_path_factory.mktemp("announced") / "secrets"
        os.environ[FILE_VARIABLE] = str(announced)
        yield
        self._hear_announced()
        for folder in (tmp_path_factory.getbasetemp(), ROOT / ".aws-sam"):
            for path in sorted(folder.rglob("*")):
                if path != announced and path.is_file() and path.stat().st_size <= _LARGEST_FILE:
                    self.search.tell(f"the file {path}", path.read_bytes().decode("latin-1"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        if report.when != "teardown":
            return report
        self._hear_announced()
        for name, text in report.sections:
            self.search.tell(name, text)
        leaks = self.search.taken()
        failures, self.watch.failures = self.watch.failures, []
        if leaks or failures:
            report.outcome = "failed"
            report.sections = [(name, self.marks.clean(text)) for name, text in report.sections]
            lines = [f"{item.nodeid} has let a secret out:", *map(str, leaks), *failures, str(report.longrepr or "")]
            report.longrepr = self.marks.clean("\n".join(lines))
        return report

    def _hear_announced(self) -> None:
        path = Path(os.environ.get(FILE_VARIABLE, os.devnull))
        if path.is_file():
            lines = path.read_text().splitlines()
            for secret in lines[self._announced :]:
                self.marks.add(secret)
            self._announced = len(lines)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say how much that was."""
        terminalreporter.write_line(
            f"nothing leaks: {self.marks.minted} secrets looked for in {self.search.characters} characters of "
            f"{self.search.texts} texts, {self.watch.exceptions} exceptions and {self.watch.returned} return values "
            "among them"
        )


def pytest_configure(config: pytest.Config) -> None:
    """Called by pytest."""
    plugin = NothingLeaks()
    plugin.start()
    config.pluginmanager.register(plugin, _NAME)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Called by pytest."""
    plugin: NothingLeaks = config.pluginmanager.unregister(name=_NAME)
    plugin.stop()
