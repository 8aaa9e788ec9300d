"""What is to be measured, and how: from settings and flags."""

import shlex
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from curate import __version__
from curate.errors import UserError
from curate.evidence.held_out import HeldOut, bundled_languages, own_text
from curate.evidence.proxies.proxy import Proxy
from curate.pipeline.planning.config import Config
from curate.store.digest import digest


class Question(NamedTuple):
    """What is to be measured, and how."""

    seeds: int = 8
    own: tuple[HeldOut, ...] = ()
    """Evaluation texts of the user; the first is the headline's."""
    by: tuple[str, ...] = ()
    """``stage``, ``rule``: what each of them contributes."""
    command: str = ""
    """That asks it again."""
    tokens: int = 0
    """Most kept tokens of a training; 0: as many as the proxy and the text allow."""

    def asked(self, proxy: Proxy) -> str:
        """Digest of what the answer depends on besides the run."""
        own = [(text.name, text.fingerprint) for text in self.own]
        return digest(__version__, proxy.key, self.seeds, self.tokens, sorted(self.by), own)


def question_of(
    run: str, config: Config, proxy: str, seeds: int, tokens: int, texts: Mapping[str, str], by: Sequence[str]
) -> Question:
    """The question, with the user's texts read.

    Args:
        run: as the user named it.
        config: settings of the run; the field of the text is taken from them.
        proxy: its name.
        seeds: trainings of each arm.
        tokens: most kept tokens of a training; 0: as many as the proxy and the text allow.
        texts: name → path.
        by: ``stage``, ``rule``.

    Raises:
        InputError: a text cannot be read.
    """
    words = ["curate", "measure", run, "--proxy", proxy, "--seeds", str(seeds)]
    if tokens:
        words += ["--tokens", str(tokens)]
    for name, path in texts.items():
        words += ["--eval", f"{name}={path}"]
    for kind in by:
        words += ["--by", kind]
    own = tuple(own_text(name, path, config) for name, path in texts.items())
    return Question(seeds, own, tuple(by), shlex.join(words), tokens)


def require_text(config: Config, stages: Sequence[str]) -> None:
    """Raises UserError where a run could only find text that there is nothing to measure on."""
    keep, known = getattr(config.stage("language"), "keep", ()), bundled_languages()
    if "language" in stages and keep and not config.evidence.texts and not {*known, "*"} & set(keep):
        raise UserError(
            f"`evidence.measure` has no text to measure on: the package carries {' and '.join(known)},"
            f" and `language.keep` is {', '.join(keep)}",
            hint="--set 'evidence.texts={manuals = \"good/manuals/\"}': good text that is not in the corpus",
        )
