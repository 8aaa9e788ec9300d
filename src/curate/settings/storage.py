"""The ``[storage]`` section: where object stores are."""

from urllib.parse import urlsplit

from curate.settings.base import Settings


class StorageSettings(Settings, frozen=True):
    """Where object stores are. Nothing here changes a result.

    Example:
        >>> StorageSettings(endpoint="http://127.0.0.1:9000").endpoint
        'http://127.0.0.1:9000'
    """

    endpoint: str = ""
    """Address of the server that `s3://` means; empty: ``AWS_ENDPOINT_URL``, the profile's, or Amazon's."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.endpoint)
        if self.endpoint and (parts.scheme not in {"http", "https"} or not parts.hostname):
            raise ValueError(
                f"`storage.endpoint` must be an address such as `https://minio.example:9000`, but is `{self.endpoint}`"
            )
