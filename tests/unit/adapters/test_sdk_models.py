"""The functions' session finds its services without looking for others, by models that are cut from botocore's."""

from pathlib import Path

import boto3
import botocore.session
import pytest
import trim_models
from botocore.exceptions import UnknownServiceError

from rotator.adapters import sdk_models as service_models
from rotator.adapters.sdk_models import SERVICES, setup_default_session

REGIONS = ("eu-west-1", "us-east-1", "us-gov-west-1", "cn-north-1", "xx-nowhere-1")
OPERATIONS = [(service, name) for service, names in trim_models.OPERATIONS.items() for name in names]


@pytest.fixture(scope="module")
def trimmed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("package") / "models"
    trim_models.main(folder)
    return folder


@pytest.fixture(params=["as packaged", "without a package"])
def session(request, monkeypatch, trimmed):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    if request.param == "as packaged":
        monkeypatch.setattr(service_models, "FOLDER", trimmed)
    setup_default_session()
    return boto3.DEFAULT_SESSION


def both(session, service, region="eu-west-1", **options):
    return [one.client(service, region_name=region, **options) for one in (session, boto3.Session())]


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("service", SERVICES)
def test_a_client_is_of_the_version_and_asks_the_endpoint_that_any_session_would(session, service, region):
    ours, usual = both(session, service, region)
    assert ours.meta.service_model.api_version == usual.meta.service_model.api_version
    assert ours.meta.service_model.metadata == usual.meta.service_model.metadata
    assert ours.meta.endpoint_url == usual.meta.endpoint_url


@pytest.mark.parametrize("variant", ["use_fips_endpoint", "use_dualstack_endpoint"])
@pytest.mark.parametrize("service", SERVICES)
def test_endpoints_of_other_kinds_are_those_of_any_session(session, service, variant):
    config = botocore.config.Config(**{variant: True})
    ours, usual = both(session, service, "us-east-1", config=config)
    assert ours.meta.endpoint_url == usual.meta.endpoint_url


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_what_is_called_is_described_as_botocore_describes_it(session, service, operation):
    ours, usual = (client.meta.service_model.operation_model(operation) for client in both(session, service))
    for way in ("input_shape", "output_shape"):
        assert described(getattr(ours, way)) == described(getattr(usual, way))
    assert [shape.name for shape in ours.error_shapes] == [shape.name for shape in usual.error_shapes]
    assert ours.http == usual.http


def described(shape, above=()):
    """A shape with those that it is made of; attribute values of DynamoDB are made of attribute values."""
    if shape is None or shape.name in above:
        return shape and shape.name
    inner = [*getattr(shape, "members", {}).items()]
    inner += [(name, getattr(shape, name)) for name in ("member", "key", "value") if hasattr(shape, name)]
    parts = {name: described(part, (*above, shape.name)) for name, part in inner}
    return shape.name, shape.type_name, dict(shape.serialization), shape.metadata, parts


def test_each_service_that_is_known_is_packaged():
    assert trim_models.OPERATIONS.keys() == set(SERVICES)


def test_other_services_are_not_looked_for(session):
    with pytest.raises(UnknownServiceError):
        session.client("sqs", region_name="eu-west-1")


def test_a_session_that_is_there_is_kept(monkeypatch):
    there = boto3.Session(botocore_session=botocore.session.get_session())
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", there)
    setup_default_session()
    assert boto3.DEFAULT_SESSION is there


def test_models_are_a_fraction_of_what_botocore_would_read(trimmed):
    everything = sum(path.stat().st_size for path in trimmed.rglob("*.json"))
    endpoints = Path(botocore.loaders.Loader.BUILTIN_DATA_PATH, "endpoints.json")
    assert everything < endpoints.stat().st_size / 10
