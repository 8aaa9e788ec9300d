"""WARC, WET and HTML files: what is a document, what is passed over, and damage that costs itself."""

import gzip
import io
import json
import zlib
from pathlib import Path

import pytest
import zstandard
from fastwarc.warc import ArchiveIterator
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from any_format import damages, read
from curate.cli.session import Session
from curate.errors import InputError
from thorough import settings

PAGE = "<!doctype html><html lang=fr><title>Île</title><p>Le bateau part à six heures, numéro {}.</p></html>"


def warc(kind: str, content: bytes, number: int = 0, length: int | None = None, **headers: str) -> bytes:
    """One record; `headers` have underscores for hyphens."""
    fields = {
        "WARC-Type": kind,
        "WARC-Record-ID": f"<urn:uuid:{number:08}>",
        "WARC-Target-URI": f"https://e.org/{number}",
        "WARC-Date": "2026-11-30T00:00:00Z",
        "Content-Length": str(len(content) if length is None else length),
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items() if value)
    return b"WARC/1.1\r\n" + lines.encode() + b"\r\n" + content + b"\r\n\r\n"


def response(body: bytes, number: int = 0, status: str = "200 OK", http: str = "", **headers: str) -> bytes:
    http = http or "Content-Type: text/html; charset=utf-8"
    content = f"HTTP/1.1 {status}\r\n{http}\r\n\r\n".encode() + body
    return warc("response", content, number, **{"Content_Type": "application/http; msgtype=response", **headers})


def page(number: int) -> bytes:
    return response(PAGE.format(number).encode(), number)


def packed(records: list[bytes], suffix: str) -> bytes:
    if suffix == ".warc.gz":
        return b"".join(gzip.compress(record, mtime=0) for record in records)
    return (
        zstandard.ZstdCompressor(write_checksum=True).compress(b"".join(records))
        if suffix == ".warc.zst"
        else b"".join(records)
    )


def folder(tmp_path: Path, *records: bytes) -> Path:
    (tmp_path / "a.warc").write_bytes(b"".join(records))
    return tmp_path


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz", ".warc.zst"])
def test_pages_in_order_whatever_the_parts(suffix, tmp_path):
    records = [page(n) if n % 3 else warc("request", b"GET / HTTP/1.1\r\n\r\n", n) for n in range(6_000)]
    path = tmp_path / f"a{suffix}"
    path.write_bytes(packed(records, suffix))
    whole, cut = read([path]), read([path], chunk_bytes=7_000, part_bytes=200_000)
    assert [one["id"] for one in whole.documents] == [f"urn:uuid:{n:08}" for n in range(6_000) if n % 3]
    assert {one["reason"] for one in whole.quarantined} == {"other_record"}
    assert sum(one["lost_documents"] for one in whole.quarantined) == 0
    assert [{**one, "part": 0} for one in cut.documents] == [{**one, "part": 0} for one in whole.documents]
    assert cut.quarantined == whole.quarantined
    assert cut.parts > 1 or suffix == ".warc.zst"
    oracle = [r.record_id for r in ArchiveIterator(io.BytesIO(path.read_bytes())) if r.http_content_type == "text/html"]
    assert [one["id"] for one in whole.documents] == [identity.strip("<>") for identity in oracle]


def test_what_a_record_says_is_kept(tmp_path):
    body = PAGE.format(7).encode("iso-8859-1")
    headers = {"WARC_Truncated": "length", "WARC_Payload_Digest": "sha1:X"}
    (found,) = read([folder(tmp_path, response(body, 7, http="Content-Type: text/html; charset=latin-1", **headers))])[
        0
    ]
    assert found["text"] == PAGE.format(7)
    assert (found["id"], found["origin"]["position"]) == ("urn:uuid:00000007", 1)
    assert json.loads(found["metadata"]) == {
        "title": "Île", "language": "fr", "url": "https://e.org/7", "date": "2026-11-30T00:00:00Z", "digest": "sha1:X",
        "truncated": "length", "content_type": "text/html", "encoding": "windows-1252",
    }  # fmt: skip


TEXT = PAGE.format(1).encode()
GZIPPED, CHUNKED = gzip.compress(TEXT), b"%x\r\n%s\r\n0\r\n\r\n" % (len(TEXT), TEXT)


