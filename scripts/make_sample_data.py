"""Build ``sample_data/`` from a folder of openly licensed corpora: the same bytes every time.

    python scripts/make_sample_data.py CORPORA [-o sample_data]

``CORPORA`` holds Parquet and JSON Lines files with the columns ``id``, ``text``, ``source``, ``lang`` and
``label`` (and ``html`` for web pages). What each file shows, where it comes from and under which licence is
told in ``sample_data/README.rst``. Documents are picked by the hash of their id, never by file order.
"""

import argparse
import gzip
import hashlib
import io
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard

Row = dict[str, Any]

CURLY = "\N{RIGHT SINGLE QUOTATION MARK}"
TLDR_LANGUAGES = ("ar", "de", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh")
PHP_LANGUAGES = ("es", "fr", "ja", "ru", "zh")
POWERSHELL_VERSIONS = ("5.1", "7.4", "7.5", "7.6")
ETCD_VERSIONS = ("v3.3", "v3.4", "v3.5", "v3.6")
WIN32_PROSE = ("com", "DevIO", "FileIO", "Rpc", "Services", "Stg", "SysInfo", "Tapi", "w8cookbook")


def main() -> None:
    """Read the corpora, write the sample, say what was written."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("corpora", type=Path, help="folder of corpora")
    parser.add_argument("-o", "--out", type=Path, default=Path("sample_data"))
    options = parser.parse_args()
    sample = Sample(options.corpora, options.out)
    for build in (novels, peps, powershell, win32, etcd, react, tldr, php, web_pages, mojibake, damaged):
        shutil.rmtree(options.out / build.__name__, ignore_errors=True)
        build(sample)
    files = sorted(file for file in options.out.rglob("*") if file.is_file())
    print(f"{len(files)} files, {sum(file.stat().st_size for file in files) / 1e6:.2f} MB on disk")


class Sample:
    """Where documents come from and go to."""

    def __init__(self, corpora: Path, out: Path) -> None:
        self._corpora = corpora
        self._out = out

    def rows(self, name: str) -> pl.DataFrame:
        """A corpus in the order of its ids' hashes, with ``size`` in bytes."""
        file = self._corpora / name
        frame = (
            pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_ndjson(gzip.decompress(file.read_bytes()))
        )
        text = pl.col("html").bin.size() if "html" in frame.columns else pl.col("text").str.len_bytes()
        order = frame["id"].map_elements(_digest, return_dtype=pl.String)
        return frame.with_columns(size=text, order=order).sort("order", "id").drop("order")

    def write(self, name: str, content: bytes | Iterable[Row]) -> None:
        """Bytes as they are; rows in the format that the file's name says."""
        file = self._out / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif file.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(list(content)), file, compression="zstd", compression_level=19)
        else:
            file.write_bytes(_compressed(b"".join(map(_json_line, content)), file.suffix))


def novels(sample: Sample) -> None:
    """Prose that survives, and some French; a few chapters read with the wrong encoding."""
    chapters = sample.rows("prose/eltec_chapters.parquet").filter(pl.col("size").is_between(2_500, 9_000))
    english = chapters.filter(lang="en").to_dicts()
    french = chapters.filter(lang="fr").head(40).to_dicts()
    picked = english[:260] + french
    sample.write(
        "novels/chapters.jsonl.zst",
        ({"id": row["id"], "text": row["text"], "novel": row["dup_group"], "lang": row["lang"]} for row in picked),
    )
    curly = [row for row in english[260:] if CURLY in row["text"] and _misread(row["text"]) is not None][:12]
    sample.write(
        "novels/misread.jsonl",
        ({"id": row["id"], "content": _misread(row["text"]), "damage": "UTF-8 read as Windows-1252"} for row in curly),
    )


def peps(sample: Sample) -> None:
    """Plain text files, one document each."""
    rows = sample.rows("neardup_truth/docs.parquet").filter(pl.col("source") == "python-peps")
    for row in rows.filter(pl.col("size").is_between(3_000, 12_000)).head(70).to_dicts():
        sample.write(f"peps/{Path(row['id']).stem}.txt", row["text"].encode())


