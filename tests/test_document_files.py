"""EPUB, DOCX and PDF: text and what they say of themselves; damage, traps and endless work cost the file alone."""

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from any_format import read
from curate.corpus.formats import document_file
from thorough import settings

XML = '<?xml version="1.0" encoding="UTF-8"?>'
BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>'
W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def zipped(members: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, text in members.items():
            made.writestr(name, text, zipfile.ZIP_STORED if name == "mimetype" else None)
    return out.getvalue()


def epub(doctype: str = "", encoding: str = "utf-8", declared: str = "", title: str = "Chapter one") -> bytes:
    opf = (
        f'{XML}{doctype}<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<metadata><dc:title>A Book</dc:title><dc:creator>Ann Author</dc:creator><dc:language>en</dc:language>"
        "</metadata>"
        '<manifest><item id="two" href="text/two.xhtml"/><item id="one" href="text/one%20.xhtml"/></manifest>'
        '<spine><itemref idref="one"/><itemref idref="two"/></spine></package>'
    )
    page = '{}<html xmlns="http://www.w3.org/1999/xhtml"><body><h1>{}</h1><p>Some <i>text</i> of it.</p></body></html>'
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": f'{XML}<c><rootfiles><rootfile full-path="OPS/b.opf"/></rootfiles></c>',
            "OPS/b.opf": opf,
            "OPS/text/two.xhtml": page.format(XML, "Chapter two"),
            "OPS/text/one .xhtml": page.format(
                f'<?xml version="1.0" encoding="{declared or encoding}"?>', title
            ).encode(encoding),
        }
    )


def docx(doctype: str = "") -> bytes:
    body = "<w:p><w:r><w:t>First paragraph.</w:t></w:r></w:p><w:p><w:r><w:t>Second.</w:t></w:r></w:p>"
    kinds = "http://schemas.openxmlformats.org/package/2006/content-types"
    links = "http://schemas.openxmlformats.org/package/2006/relationships"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument"
    return zipped(
        {
            "[Content_Types].xml": f'{XML}<Types xmlns="{kinds}"><Default Extension="xml" ContentType="a/b"/></Types>',
            "_rels/.rels": f'{XML}<Relationships xmlns="{links}">'
            f'<Relationship Id="r" Type="{office}" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f"{XML}{doctype}<w:document {W}><w:body>{body}</w:body></w:document>",
            "docProps/core.xml": f'{XML}<c xmlns:dc="http://purl.org/dc/"><dc:title>A Letter</dc:title></c>',
        }
    )


def pdf(text: str = "Text of a page") -> bytes:
    stream = f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 612 792]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
        b"<</Title(A Report)>>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, one in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj%b\nendobj\n" % (number, one)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    tail = b"trailer<</Size 7/Root 1 0 R/Info 6 0 R>>\nstartxref\n%d\n%%%%EOF" % len(data)
    return data + b"xref\n0 7\n0000000000 65535 f \n" + table + tail


WHOLE = {"a.epub": epub(), "b.docx": docx(), "c.pdf": pdf()}


def test_documents_are_read_with_what_they_say_of_themselves(tmp_path: Path) -> None:
    for name, data in WHOLE.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "d.txt").write_bytes(WHOLE["a.epub"])  # content first
    (tmp_path / "e.zip").write_bytes(WHOLE["b.docx"])
    (tmp_path / "f.zip").write_bytes(zipped({"x.txt": "in a zip"}))
    found = read([tmp_path])
    book = "Chapter one\n\nSome text of it.\n\nChapter two\n\nSome text of it."
    letter = "First paragraph.\n\nSecond."
    assert found.texts == [book, letter, "Text of a page", book, letter, "in a zip"]
    assert [json.loads(one["metadata"] or "{}") for one in found.documents[:3]] == [
        {"title": "A Book", "creator": "Ann Author", "language": "en"},
        {"title": "A Letter"},
        {"title": "A Report"},
    ]


def test_members_may_be_in_any_order_and_packed(tmp_path: Path) -> None:
    for name, data in WHOLE.items():
        if data.startswith(b"PK"):
            with (
                zipfile.ZipFile(io.BytesIO(data)) as made,
                zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_LZMA) as new,
            ):
                for member in reversed(made.namelist()):
                    new.writestr(member, made.read(member))
    (tmp_path / "c.docx").write_bytes(zipped({"a.txt": "a zip under a false name"}))
    found = read([tmp_path])
    assert [text.split(maxsplit=1)[0] for text in found.texts] == ["Chapter", "First"]
    assert [(one["file"], one["reason"]) for one in found.quarantined] == [("c.docx", "corrupt_file")]


def test_chapters_are_read_in_their_encoding(tmp_path: Path) -> None:
    chapter = "Ein Größenvergleich"
    for encoding in ("utf-8", "utf-16", "windows-1252"):
        book = epub(encoding=encoding, title=chapter)
        (tmp_path / f"{encoding}.epub").write_bytes(book)
    (tmp_path / "wrong.epub").write_bytes(epub(encoding="windows-1252", declared="utf-8", title=chapter))
    found = read([tmp_path])
    assert [text.partition("\n")[0] for text in found.texts] == [chapter] * 3
    assert [(one["file"], one["reason"]) for one in found.quarantined] == [("wrong.epub", "corrupt_file")]


def test_traps_and_what_holds_no_text_go_to_quarantine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.epub").write_bytes(epub(BOMB))
    (tmp_path / "b.docx").write_bytes(docx(BOMB))
    (tmp_path / "c.pdf").write_bytes(pdf(""))
    (tmp_path / "d.pdf").write_bytes(b"%PDF-1.7 and nothing of one")
    (tmp_path / "e.epub").write_bytes(zipped({"mimetype": "application/epub+zip", "x": "0" * (600 << 20)}))
    (tmp_path / "f.docx").write_bytes(zipped({"word/document.xml": "<p/>" * 2_000_001}))
    found = read([tmp_path])
    assert {one["file"]: (one["reason"], one["detail"]) for one in found.quarantined} == {
        "a.epub": ("corrupt_file", "not readable as EPUB: its XML declares entities"),
        "b.docx": ("corrupt_file", "not readable as DOCX: its XML declares entities"),
        "c.pdf": ("no_text", "it may hold pictures of text"),
        "d.pdf": ("corrupt_file", "not readable as PDF: Failed to load document (PDFium: Data format error)."),
        "e.epub": ("corrupt_file", "not readable as EPUB: it expands to more than 536,870,912 bytes"),
        "f.docx": ("corrupt_file", "not readable as DOCX: it has more than 2,000,000 elements of XML"),
    }
    monkeypatch.setattr(document_file, "CPU_SECONDS", 0.001)
    (tmp_path / "b.docx").write_bytes(WHOLE["b.docx"])
    assert read([tmp_path / "b.docx"]).reasons == ["took_too_long"]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(sorted(WHOLE)), place=st.integers(0, 10**6), cut=st.booleans(), noise=st.binary(max_size=9))
def test_damage_costs_the_file(name: str, place: int, cut: bool, noise: bytes, tmp_path: Path) -> None:
    data = WHOLE[name]
    at = place % len(data)
    (tmp_path / name).write_bytes(data[:at] + noise + (b"" if cut else data[at + len(noise) :]))
    (tmp_path / "whole.txt").write_text("whole")
    found = read([tmp_path])
    assert "whole" in found.texts
    assert len(found.documents) + len(found.quarantined) + len(found.skipped) >= (2 if at else 1)
