"""``python -m curate`` and the ``curate`` command."""

from curate.process.search_path import leave_current_folder

leave_current_folder(by_module=__name__ == "__main__")  # nothing else is imported before

LONG = ("run", "demo", "check", "measure", "tune")
"""Verbs that work for a while."""

YOUNG_OBJECTS = 1_000_000
"""New objects between two garbage collections: parsing makes many, none of them garbage; 700 costs 5 % of a run."""


def _is_long(words: "list[str]") -> bool:
    """Whether a command line works for a while and says so."""
    return bool(words) and words[0] in LONG and not {"-q", "-qq", "--quiet", "-h", "--help"} & {*words}


def open_closed_streams() -> None:
    """Give standard streams that are closed the null device: no other file gets their number, and nothing fails."""
    import os
    import sys

    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode, encoding="utf-8"))


def escape_unknown_characters() -> None:
    """Have streams of an encoding that lacks characters write them as JSON does, instead of failing."""
    import codecs
    import sys

    def escaped(error: UnicodeError) -> "tuple[str, int]":
        assert isinstance(error, UnicodeEncodeError)
        lacking = error.object[error.start : error.end]
        units = lacking.encode("utf-16-be", "surrogatepass").hex()
        return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4)), error.end

    codecs.register_error("curate.escaped", escaped)
    for stream in (sys.stdout, sys.stderr):
        if not stream.encoding.lower().startswith("utf"):
            stream.reconfigure(errors="curate.escaped")  # type: ignore[union-attr]  # not of every stream


def main() -> None:
    """Run the command line and exit with its code, at once: freeing every object of every library takes 0.3 s."""
    import gc
    import os
    import shlex
    import sys
    import time

    began = time.monotonic() - time.process_time()  # the interpreter was started before
    open_closed_streams()
    escape_unknown_characters()
    told = _is_long(sys.argv[1:]) and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if told:  # before anything is loaded, which takes 0.3 s, and more on a busy machine
        sys.stderr.write("Loading curate …")
        sys.stderr.flush()

    from curate.errors import Stopped
    from curate.process.child import end_children
    from curate.process.stopping import listen, stoppable
    from curate.process.unneeded import hide_unneeded

    listen()
    hide_unneeded()
    with stoppable(lambda: Stopped("stopped", hint=shlex.join(["curate", *sys.argv[1:]]))):  # nobody knows more yet
        from curate.cli import command

        if told:
            sys.stderr.write("\r\x1b[K")

        gc.set_threshold(YOUNG_OBJECTS)
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # its threads, one a core, spin for 0.1 s before they sleep
        code = command(sys.argv[1:], began)
    end_children()
    if copies := sys.modules.get("curate.store.objects.local_copies"):
        copies.end()
    os._exit(code)


if __name__ == "__main__":
    main()