def powershell(sample: Sample) -> None:
    """Versions of one manual: exact and near-duplicates by nature. And single pages."""
    rows = sample.rows("neardup_truth/docs.parquet").filter(pl.col("source") == "powershell-docs")
    short = rows.filter(pl.col("size").is_between(1_500, 7_000))
    versions = short.filter(pl.col("label").is_in(POWERSHELL_VERSIONS))
    pages = versions.filter(pl.col("label") == "7.6")["dup_group"].head(48).to_list()
    sample.write(
        "powershell/reference.parquet",
        (
            {"id": row["id"], "content": row["text"], "version": row["label"], "path": row["dup_group"]}
            for row in versions.filter(pl.col("dup_group").is_in(pages)).to_dicts()
        ),
    )
    concepts = short.filter(pl.col("label") == "docs-conceptual").head(110)
    sample.write(
        "powershell/concepts.jsonl",
        (
            {"id": row["id"], "text": row["text"], "meta": {"product": "PowerShell", "kind": "concept"}}
            for row in concepts.to_dicts()
        ),
    )


def win32(sample: Sample) -> None:
    """Prose, and reference pages that share their boilerplate. No ids."""
    rows = sample.rows("neardup_truth/docs.parquet").filter(pl.col("source") == "ms-win32")
    section = pl.col("id").str.split("/").list.get(2)
    schema = rows.filter((section == "ADSchema") & (pl.col("size") < 2_000)).head(60)
    reference = rows.filter((section == "wmformat") & (pl.col("size") < 2_500)).head(150)
    prose = rows.filter(section.is_in(WIN32_PROSE) & pl.col("size").is_between(1_500, 6_000)).head(260)
    sample.write(
        "win32/pages.jsonl.gz",
        (
            {"url": row["url"] + "/" + row["id"].removeprefix("win32/"), "content": row["text"]}
            for row in pl.concat([schema, reference, prose]).to_dicts()
        ),
    )


def etcd(sample: Sample) -> None:
    """Markdown files in folders by version: near-duplicates across folders."""
    rows = sample.rows("neardup_truth/docs.parquet").filter(
        (pl.col("source") == "etcd-docs") & pl.col("label").is_in(ETCD_VERSIONS) & (pl.col("size") < 6_000)
    )
    pages = rows.filter(pl.col("label") == "v3.5")["dup_group"].head(14).to_list()
    for row in rows.filter(pl.col("dup_group").is_in(pages)).to_dicts():
        sample.write(f"etcd/{row['label']}/{row['dup_group'].replace('/', '_')}", row["text"].encode())


def react(sample: Sample) -> None:
    """Markdown with code and tags in three languages; untranslated pages copy the English ones."""
    rows = sample.rows("langid/react_dev.parquet").filter(pl.col("size").is_between(500, 9_000))
    pages = rows.filter(lang="fr")["dup_group"].head(14).to_list()
    for row in rows.filter(pl.col("dup_group").is_in(pages)).to_dicts():
        name = row["dup_group"].removeprefix("src/content/").replace("/", "_")
        sample.write(f"react/{row['lang']}/{name}", row["text"].encode())


def tldr(sample: Sample) -> None:
    """Very short pages, half of them commands, in fifteen languages; an id is a page, so ids repeat."""
    rows = sample.rows("langid/tldr.parquet")
    picked = [rows.filter(lang="en").head(220)]
    pages = pl.col("id").str.split("/").list.slice(2).list.join("/").str.strip_suffix(".md")
    picked += [rows.filter(lang=language).head(20) for language in TLDR_LANGUAGES]
    sample.write(
        "tldr/pages.jsonl",
        (
            {"id": row["page"], "text": row["text"], "lang": row["lang"]}
            for row in pl.concat(picked).with_columns(page=pages).to_dicts()
        ),
    )


def php(sample: Sample) -> None:
    """A manual full of templates in six languages, and a mirror that repeats part of it, ids included."""
    rows = sample.rows("langid/php_manual.parquet")
    english = rows.filter((pl.col("lang") == "en") & pl.col("size").is_between(150, 6_000)).head(260)
    other = [rows.filter(lang=language, label="strong").head(40) for language in PHP_LANGUAGES]
    sample.write(
        "php/manual.parquet",
        (
            {"id": row["id"], "text": row["text"], "lang": row["lang"]}
            for row in pl.concat([english, *other]).to_dicts()
        ),
    )
    sample.write(
        "php/mirror.jsonl.gz",
        (
            {"id": row["id"], "text": row["text"] + "\n" * (row["size"] % 3), "mirror": True}
            for row in english.tail(70).to_dicts()
        ),
    )


