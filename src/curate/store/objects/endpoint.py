"""Which server ``s3://`` means, as a setting, a variable or a profile says.

What was typed for this run (``--set``, an argument from Python) comes first, then the variables that every tool for S3
takes, then ``curate.toml``, then the profile in ``~/.aws``: the order of all settings.
"""

import os
from collections.abc import Callable, Mapping
from typing import NamedTuple

VARIABLES = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


class Endpoint(NamedTuple):
    """The address of a server as the settings have it.

    Attributes:
        url: empty where they say nothing.
        was_typed: whether it comes before the variables.
    """

    url: str = ""
    was_typed: bool = False


class _Said:
    """What holds in this process."""

    endpoint: Endpoint | None = None
    look: Callable[[], Endpoint] = Endpoint


_said = _Said()


def endpoint() -> Endpoint:
    """What the settings say in this process."""
    if _said.endpoint is None:
        _said.endpoint = _said.look()
    return _said.endpoint


def say_endpoint(given: Endpoint) -> bool:
    """Have that server meant by ``s3://`` in this process; whether another one was before."""
    before, _said.endpoint = _said.endpoint, given
    return (before or Endpoint()) != given


def look_for_endpoint(look: Callable[[], Endpoint]) -> None:
    """Where to look for the settings if a store is opened before anybody has said them."""
    _said.endpoint, _said.look = None, look


def s3_address(profile: Mapping[str, str]) -> str:
    """The address of the server; empty: Amazon's.

    Args:
        profile: what ``~/.aws`` says.
    """
    url, was_typed = endpoint()
    variable = next((value for name in VARIABLES if (value := os.environ.get(name))), "")
    return (url if was_typed else "") or variable or url or profile.get("endpoint_url", "")
