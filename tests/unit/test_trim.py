"""`sam build` leaves only the used parts of the libraries; tests/template/test_package.py checks the built package."""

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
import trim

DATA = Path(importlib.util.find_spec("botocore").origin).parent / "data"


@pytest.fixture
def package(tmp_path):
    """A folder with every part that is not used, and the SDK's data of three services."""
    for part in trim.UNUSED:
        path = tmp_path / part
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix:
            path.write_text("unused")
        else:
            path.mkdir()
    for service in ("secretsmanager", "dynamodb", "sqs"):
        shutil.copytree(DATA / service, tmp_path / "botocore" / "data" / service)
    shutil.copy(DATA / "endpoints.json", tmp_path / "botocore" / "data")
    record = tmp_path / "boto3-1.dist-info" / "RECORD"
    record.parent.mkdir()
    record.write_text("../../bin/jp.py,sha256=x,1\nboto3/examples/s3.rst,sha256=y,2\nboto3-1.dist-info/RECORD,,\n")
    trim.main(tmp_path)
    return tmp_path


def test_unused_parts_and_other_services_are_removed(package):
    assert [part for part in trim.UNUSED if (package / part).exists()] == []
    services = {path.name for path in (package / "botocore" / "data").iterdir() if path.is_dir()}
    assert services == trim.OPERATIONS.keys()


@pytest.mark.parametrize(("service", "operations"), trim.OPERATIONS.items())
def test_a_service_keeps_its_latest_model_of_what_is_called(package, service, operations):
    (version,) = (package / "botocore" / "data" / service).iterdir()
    assert version.name == max(path.name for path in (DATA / service).iterdir())
    model = json.loads((version / "service-2.json").read_text())
    assert set(model["operations"]) == set(operations)
    assert "documentation" not in json.dumps(list(model["operations"].values()))
    assert not any("endpointdiscovery" in operation for operation in model["operations"].values())
    names = {path.name for path in version.iterdir()}
    assert names - {"service-2.sdk-extras.json"} == {"service-2.json", "endpoint-rule-set-1.json"}


def test_endpoints_are_those_of_the_services_that_are_called(package):
    endpoints = json.loads((package / "botocore" / "data" / "endpoints.json").read_text())
    assert {name for partition in endpoints["partitions"] for name in partition["services"]} == trim.OPERATIONS.keys()


def test_a_librarys_list_of_files_has_only_those_that_are_left(package):
    """The hash of a script that names the interpreter would differ from machine to machine."""
    assert (package / "boto3-1.dist-info" / "RECORD").read_text() == "boto3-1.dist-info/RECORD,,\n"


def test_a_part_that_is_missing_stops_the_build(tmp_path):
    """A new release of a library is looked at."""
    with pytest.raises(FileNotFoundError):
        trim.main(tmp_path)
