"""A child process whose extractor does what pages of the web make real ones do; started by `test_extract`."""

import ctypes
import os

from curate.html import extractors, serving

DONE: list[str] = []


def make(_name: str, _options: object) -> extractors.Extractor:
    def extract(page: str) -> extractors.Extracted:
        if "crash" in page:
            ctypes.string_at(0)
        if "tired" in page and len(DONE) > 2:
            os.abort()
        if "loop" in page:
            while True:
                pass
        if "explode" in page:
            bytearray(1 << 45)
        if "raise" in page:
            raise RecursionError
        os.write(1, b"extractors may print")
        DONE.append(page)
        return extractors.Extracted(page.upper(), "")

    return extract


def serve() -> None:
    extractors.make = make
    serving.serve()
