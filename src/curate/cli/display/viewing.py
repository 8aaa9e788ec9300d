"""Serving the browser of a run until it is asked to stop."""

import socket
import sys
import threading
import webbrowser

import uvicorn

from curate.errors import CurateError, ExitCode, UserError
from curate.process.stopping import stoppable
from curate.store.files import place
from curate.view.app import app_of, new_token
from curate.view.index import Index

LOOPBACK = "127.0.0.1"


def serve(run: str, *, port: int, open_page: bool) -> int:
    """Serve a run on a port of this machine; prints the address.

    Raises:
        InputError: there is no finished run.
        UserError: the port is taken.
    """
    index, token = Index(place(run)), new_token()
    listener = _listening(port)
    host = f"{LOOPBACK}:{listener.getsockname()[1]}"
    app = app_of(index, token, (host, host.replace(LOOPBACK, "localhost")))
    settings = uvicorn.Config(
        app, log_level="critical", lifespan="off", server_header=False, timeout_graceful_shutdown=0
    )
    server = uvicorn.Server(settings)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="view", daemon=True)
    with stoppable(lambda: CurateError("stopped"), lambda: setattr(server, "should_exit", True)):
        thread.start()
        address = f"http://{host}/{token}/"
        sys.stdout.write(f"{address}\n")
        sys.stdout.flush()
        if open_page:
            webbrowser.open(address)
        while thread.is_alive():
            thread.join(0.2)
    return ExitCode.DONE


def _listening(port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((LOOPBACK, port))
        listener.listen(64)  # whoever reads the address may come before the server does
    except OSError as error:
        listener.close()
        raise UserError(f"port {port} cannot be used: {error.strerror}", hint="--port 0 takes a free one") from error
    return listener
