"""The SDK's models of the services that the functions call, found without looking through those of all others."""

from __future__ import annotations

import boto3
import botocore.session
from botocore.loaders import Loader

SERVICES = ("dynamodb", "events", "secretsmanager")


class _FewServices(Loader):
    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 (botocore's)
        """What there is to choose from: botocore would list the folders of hundreds of services."""
        return [*SERVICES]


def setup_default_session() -> None:
    """Have boto3's default session know these services only: a first client takes two thirds of the time then.

    A session that is there already is kept.
    """
    if boto3.DEFAULT_SESSION is None:
        session = botocore.session.get_session()
        session.register_component("data_loader", _FewServices())
        boto3.setup_default_session(botocore_session=session)
