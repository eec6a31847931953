"""What a test needs from the machine: skip with a reason where it is missing, fail where the run was told to require it."""

import os

import pytest


def need(name: str, present: bool, why: str) -> None:
    """Skip the test unless `present`; fail it instead where the comma separated BALEFIRE_REQUIRE names `name`."""
    if present:
        return
    required = {word.strip() for word in os.environ.get("BALEFIRE_REQUIRE", "").split(",")}
    if name in required:
        pytest.fail(f"{name} is required here: {why}")
    pytest.skip(f"{name}: {why}")
