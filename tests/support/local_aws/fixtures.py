"""pytest fixtures: a test module says `pytest_plugins = ["local_aws.fixtures"]`."""

from collections.abc import Iterator

import pytest

from local_aws import LocalAWS


@pytest.fixture(scope="session")
def local_aws() -> Iterator[LocalAWS]:
    """One local AWS for the whole run; resources of other tests may be in it."""
    # Half a second for two retries, which AWS spreads over three minutes.
    with LocalAWS(retry_base_seconds=0.15) as aws:
        yield aws