def web_pages(sample: Sample) -> None:
    """Pages with all their tags, as a scraper that extracts nothing would leave them."""
    rows = sample.rows("web_html/debian_docs_html.parquet").filter(pl.col("size") < 20_000)
    api = rows.filter(pl.col("source") == "libmina-java-doc").head(14)
    guide = rows.filter(pl.col("source") == "manila-doc").head(8)
    sample.write(
        "web_pages/raw_html.jsonl",
        (
            {"url": row["url"], "text": row["html"].decode(_codec(row["charset"]), "replace")}
            for row in pl.concat([api, guide]).to_dicts()
        ),
    )


def mojibake(sample: Sample) -> None:
    """Broken encodings seen in the wild, invisible characters, and what only looks broken."""
    cases = sample.rows("dirty/ftfy_cases.jsonl.gz").to_dicts()
    open_text = pl.col("source").is_in(["tldr", "ms-win32", "php-manual"])
    invisible = sample.rows("dirty/control_invisible.jsonl.gz").filter(open_text & (pl.col("size") < 5_000))
    natural = sample.rows("dirty/mojibake_natural.jsonl.gz").filter(open_text)
    sample.write(
        "mojibake/cases.jsonl",
        ({"id": row["id"], "text": row["text"], "about": row["label"]} for row in cases),
    )
    sample.write(
        "mojibake/invisible.jsonl",
        (
            {"id": row["id"], "text": row["text"], "code_points": row["label"]}
            for row in [*invisible.to_dicts(), *natural.to_dicts()]
        ),
    )


def damaged(sample: Sample) -> None:
    """Input that cannot be read, on purpose, between lines that can."""
    chapters = sample.rows("prose/eltec_chapters.parquet").filter(pl.col("size").is_between(1_200, 2_400))
    good = [
        _json_line({"id": row["id"], "text": row["text"]}) for row in chapters.filter(lang="en").head(18).to_dicts()
    ]
    french = chapters.filter(lang="fr")["text"][0]
    bad = [
        good[0][: len(good[0]) // 2] + b"\n",
        b'{"id": "bytes", "text": "caf\xe9 and \xff\xfe"}\n',
        b'{"id": "no-text", "title": "A record without its text"}\n',
        b'{"id": "null", "text": null}\n',
        b'{"id": "number", "text": 42}\n',
        b'{"id": "list", "text": ["one", "two"]}\n',
        b'["not", "an", "object"]\n',
        b"\n",
    ]
    lines = [line for pair in zip(good, bad, strict=False) for line in pair] + good[len(bad) : 12]
    sample.write("damaged/lines.jsonl", b"".join(lines))
    whole = _compressed(b"".join(good[12:]), ".gz")
    sample.write("damaged/truncated.jsonl.gz", whole[: len(whole) * 2 // 3])
    sample.write("damaged/latin1.txt", french.encode("latin-1", "replace"))
    sample.write("damaged/empty.jsonl", b"")


def _digest(identifier: str) -> str:
    return hashlib.blake2b(identifier.encode(), digest_size=8).hexdigest()


def _json_line(row: Row) -> bytes:
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"


def _compressed(data: bytes, suffix: str) -> bytes:
    if suffix == ".zst":
        return zstandard.ZstdCompressor(level=19).compress(data)
    if suffix == ".gz":
        buffer = io.BytesIO()
        with gzip.GzipFile(filename="", fileobj=buffer, mode="wb", mtime=0) as file:
            file.write(data)
        return buffer.getvalue()
    return data


def _misread(text: str) -> str | None:
    """What a program shows that takes UTF-8 for Windows-1252; None where it would fail."""
    try:
        return text.encode().decode("windows-1252")
    except UnicodeDecodeError:
        return None


def _codec(charset: str) -> str:
    return "windows-1252" if charset.upper().startswith("ISO8859") else "utf-8"


if __name__ == "__main__":
    main()
