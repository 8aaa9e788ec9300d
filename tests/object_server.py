"""Servers for tests: a real S3 server in a process of its own, a web server, a proxy that has faults."""

import contextlib
import http.client
import http.server
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator

import xxhash


@contextlib.contextmanager
def s3_server(*buckets: str) -> Iterator[str]:
    """The address of a moto server that holds these empty buckets."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{address}/moto-api/", timeout=5).close()
                break
            time.sleep(0.1)
        for bucket in buckets:
            urllib.request.urlopen(urllib.request.Request(f"{address}/{bucket}", method="PUT"), timeout=30).close()
        yield address
    finally:
        process.kill()
        process.wait()


def credentials(address: str) -> dict[str, str]:
    """The environment in which clients use it."""
    names = {"AWS_ENDPOINT_URL": address, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    return {**os.environ, **names, "AWS_REGION": "us-east-1"}


@contextlib.contextmanager
def web_server(files: dict[str, bytes], *, ranges: bool = True, tags: bool = True) -> Iterator["Web"]:
    """A server of files by their paths."""
    web = Web(files, ranges=ranges, tags=tags)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            path = urllib.parse.unquote(self.path.partition("?")[0])
            web.answer(self, path, self.headers.get("range"))

        def log_message(self, *_):
            pass

    with _served(Handler) as address:
        web.address = address
        yield web


class Web:
    """What a web server holds, and what was asked of it."""

    def __init__(self, files, *, ranges, tags):
        self.files, self.ranges, self.tags = files, ranges, tags
        self.asked: list[tuple[str, str]] = []
        self.address = ""

    def answer(self, request, path, wanted):
        self.asked.append((request.command, self_path := request.path))
        data = self.files.get(path)
        if data is None:
            request.send_response(404)
            request.send_header("content-length", "0")
            request.end_headers()
            return
        if callable(data):
            data = data(self_path)
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", wanted or "") if self.ranges else None
        start, stop = (int(match[1]), min(int(match[2] or 1 << 60) + 1, len(data))) if match else (0, len(data))
        request.send_response(206 if match else 200)
        if match:
            request.send_header("content-range", f"bytes {start}-{stop - 1}/{len(data)}")
        if self.tags:
            request.send_header("etag", f'"{xxhash.xxh3_64_hexdigest(data)}"')
        request.send_header("content-length", str(stop - start))
        request.end_headers()
        if request.command == "GET":
            request.wfile.write(data[start:stop])


@contextlib.contextmanager
def faulty_proxy(address: str, faults: list[str]) -> Iterator[str]:
    """A proxy that does to each request that reads or writes an object the next of ``faults``.

    ``cut`` breaks the connection off in the middle of the answer, ``503`` says so, ``slow`` takes half a second,
    ``reset`` takes the request and says nothing, ``expired`` says that of the credentials.
    """
    host = address.removeprefix("http://")

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def forward(self):
            size = int(self.headers.get("content-length") or 0)
            body = self.rfile.read(size)
            fault = faults.pop(0) if faults and self.command in {"GET", "PUT", "POST"} else ""
            if fault == "reset":
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault in {"503", "expired"}:
                said = b"<Error><Code>ExpiredToken</Code></Error>" if fault == "expired" else b""
                self.send_response(403 if fault == "expired" else 503)
                self.send_header("content-length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)
                return
            if fault == "slow":
                time.sleep(0.5)
            upstream = http.client.HTTPConnection(host, timeout=60)
            upstream.request(self.command, self.path, body, dict(self.headers))
            answer = upstream.getresponse()
            data = answer.read()
            upstream.close()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in {"transfer-encoding", "connection", "content-length"}:
                    self.send_header(name, value)
            length = answer.getheader("content-length") if self.command == "HEAD" else str(len(data))
            self.send_header("content-length", length or "0")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data[: len(data) // 2] if fault == "cut" else data)
            if fault == "cut":
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = forward  # noqa: N815

        def log_message(self, *_):
            pass

    with _served(Handler) as own:
        yield own


@contextlib.contextmanager
def _served(handler) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