@pytest.mark.parametrize(
    ("body", "http"),
    [
        (GZIPPED, "Content-Type: text/html\r\nContent-Encoding: gzip"),
        (zlib.compress(TEXT), "Content-Type: text/html\r\nContent-Encoding: deflate"),
        (CHUNKED, "Content-Type: text/html\r\nTransfer-Encoding: chunked"),
        (b"%x\r\n%s\r\n0\r\n\r\n" % (len(GZIPPED), GZIPPED), "Transfer-Encoding: chunked\r\nContent-Encoding: gzip"),
        (TEXT, "Content-Type: text/html\r\nTransfer-Encoding: chunked"),
        (TEXT, "Content-Type: text/html\r\nContent-Encoding: gzip"),
        (GZIPPED, "Content-Type: text/html\r\nTransfer-Encoding: chunked\r\nContent-Encoding: gzip"),
        (TEXT, "X-No-Type: at all"),
        (TEXT, "Content-Type: application/octet-stream"),
        (TEXT, "Content-Type: TEXT/HTML;charset=no-such-thing"),
    ],
)
def test_bodies_are_read_as_they_are_whatever_their_header_says(body, http, tmp_path):
    found = read([folder(tmp_path, response(body, http=http))])
    assert found.texts == [PAGE.format(1)], found.quarantined


@pytest.mark.parametrize(
    ("record", "reason", "lost"),
    [
        (warc("revisit", b""), "revisit", 0),
        (warc("", b"x"), "other_record", 0),
        (warc("warcinfo", b"software: x\r\n"), "other_record", 0),
        (response(b"<html>", status="404 Not Found"), "no_success", 0),
        (response(b"\x89PNG", http="Content-Type: image/png"), "not_text", 0),
        (response(b"{}", http="Content-Type: application/json"), "not_text", 0),
        (response(b""), "not_text", 0),
        (response(GZIPPED[:20] + bytes(20) + GZIPPED[40:], http="Content-Encoding: gzip"), "bad_record", 1),
        (response(bytes(range(256)) * 20), "undecodable", 1),
        (warc("response", b"no http", Content_Type="application/http"), "no_success", 0),
        (warc("response", PAGE.encode(), length=20), "bad_record", 1),
        (warc("response", PAGE.encode(), length=700), "bad_record", 1),
        (warc("response", PAGE.encode(), length=10**15), "document_too_large", 1),
        (warc("response", PAGE.encode(), Content_Length="many"), "bad_record", 1),
        (warc("request", b"GET /", length=30), "bad_record", 0),
        (b"no record at all\r\n\r\n", "bad_record", 1),
    ],
)
def test_a_record_that_is_no_page_costs_itself(record, reason, lost, tmp_path):
    found = read([folder(tmp_path, page(1), record, page(2))])
    assert found.texts == [PAGE.format(1), PAGE.format(2)]
    assert [(one["reason"], one["lost_documents"], one["position"]) for one in found.quarantined] == [(reason, lost, 2)]


@pytest.mark.parametrize("chunked", [False, True])
def test_names_of_headers_in_any_case_and_values_over_several_lines(chunked, tmp_path):
    body = PAGE.format(7).encode("iso-8859-1")
    http = "content-TYPE : text/html;\r\n charset=iso-8859-1" + "\r\nTRANSFER-encoding: chunked" * chunked
    sent = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if chunked else body
    head, _, rest = response(sent, http=http, Content_Type="Application/HTTP ;msgtype=response").partition(b"\r\n\r\n")
    [document] = read([folder(tmp_path, head.lower().replace(b"warc/", b"WARC/"), b"\r\n\r\n", rest)]).documents
    assert document["text"] == PAGE.format(7)
    assert json.loads(document["metadata"])["encoding"] == "windows-1252"


def test_a_body_that_unpacks_to_very_much_is_refused(tmp_path):
    bomb = gzip.compress(b"\0" * 50_000_000)
    found = read([folder(tmp_path, response(bomb, http="Content-Encoding: gzip"), page(2))], max_document_bytes=100_000)
    assert found.texts == [PAGE.format(2)]
    assert found.reasons == ["document_too_large"]


def test_wet_files_and_names_that_say_something_else(tmp_path):
    text = "Le bateau part à six heures.\n"
    record = warc("conversion", text.encode(), 3, Content_Type="text/plain", WARC_Identified_Content_Language="fra")
    (tmp_path / "a.warc.wet.gz").write_bytes(gzip.compress(record))
    (tmp_path / "b.txt").write_bytes(page(4))
    found = read([tmp_path])
    assert found.texts == [text, PAGE.format(4)]
    assert json.loads(found.documents[0]["metadata"])["language"] == "fra"
    assert found.formats == {"a.warc.wet.gz": "warc", "b.txt": "warc"}


@pytest.mark.parametrize("hit", [0, 1, 5, 17, 29])
def test_a_damaged_gzip_member_costs_itself(hit, tmp_path):
    members = [gzip.compress(page(n), mtime=0) for n in range(30)]
    members[hit] = members[hit][:-12] + bytes([members[hit][-12] ^ 0xFF]) + members[hit][-11:]
    (tmp_path / "a.warc.gz").write_bytes(b"".join(members))
    found = read([tmp_path])
    assert [one["id"] for one in found.documents] == [f"urn:uuid:{n:08}" for n in range(30) if n != hit]
    assert found.reasons in (["corrupt_file"], ["truncated_file"])


