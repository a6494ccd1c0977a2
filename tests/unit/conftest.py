"""Async tests run on asyncio; property tests have no deadline: how quick the machine is proves nothing."""

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("lunaport", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("lunaport")


@pytest.fixture
def anyio_backend() -> str:
    """The event loop."""
    return "asyncio"
