"""The functions' session finds its services without looking for others."""

import boto3
import botocore.session
import pytest
from botocore.exceptions import UnknownServiceError

from rotator.service_models import SERVICES, setup_default_session


@pytest.fixture
def session(monkeypatch):
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    setup_default_session()
    return boto3.DEFAULT_SESSION


@pytest.mark.parametrize("service", SERVICES)
def test_a_client_is_the_one_that_any_session_makes(session, service):
    ours, usual = (one.client(service, region_name="eu-west-1") for one in (session, boto3.Session()))
    assert ours.meta.service_model.api_version == usual.meta.service_model.api_version
    assert ours.meta.endpoint_url == usual.meta.endpoint_url
    assert ours.meta.service_model.operation_names == usual.meta.service_model.operation_names


def test_other_services_are_not_looked_for(session):
    with pytest.raises(UnknownServiceError):
        session.client("sqs", region_name="eu-west-1")


def test_a_session_that_is_there_is_kept(monkeypatch):
    there = boto3.Session(botocore_session=botocore.session.get_session())
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", there)
    setup_default_session()
    assert boto3.DEFAULT_SESSION is there
