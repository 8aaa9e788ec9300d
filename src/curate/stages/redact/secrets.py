"""Keys and passwords: the expressions of detect-secrets, used as a library.

Its detectors can ask the services whether a key is valid; that is never called here, and nothing goes over the network.
"""

import functools
import re
from collections.abc import Iterator
from importlib import import_module

Span = tuple[int, int]

_DETECTORS = {
    "aws": "AWSKeyDetector",
    "azure_storage_key": "AzureStorageKeyDetector",
    "basic_auth": "BasicAuthDetector",
    "discord": "DiscordBotTokenDetector",
    "github_token": "GitHubTokenDetector",
    "gitlab_token": "GitLabTokenDetector",
    "jwt": "JwtTokenDetector",
    "mailchimp": "MailchimpDetector",
    "npm": "NpmDetector",
    "openai": "OpenAIDetector",
    "pypi_token": "PypiTokenDetector",
    "sendgrid": "SendGridDetector",
    "slack": "SlackDetector",
    "square_oauth": "SquareOAuthDetector",
    "stripe": "StripeDetector",
    "telegram_token": "TelegramBotTokenDetector",
    "twilio": "TwilioKeyDetector",
}
"""Module and class. Left out: those that go by entropy or by a word such as ``password`` alone, those that take common
words for keys, and keys of services that are no more."""

_LEAST_GROUP = 20
"""A group of an expression this long is the secret itself, and what is around it says what it is."""

_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:(?:\s|\\[rn])+(?:[A-Za-z][\w-]*: [^\n]*|(?!n?-)[A-Za-z0-9+/=]{16,}))+"  # headers, lines of base64
    r"(?:(?:\s|\\[rn])*[A-Za-z0-9+/=]{1,15})?(?:(?:\s|\\[rn])*-----END [A-Z0-9 ]*-----)?"
)
_WORD = re.compile(r"[\w\-+/=]+", re.ASCII)
_TAIL = re.compile(r"(?:[.:]?[\w\-+/=]+)*", re.ASCII)


@functools.cache
def expressions() -> tuple[tuple[re.Pattern[str], bool], ...]:
    """Every expression, and whether its first group is the secret whatever its length."""
    found = []
    for module, name in _DETECTORS.items():
        detector = getattr(import_module(f"detect_secrets.plugins.{module}"), name)
        found += [(expression, name == "BasicAuthDetector") for expression in detector.denylist]
    return tuple(found)


def secrets_in(text: str) -> Iterator[Span]:
    """Spans of keys and passwords in a line.

    Example:
        >>> list(secrets_in("token: ghp_" + "a1B2" * 9))
        [(7, 47)]
    """
    for expression, first_group in expressions():
        for match in expression.finditer(text):
            start, stop = match.span(1) if first_group else _secret(match)
            token = text[start:stop]
            if _is_chosen(token) if first_group else not _inside_word(text, start) and _has_both(token):
                yield start, stop


def key_block(text: str) -> int:
    """Length of the private key that ``text`` begins with, its foot included; 0 for a head without a key."""
    match = _KEY_BLOCK.match(text)
    return match.end() if match else 0


def _secret(match: re.Match[str]) -> Span:
    groups = [match.span(group) for group in range(1, match.re.groups + 1) if match.group(group)]
    longest = max(groups, key=lambda span: span[1] - span[0], default=(0, 0))
    if longest[1] - longest[0] >= _LEAST_GROUP:
        word = _WORD.match(match.string, *longest)
        return word.span() if word else longest
    tail = _TAIL.match(match.string, match.end())  # the signature of a JWT, which its expression leaves out
    return match.start(), tail.end() if tail else match.end()


def _is_chosen(password: str) -> bool:
    """A password and not the name of one, as in ``{{password}}``."""
    return not any(sign in password for sign in "{}<>")


def _inside_word(text: str, start: int) -> bool:
    return start > 0 and text[start - 1].isalnum() and text[start].isalnum()


def _has_both(token: str) -> bool:
    """Letters and digits, as in random keys and not in names; key ids of AWS may have no digit."""
    return token.startswith(_AWS) or (any(map(str.isdigit, token)) and any(map(str.isalpha, token)))


_AWS = ("AKIA", "ASIA")
