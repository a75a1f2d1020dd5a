"""Orders the tests, and adds the end of the local AWS's log to the report of a failed test."""

import functools
import os
from pathlib import Path

import pytest
from botocore.loaders import JSONFileLoader, Loader
from hypothesis import HealthCheck, settings

from local_aws import LOGS_VARIABLE

pytest_plugins = ["faults.leaks.plugin"]

# The duration of an example depends on the machine more than on the code.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

TAIL_BYTES = 12_000
COVERING = {"unit", "integration"}
# Folders of files that take a minute or more, and the files that take several.
LONG, LONGEST = ("e2e", "load", "matrix", "search"), ("test_docs", "test_operations")


@pytest.fixture(scope="session", autouse=True)
def lasting_logs(tmp_path_factory):
    """Keep the logs of every local AWS in a folder that pytest keeps after the run."""
    os.environ[LOGS_VARIABLE] = str(tmp_path_factory.mktemp("local-aws"))
    yield
    del os.environ[LOGS_VARIABLE]


@pytest.fixture(scope="session", autouse=True)
def models_read_once():
    """Parse and list botocore's models once a process, because that is most of the time of a new client."""
    read = functools.cache(JSONFileLoader().load_file)
    look_up = Loader.list_available_services
    listed = {}

    def list_services(loader, type_name):
        key = (*loader.search_paths, type_name)
        if key not in listed:
            listed[key] = look_up(loader, type_name)
        return listed[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        patch.setattr(Loader, "list_available_services", list_services)
        yield


def pytest_collection_modifyitems(items):
    """Run what takes longest first, so that no process is left alone with it at the end.

    Unit and integration tests cover the code by themselves. Measuring the others would take a third longer.
    """
    for item in items:
        if not COVERING.intersection(item.path.parts):
            item.add_marker("no_cover")
    items.sort(key=lambda item: (item.path.parent.name not in LONG, item.path.stem not in LONGEST))


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
