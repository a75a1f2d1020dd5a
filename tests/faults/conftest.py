"""A fixture of the search and of the histories."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def quiet() -> Iterator[None]:
    """Drop the client's warnings, which would fill the memory in thousands of outages."""
    logger = logging.getLogger("talend_token")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    yield
    logger.setLevel(level)
