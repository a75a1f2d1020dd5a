"""The logs of every local AWS outlive it, and a test that fails shows the end of those that were written meanwhile."""

import os
from pathlib import Path

import pytest

from e2e.sharing import group_of
from local_aws import LOGS_VARIABLE

pytest_plugins = ["faults.leaks.plugin"]

TAIL_BYTES = 12_000
# Folders of files that take minutes.
LONG = ("e2e", "faults")


@pytest.fixture(scope="session", autouse=True)
def lasting_logs(tmp_path_factory):
    """pytest keeps the folders for temporary files of its last runs."""
    os.environ[LOGS_VARIABLE] = str(tmp_path_factory.mktemp("local-aws"))
    yield
    del os.environ[LOGS_VARIABLE]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each process whole files, and the modules that share a deployment to one process."""
    from xdist.scheduler import LoadFileScheduling

    class ByDeployment(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return group_of(super()._split_scope(nodeid))

    return ByDeployment(config, log)


def pytest_collection_modifyitems(items):
    """Run the files that take longest first, so that no process is left alone with one at the end."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call):
    report = yield
    folder = os.environ.get(LOGS_VARIABLE)
    if report.failed and folder:
        for log in sorted(Path(folder).glob("*.log")):
            if log.stat().st_mtime >= call.start:
                end = log.read_bytes()[-TAIL_BYTES:].decode(errors="replace")
                report.sections.append((f"the end of {log}", end))
    return report
