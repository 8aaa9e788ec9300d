"""The pages, served to this machine alone, to whoever has the token, and read-only but for marks.

Documents are hostile by assumption. Templates escape them and show hidden characters; the policy of each page forbids
every script and style but our own; nothing is fetched from elsewhere. The token in the address keeps other programs and
pages of other sites away, and so does the check of the host, which another name for this machine
does not pass.
"""

import base64
import hashlib
import secrets
from collections.abc import Awaitable, Callable
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow as pa
from markupsafe import Markup
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from curate.errors import CurateError, DamagedFile
from curate.store.life import life_at
from curate.view.index import NEAREST, Index, Query
from curate.view.marks import RIGHT, WRONG, Mark, Marks
from curate.view.moved import moved
from curate.view.pages import ON_A_PAGE, Link, document, listed, rows_of, settings_of, templates

_FORM_BYTES = 10_000


def new_token() -> str:
    """What nobody can guess."""
    return secrets.token_urlsafe(24)


def app_of(index: Index, token: str, hosts: tuple[str, ...]) -> Starlette:
    """The application.

    Args:
        index: of the run.
        token: first piece of every path.
        hosts: values of the header ``Host`` that are answered.
    """
    view = _View(index, token)

    def guarded(page: Callable[[Request], Response]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            known = secrets.compare_digest(request.path_params["token"].encode(), token.encode())
            if request.headers.get("host", "") not in hosts or not known:
                return _headed(PlainTextResponse("not found", 404))
            if request.method == "POST":
                if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
                    return _headed(PlainTextResponse("not from here", 403))
                if int(request.headers.get("content-length") or _FORM_BYTES + 1) > _FORM_BYTES:
                    return _headed(PlainTextResponse("too long", 413))
                await request.body()
            try:
                return _headed(await run_in_threadpool(page, request))
            except CurateError as error:
                return _headed(view.wrong(error, 400))
            except (OSError, pa.ArrowException) as error:
                changed = DamagedFile(f"the run has changed since it was opened ({error})", hint="open it again")
                return _headed(view.wrong(changed, 500))

        return endpoint

    app = Starlette(
        routes=[
            Route("/{token}", guarded(view.list)),
            Route("/{token}/", guarded(view.list)),
            Route("/{token}/document/{row:int}", guarded(view.document)),
            Route("/{token}/whatif", guarded(view.whatif)),
            Route("/{token}/marks", guarded(view.marks)),
            Route("/{token}/mark/{row:int}", guarded(view.mark), methods=["POST"]),
        ]
    )
    app.router.redirect_slashes = False  # it would send whoever asks to the host that the request names
    return app


class _View:
    def __init__(self, index: Index, token: str) -> None:
        self.index, self.base, self._marks = index, f"/{token}", Marks(index.run)

    def page(self, name: str, link: Link, status: int = 200, **known: Any) -> HTMLResponse:
        """A template with what all pages know."""
        style, script = (Markup(_asset(name)) for name in ("view.css", "view.js"))  # noqa: S704  (our own files)
        shared = {"link": link, "run": self.index.manifest, "style": style, "script": script}
        return HTMLResponse(templates().get_template(name).render(**shared, **known), status)

    def wrong(self, error: CurateError, status: int) -> HTMLResponse:
        """What is said in place of a page."""
        return self.page("error.html.j2", Link(self.base, Query()), status=status, error=error)

    def list(self, request: Request) -> Response:
        """Documents that answer a query, with facets."""
        query, text = query_of(request), request.query_params.get("q", "")
        rows, start = self.index.rows(query), _whole(request.query_params.get("start"))
        if text:
            found, after = self.index.search(rows, text, start, ON_A_PAGE)
        else:
            found, after = [int(row) for row in rows[start : start + ON_A_PAGE]], start + ON_A_PAGE
        return self.page(
            "list.html.j2",
            Link(self.base, query, text),
            query=query,
            text=text,
            documents=listed(self.index, self._marks, found, query.measure),
            total=len(rows),
            nearest=query.near is not None and len(rows) == NEAREST,
            start=start,
            after=after if after < len(rows) else None,
            before=max(0, start - ON_A_PAGE) if start and not text else None,
            facets=self.index.facets(query),
            measures=self.index.measures,
            limits=self.index.limits.get(query.measure, []),
        )

    def document(self, request: Request) -> Response:
        """One document, and its neighbours in the query that it was found by."""
        row, query = int(request.path_params["row"]), query_of(request)
        if row >= self.index.judgments.rows:
            return PlainTextResponse("not found", 404)
        rows, text = self.index.rows(query), request.query_params.get("q", "")
        at = _whole(request.query_params.get("at"))
        at = at if at < len(rows) and rows[at] == row else int((rows == row).argmax()) if len(rows) else 0
        before = int(rows[at - 1]) if at > 0 and rows[at] == row else None
        after = int(rows[at + 1]) if at + 1 < len(rows) and rows[at] == row else None
        return self.page(
            "document.html.j2",
            Link(self.base, query, text),
            one=document(self.index, self._marks, row),
            at=at,
            total=len(rows),
            before=before,
            after=after,
        )

    def whatif(self, request: Request) -> Response:
        """What moved thresholds would do."""
        settings = settings_of(self.index)
        asked = {name: request.query_params.get(name, "").strip() for name, _ in settings}
        changed = [f"{name}={asked[name]}" for name, limit in settings if asked[name] and asked[name] != f"{limit:g}"]
        found = moved(self.index, changed, ON_A_PAGE // 4) if changed else None
        rows = rows_of(self.index, found) if found else []
        shown = {one.row: one for one in listed(self.index, self._marks, rows, "")} if rows else {}
        return self.page(
            "whatif.html.j2",
            Link(self.base, Query()),
            settings=[(name, asked[name] or f"{limit:g}", f"{limit:g}") for name, limit in settings],
            found=found,
            examples=list(zip(found.examples, [shown[row] for row in rows], strict=True)) if found else [],
            command=" ".join(f"--set {one}" for one in changed),
        )

    def marks(self, _request: Request) -> Response:
        """What the marks say of each rule."""
        rules = self._marks.precisions()
        return self.page("marks.html.j2", Link(self.base, Query()), rules=rules, number=len(self._marks))

    def mark(self, request: Request) -> Response:
        """Keep a mark, then show the next document."""
        row = int(request.path_params["row"])
        mark = request.query_params.get("mark", "")
        if row >= self.index.judgments.rows or mark not in ("", RIGHT, WRONG):
            return PlainTextResponse("not found", 404)
        part, inside = self.index.judgments.place(row)
        life = life_at(self.index.directory, self.index.manifest, (part, inside))
        reasons = tuple(f"{verdict.stage}.{code}" for verdict in life.verdicts for code in verdict.reasons or ())
        id_, source = (life.document[name] or "" for name in ("id", "source"))
        self._marks.set(Mark(self.index.directory.names[part], inside, id_, source, reasons, mark))
        link = Link(self.base, query_of(request), request.query_params.get("q", ""))
        return RedirectResponse(link(f"document/{row}", at=request.query_params.get("at", "")), 303)


def query_of(request: Request) -> Query:
    """The query in an address; numbers that are none are ignored."""
    asked = request.query_params
    numbers = {name: _number(asked.get(name, "")) for name in ("least", "most", "near")}
    texts = {name: asked.get(name, "") for name in ("outcome", "reason", "source", "language", "measure")}
    return Query(**texts, **numbers)  # type: ignore[arg-type]


def _number(text: str) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _whole(text: str | None) -> int:
    return int(text) if text and text.isdigit() and len(text) < 12 else 0


@cache
def _asset(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8").strip()


@cache
def _policy() -> str:
    style, script = (
        base64.b64encode(hashlib.sha256(_asset(name).encode()).digest()).decode() for name in ("view.css", "view.js")
    )
    return (
        f"default-src 'none'; style-src 'sha256-{style}'; script-src 'sha256-{script}'; form-action 'self';"
        " base-uri 'none'; frame-ancestors 'none'"
    )


def _headed(response: Response) -> Response:
    response.headers.update(
        {
            "Content-Security-Policy": _policy(),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
    )
    return response