@pytest.mark.parametrize("suffix", [".warc", ".warc.gz", ".warc.zst"])
@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(places=st.lists(st.integers(0, 10**6), min_size=1, max_size=3))
def test_damage_anywhere_costs_little_and_is_told(suffix, places, tmp_path):
    path, known = tmp_path / f"a{suffix}", {PAGE.format(n) for n in range(40)}
    for data in damages(packed([page(n) for n in range(40)], suffix), places):
        path.write_bytes(data)
        try:
            found = read([path])
        except InputError:  # nothing was left of it
            assert len(data) < 300
            continue
        right = sum(text in known for text in found.texts)
        assert right >= len(found.texts) - 1
        if suffix == ".warc" and len(found.texts) < 40:  # a file that ends where a record does is whole
            assert found.quarantined or data.rstrip().endswith(b"</html>")
        assert len(found.texts) <= 41


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.sampled_from(["a.warc", "a.wet", "a.html", "a.warc.gz"]),
    data=st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from(
                [b"WARC/1.0\r\n", b"WARC-Type: response\r\n", b"Content-Length: 9\r\n", b"\r\n\r\n", b"\n"]
            ),
            st.sampled_from([b"HTTP/1.1 200\r\n\r\n", b"<!doctype html>", page(1), gzip.compress(page(2))]),
        ),
        min_size=1,
        max_size=12,
    ).map(b"".join),
)
def test_any_bytes_give_documents_and_entries(name, data, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    try:
        found = read([path])
    except InputError:
        assert not data.strip() or name == "a.warc.gz"
        return
    assert found.documents or found.quarantined or found.skipped or not data.strip()


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        ("\ufeff<p>é".encode("utf-16"), "utf-16-le"),
        (b"<meta charset=koi8-r><p>\xf0\xd2\xc9\xd7\xc5\xd4", "koi8-r"),
        ("<p>é".encode(), None),
        (b"<meta charset=utf-8><p>" + "Größe überall ".encode("latin-1") * 20, "windows-1252"),
        (b'<?xml version="1.0" encoding="iso-8859-2"?><html><p>\xb1', "iso8859-2"),
        (b"<meta charset=latin-1><p>\x93so\x94", "windows-1252"),
        ("<meta charset=undefined><p>é".encode(), None),
        ("<meta charset=unicode_escape><p>é \\d".encode(), None),
        ("<meta charset=utf-16><p>é ".encode(), None),
    ],
)
def test_encodings_of_html_files(data, encoding, tmp_path):
    (tmp_path / "a.html").write_bytes(data)
    (found,) = read([tmp_path]).documents
    assert json.loads(found["metadata"]).get("encoding") == encoding
    assert "<p>" in found["text"]


def test_many_comments_take_no_time(tmp_path):
    """Where a comment ends must not be tried again: thirty of them would take minutes."""
    (tmp_path / "a.md").write_text("<!-- note -->\n" * 200 + "# No page\n")
    vague = {"http": "Content-Type: application/octet-stream"}
    (tmp_path / "a.warc").write_bytes(
        response(b"<!-- -->" * 200 + b"no page", 1, **vague) + response(b"<!-- -->" * 200 + b"<html>", 2, **vague)
    )
    found = read([tmp_path])
    assert found.formats == {"a.md": "text", "a.warc": "warc"}
    assert (len(found.documents), found.reasons) == (2, ["not_text"])


def test_a_crawl_becomes_shards_in_one_command(tmp_path):
    prose = "<p>" + "The ferry left the harbour at six, and nobody on the deck said a word to the others. " * 9 + "</p>"
    bodies = [
        f"<!doctype html><title>{n}</title><nav><a href=/>Home</a></nav><main>{prose}{n}</main>" for n in range(3)
    ]
    records = [*(response(body.encode(), n) for n, body in enumerate(bodies)), warc("revisit", b"", 9)]
    (tmp_path / "in").mkdir()
    folder(tmp_path / "in", warc("warcinfo", b""), *records, response(b"<html><body></body></html>", 10))
    out = tmp_path / "out"
    pipeline = 'pipeline.stages=["extract","normalize","language","tokenize"]'
    assert Session([str(tmp_path / "in")], str(out), assignments=[pipeline]).work(quiet=2) == 0
    manifest = json.loads((out / "run.json").read_text())
    assert (manifest["counts"]["read"], manifest["counts"]["kept"], manifest["counts"]["quarantined"]) == (4, 3, 0)
    assert manifest["counts"]["removed"]["extract"] == {"documents": 1, "reasons": {"no_main_text": 1}}
    assert manifest["passed_over"] == [
        {"reason": "other_record", "records": 1, "details": {"warcinfo": 1}},
        {"reason": "revisit", "records": 1, "details": {"revisit": 1}},
    ]
