"""The SDK's models of the services that the functions call, without those of all others.

`sam build` puts what is needed of them beside the code (`packaging/trim_models.py`); where that is not so, or a later
SDK wants more, the runtime's own are used.
"""

from __future__ import annotations

from pathlib import Path

import boto3
import botocore.session
from botocore.loaders import Loader

SERVICES = ("dynamodb", "secretsmanager")
FOLDER = Path(__file__).parents[1] / "models"


class _OurModelsFirst(Loader):
    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 (botocore's)
        """What there is to choose from: botocore would list the folders of hundreds of services."""
        return [*SERVICES]

    def is_builtin_path(self, path: str) -> bool:  # noqa: ARG002 (botocore's)
        """Endpoints of somebody's own would take precedence over the services' rules; ours are botocore's."""
        return True


def setup_default_session() -> None:
    """Have boto3's default session read these models: a first client takes a third of the time then.

    A session that is there already is kept.
    """
    if boto3.DEFAULT_SESSION is None:
        session = botocore.session.get_session()
        session.register_component("data_loader", _OurModelsFirst(extra_search_paths=[str(FOLDER)]))
        boto3.setup_default_session(botocore_session=session)
