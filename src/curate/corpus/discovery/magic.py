"""Formats known by their first bytes, to say what a file is that is not what its name says."""

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"BZh", "bzip2"),
    (0, b"\x02\x21\x4c\x18", "the legacy format of lz4"),
    (0, b"LZIP", "lzip"),
    (0, b"\x89LZO\0", "lzop"),
    (0, b"\xff\x06\0\0sNaPpY", "snappy"),
    (0, b"\x1f\x9d", "compress (.Z)"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"Rar!\x1a\x07", "RAR"),
    (0, b"PK\x03\x04", "zip (or a document such as .docx, .xlsx or .epub)"),
    (0, b"PK\x05\x06", "an empty zip"),
    (257, b"ustar", "tar"),
    (0, b"PAR1", "Parquet"),
    (0, b"PARE", "encrypted Parquet"),
    (0, b"FEA1", "Feather of version 1"),
    (0, b"ORC", "ORC"),
    (0, b"Obj\x01", "Avro"),
    (0, b"SQLite format 3\0", "SQLite"),
    (8, b"DUCK", "DuckDB"),
    (0, b"\x89HDF\r\n\x1a\n", "HDF5"),
    (0, b"\x93NUMPY", "NumPy"),
    (0, b"%PDF-", "PDF"),
    (0, b"{\\rtf", "RTF"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document"),
    (0, b"\x89PNG\r\n", "PNG"),
    (0, b"\xff\xd8\xff", "JPEG"),
    (0, b"GIF8", "GIF"),
    (0, b"RIFF", "WebP, WAV or AVI"),
    (4, b"ftyp", "MP4"),
    (0, b"ID3", "MP3"),
    (0, b"OggS", "Ogg"),
    (0, b"\x7fELF", "a program (ELF)"),
    (0, b"MZ\x90\0", "a program (Windows)"),
    (0, b"\xca\xfe\xba\xbe", "a program (Java or macOS)"),
    (0, b"\x80\x04\x95", "a Python pickle"),
    (0, b"bplist00", "a property list"),
)
"""Offset, bytes, and what they are. Text may begin with some of them, and holds no null bytes."""

UNPACKED_BY = {
    ".lz": "lzip -d",
    ".lzo": "lzop -d",
    ".br": "brotli -d",
    ".z": "uncompress",
    ".7z": "7z x",
    ".rar": "unrar x",
}
"""Suffixes of packed files, and what unpacks them."""


_ARC = b"filedesc://"


def instead_of(head: bytes) -> str:
    """What makes a format that is read of one that is not and begins like this, in words; empty: nothing is known.

    Example:
        >>> instead_of(b"filedesc://a.arc 127.0.0.1")
        'the file is ARC, the predecessor of WARC; `warcio recompress` converts it to WARC'
    """
    if head.startswith(_ARC):
        return "the file is ARC, the predecessor of WARC; `warcio recompress` converts it to WARC"
    return ""


def known_as(head: bytes) -> str:
    """What a file that begins like this, and is no text, is; empty when that is not known.

    Example:
        >>> known_as(bytes.fromhex("fd377a585a00")), known_as(b'{"text": "BZh"}')
        ('xz', '')
    """
    return next((name for at, magic, name in _MAGIC if head.startswith(magic, at)), "")
