"""How each kind of object store is opened: endpoint, region, and whose credentials.

Nothing is asked of the user but what every other tool takes: the environment variables of the cloud's own command, and
for S3 the profiles in ``~/.aws``. Credentials are looked for before the first request, so that none are waited for
that cannot come.
"""

import configparser
import os
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from curate.errors import DISTRIBUTION, InputError, PlanError
from curate.store.objects.endpoint import s3_address

SCHEMES = ("s3", "gs", "az", "http", "https", "hf", "memory")
KNOWN = tuple(f"{scheme}://" for scheme in SCHEMES if scheme != "memory")
WRITABLE = ("s3", "gs", "az", "memory")

_CLIENT = {"timeout": timedelta(seconds=120), "connect_timeout": timedelta(seconds=10)}
_RETRY = {"max_retries": 8, "retry_timeout": timedelta(seconds=120)}
_WELL_KNOWN = "~/.config/gcloud/application_default_credentials.json"
_METADATA_SERVER = ("169.254.169.254", 80)
_AWS_ENVIRONMENT = (
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI",
)  # fmt: skip
_AZURE_ENVIRONMENT = (
    "AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_SAS_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_TOKEN",
    "AZURE_STORAGE_CONNECTION_STRING", "AZURE_CLIENT_SECRET", "AZURE_FEDERATED_TOKEN_FILE", "AZURE_MSI_ENDPOINT",
    "IDENTITY_ENDPOINT", "AZURE_STORAGE_USE_EMULATOR",
)  # fmt: skip
_memory: dict[str, Any] = {}


def opened(root: str) -> Any:
    """The store that holds everything under ``root``, such as ``s3://bucket``.

    Raises:
        PlanError: there are no credentials for it.
        InputError: its address is none.
    """
    scheme, _, name = root.partition("://")
    if not name:
        raise InputError(f"`{root}` names no bucket", hint=f"{scheme}://BUCKET/FOLDER")
    return _OPENERS[scheme](root)


def identity(scheme: str) -> str:
    """Whose credentials are used for a kind of store, as the user would name them."""
    if scheme == "s3":
        if os.environ.get("AWS_ACCESS_KEY_ID"):
            return "AWS_ACCESS_KEY_ID"
        return f"profile `{_profile_name()}` of `{_aws_file('credentials')}`"
    if scheme == "gs":
        return _first(("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY"))
    if scheme == "az":
        return _first(_AZURE_ENVIRONMENT)
    return "HF_TOKEN" if scheme == "hf" else "the server's own"


def missing(root: str) -> PlanError:
    """What to say where a store needs credentials, and neither the user nor the machine has any."""
    said = {
        "s3": (
            f"AWS_ACCESS_KEY_ID is not set, and `{_aws_file('credentials')}` has no profile `{_profile_name()}`",
            "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…   (AWS_SKIP_SIGNATURE=true for a public bucket)",
        ),
        "gs": (
            f"GOOGLE_APPLICATION_CREDENTIALS is not set, and there is no `{_WELL_KNOWN}`",
            "gcloud auth application-default login   (GOOGLE_SKIP_SIGNATURE=true for a public bucket)",
        ),
        "az": (
            "AZURE_STORAGE_ACCOUNT_KEY is not set, nor any other of Azure's credentials",
            "export AZURE_STORAGE_ACCOUNT_KEY=…   (AZURE_SKIP_SIGNATURE=true for a public container)",
        ),
    }
    why, hint = said[root.partition("://")[0]]
    return PlanError(f"`{root}` cannot be opened: {why}", hint=hint)


def _first(names: tuple[str, ...]) -> str:
    return next((name for name in names if os.environ.get(name)), names[0])


def _s3(root: str) -> Any:
    from obstore.store import S3Store

    bucket, profile = root.partition("://")[2], _profile()
    endpoint = s3_address(profile)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or profile.get("region")
    given: dict[str, Any] = {"region": region or "us-east-1"}
    if endpoint:
        given["endpoint"] = endpoint
    if not os.environ.get("AWS_ACCESS_KEY_ID"):
        given |= _s3_credentials(root, profile)
    return S3Store(bucket, **given, client_options=_client(endpoint), retry_config=_RETRY)  # type: ignore[arg-type]


def _s3_credentials(root: str, profile: Mapping[str, str]) -> dict[str, Any]:
    """Those of a profile, of the machine, or none for a public bucket."""
    if os.environ.get("AWS_SKIP_SIGNATURE", "").lower() in {"1", "true", "yes"}:
        return {"skip_signature": True}
    if key := profile.get("aws_access_key_id"):
        found = {"access_key_id": key, "secret_access_key": profile.get("aws_secret_access_key", "")}
        token = profile.get("aws_session_token")
        return {**found, "session_token": token} if token else found
    if any(os.environ.get(name) for name in _AWS_ENVIRONMENT):
        return {}
    if profile:  # single sign-on, a role to assume: that is boto3's business
        return {"credential_provider": _boto3_provider(root)}
    if not _answers(_METADATA_SERVER):
        raise missing(root)
    return {}


def _boto3_provider(root: str) -> Any:
    try:
        import boto3  # type: ignore[import-untyped,unused-ignore]
        from obstore.auth.boto3 import Boto3CredentialProvider
    except ImportError:
        raise PlanError(
            f"`{root}` cannot be opened: profile `{_profile_name()}` holds no keys, and signing in takes boto3",
            hint=f"pip install '{DISTRIBUTION}[aws]', or: "
            f'eval "$(aws configure export-credentials --profile {_profile_name()} --format env)"',
        ) from None
    return Boto3CredentialProvider(boto3.Session(profile_name=_profile_name()))


def _profile_name() -> str:
    return os.environ.get("AWS_PROFILE") or "default"


def _aws_file(name: str) -> str:
    variable = {"credentials": "AWS_SHARED_CREDENTIALS_FILE", "config": "AWS_CONFIG_FILE"}[name]
    return os.environ.get(variable) or f"~/.aws/{name}"


def _profile() -> Mapping[str, str]:
    """What the two files say of the profile."""
    found: dict[str, str] = {}
    for file, section in (("config", f"profile {_profile_name()}"), ("credentials", _profile_name())):
        parser = configparser.RawConfigParser()
        with suppress(OSError, configparser.Error, UnicodeDecodeError):
            parser.read_string(Path(_aws_file(file)).expanduser().read_text("utf-8"))
        for name in (section, _profile_name()):
            if parser.has_section(name):
                found |= dict(parser.items(name))
                break
    return found


def _gcs(root: str) -> Any:
    from obstore.store import GCSStore

    names = ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT", "GOOGLE_SERVICE_ACCOUNT_KEY",
             "GOOGLE_SERVICE_ACCOUNT_PATH", "GOOGLE_SKIP_SIGNATURE")  # fmt: skip
    if (
        not any(os.environ.get(name) for name in names)
        and not Path(_WELL_KNOWN).expanduser().is_file()
        and not _answers(_METADATA_SERVER)
    ):
        raise missing(root)
    endpoint = os.environ.get("GOOGLE_BASE_URL") or ""
    return GCSStore(root.partition("://")[2], client_options=_client(endpoint), retry_config=_RETRY)  # type: ignore[arg-type]


def _azure(root: str) -> Any:
    from obstore.store import AzureStore

    if not os.environ.get("AZURE_STORAGE_ACCOUNT_NAME") and not os.environ.get("AZURE_STORAGE_USE_EMULATOR"):
        raise PlanError(
            f"`{root}` cannot be opened: AZURE_STORAGE_ACCOUNT_NAME is not set",
            hint="export AZURE_STORAGE_ACCOUNT_NAME=… AZURE_STORAGE_ACCOUNT_KEY=…",
        )
    allowed = any(os.environ.get(name) for name in (*_AZURE_ENVIRONMENT, "AZURE_SKIP_SIGNATURE"))
    if not allowed and not _answers(_METADATA_SERVER):
        raise missing(root)
    endpoint = os.environ.get("AZURE_STORAGE_ENDPOINT") or (
        "http://" if os.environ.get("AZURE_STORAGE_USE_EMULATOR") else ""
    )
    return AzureStore(root.partition("://")[2], client_options=_client(endpoint), retry_config=_RETRY)  # type: ignore[arg-type]


def _http(root: str) -> Any:
    """One file of a server: its whole address is the root, so that whatever follows a `?` travels with it."""
    from obstore.store import HTTPStore

    parts = urlsplit(root)
    address = urlunsplit((parts.scheme, parts.netloc, unquote(parts.path), parts.query, ""))
    return HTTPStore.from_url(address, client_options=_client(root), retry_config=_RETRY)  # type: ignore[arg-type]


def _hub(root: str) -> Any:
    """Files of a data set at one revision, ``hf://datasets/owner/name@commit``."""
    from huggingface_hub import constants, get_token
    from obstore.store import HTTPStore

    name, _, revision = root.removeprefix("hf://").partition("@")
    options = _client(constants.ENDPOINT)
    if token := get_token():
        options["default_headers"] = {"authorization": f"Bearer {token}"}
    address = f"{constants.ENDPOINT}/{name}/resolve/{revision}"
    return HTTPStore.from_url(address, client_options=options, retry_config=_RETRY)  # type: ignore[arg-type]


def _in_memory(root: str) -> Any:
    """Objects of this process, gone with it."""
    from obstore.store import MemoryStore

    return _memory.setdefault(root, MemoryStore())


def _client(endpoint: str) -> Any:
    return {**_CLIENT, "allow_http": endpoint.startswith("http://")}


def _answers(address: tuple[str, int]) -> bool:
    """Whether this is a machine of a cloud, whose own credentials can be asked for."""
    try:
        with socket.create_connection(address, timeout=1):
            return True
    except OSError:
        return False


_OPENERS: dict[str, Callable[[str], Any]] = {
    "s3": _s3,
    "gs": _gcs,
    "az": _azure,
    "http": _http,
    "https": _http,
    "hf": _hub,
    "memory": _in_memory,
}
