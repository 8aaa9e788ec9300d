"""Input in object stores: which objects an address leads to. Nothing of them is read."""

import re
from collections.abc import Iterator, Sequence
from fnmatch import translate
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from curate.errors import CurateError, InputError, Stopped, UserError, nearest, require
from curate.store.files import place
from curate.store.objects.bucket import Stored, bucket, split_url
from curate.store.objects.store_path import folders_of
from curate.store.ownership.claim import is_run_directory
from curate.store.run_directory import DOCUMENTS, LOCK, MANIFEST

_MAGIC = re.compile(r"[*?[]")


class Located(NamedTuple):
    """What an address leads to."""

    root: str
    """The folder that names are relative to."""
    objects: tuple[tuple[str, Stored], ...]
    """Addresses, and what the store says of them."""


def located(address: str) -> Located:
    """The objects of an address: one object, all below a folder, or those that match a pattern (``*``, ``**``).

    Raises:
        InputError: there are none, or the store does not answer.
        PlanError: there are no credentials, or they do not do; or an extra is missing.
    """
    scheme = address.partition("://")[0]
    try:
        if scheme in {"http", "https"}:
            return _one_file(address)
        return _of_data_set(address) if scheme == "hf" else _below(address)
    except Stopped as error:
        raise InputError(error.message, hint="check the address and the network") from error


def runs_among(root: str, found: Sequence[tuple[str, Stored]]) -> Iterator[str]:
    """Folders of runs of curate below a root, as addresses."""
    start = len(root) + 1
    marks = (f"/{MANIFEST}", f"/{LOCK}")
    inside = f"/{DOCUMENTS}/part-"
    folders = {url[: -len(mark)] for url, _ in found for mark in marks if url.endswith(mark)}
    folders |= {url[: url.index(inside)] for url, _ in found if inside in url[start - 1 :]}
    yield from (folder for folder in sorted(folders) if is_run_directory(place(folder)))


def _one_file(address: str) -> Located:
    parts = urlsplit(address)
    try:
        facts = bucket(address).facts("")
    except FileNotFoundError:
        raise InputError(f"`{address}` does not exist", hint="open the address in a browser") from None
    folder = f"{parts.scheme}://{parts.netloc}{parts.path.rpartition('/')[0]}"
    return Located(folder, ((address, facts),))


def name_of(address: str, root: str) -> str:
    """The name of an object below a root.

    Example:
        >>> name_of("s3://bucket/a/b c.jsonl", "s3://bucket/a"), name_of("https://host/a/b%20c.jsonl?token=1", "https://host/a")
        ('b c.jsonl', 'b c.jsonl')
    """
    if address.startswith("http"):
        address, root = unquote(urlsplit(address)._replace(query="", fragment="").geturl()), unquote(root)
    inside = address[len(root) + 1 :] if address.startswith(f"{root}/") else address.replace("://", "/", 1)
    return inside.replace("\\", "\\\\")


def _below(address: str) -> Located:
    root, key = split_url(address)
    store = bucket(root)
    if key and not address.endswith("/"):
        try:
            facts = store.facts(key)
        except FileNotFoundError:
            pass
        else:
            return Located(store.url(key.rpartition("/")[0]) if "/" in key else root, ((store.url(key), facts),))
    fixed = _fixed(key)
    found = [one for one in store.listed(fixed) if one.key != fixed]
    if fixed != key:
        pattern = re.compile(_regex(key))
        found = [one for one in found if pattern.fullmatch(one.key)]
        if not found:
            raise InputError(f"the pattern `{address}` matches nothing", hint="quote patterns with `**`")
    if not found:
        raise InputError(f"`{address}` does not exist", hint=_similar(address, root, key))
    folders = {folder for one in found for folder in folders_of(one.key)}
    files = [one for one in found if one.size or one.key not in folders]  # what consoles create as a folder is none
    return Located(store.url(fixed), tuple((store.url(one.key), one) for one in files))


def _of_data_set(address: str) -> Located:
    """Files of a data set of the Hugging Face hub at the commit that its revision is now."""
    require("huggingface_hub", "hf", f"`{address}` is listed by the Hugging Face hub")
    from huggingface_hub import HfApi
    from huggingface_hub.hf_api import RepoFile

    found = re.fullmatch(r"hf://datasets/([^/@]+/[^/@]+|[^/@]+)(?:@([^/]+))?(?:/(.*))?", address)
    if found is None:
        raise InputError(f"`{address}` names no data set", hint="hf://datasets/OWNER/NAME/PATH")
    name, revision, path = found.group(1), found.group(2), (found.group(3) or "").strip("/")
    api, fixed = HfApi(), _fixed(path)
    try:
        commit = api.dataset_info(name, revision=revision).sha
        tree = list(api.list_repo_tree(name, repo_type="dataset", revision=commit, recursive=True))
    except Exception as error:  # of the hub, or whatever its HTTP library raises
        raise _hub_error(address, error) from error
    root = f"hf://datasets/{name}@{commit}"
    pattern = re.compile(_regex(path))
    objects = []
    for entry in tree:
        if isinstance(entry, RepoFile):
            inside = entry.path == path or not fixed or entry.path.startswith(f"{fixed}/")
            if inside and (fixed == path or pattern.fullmatch(entry.path)):
                tag = entry.lfs.sha256 if entry.lfs else entry.blob_id
                objects.append((f"{root}/{entry.path}", Stored(entry.path, entry.size, tag)))
    if not objects:
        hint = nearest(path.partition("/")[0], {entry.path.partition("/")[0] for entry in tree})
        raise InputError(f"`{address}` does not exist", hint=hint)
    is_one = len(objects) == 1 and objects[0][1].key == path
    folder = path.rpartition("/")[0] if is_one else fixed
    return Located(f"{root}/{folder}".rstrip("/"), tuple(objects))


def _hub_error(address: str, error: Exception) -> CurateError:
    from huggingface_hub import constants

    status = getattr(getattr(error, "response", None), "status_code", None)
    if status in {401, 403, 404}:
        return InputError(
            f"`{address}` does not exist, or cannot be read with HF_TOKEN: {constants.ENDPOINT} says {status}",
            hint="export HF_TOKEN=…, and accept the terms of a gated data set in a browser",
        )
    return InputError(
        f"`{address}` cannot be listed: {str(error).partition(chr(10))[0][:200]}",
        hint="check the network; HF_ENDPOINT names another hub",
    )


def _similar(address: str, root: str, key: str) -> str:
    """A hint naming what lies where a key was looked for."""
    store, parent = bucket(root), key.rpartition("/")[0]
    try:
        names = {one.key[len(parent) :].strip("/").partition("/")[0] for one in store.listed(parent)}
    except (UserError, Stopped):
        names = set()
    return nearest(key.rpartition("/")[2], names) if names else f"list the bucket of `{address}`"


def _fixed(key: str) -> str:
    """The folders of a pattern before its first wildcard; all of what is none."""
    pieces = key.split("/")
    end = next((at for at, piece in enumerate(pieces) if _MAGIC.search(piece)), None)
    return key if end is None else "/".join(pieces[:end])


def _regex(pattern: str) -> str:
    """A regular expression for keys; ``**`` stands for any folders, ``*`` for what is in one.

    Example:
        >>> [bool(re.fullmatch(_regex("a/**/*.jsonl"), key)) for key in ("a/x.jsonl", "a/b/c/x.jsonl", "b/x.jsonl")]
        [True, True, False]
    """
    found = ""
    for piece in pattern.split("/"):
        one = translate(piece).removeprefix("(?s:").removesuffix(r")\Z").removesuffix(r")\z").replace(".*", "[^/]*")
        found += "(?:[^/]+/)*" if piece == "**" else f"{one}/"
    return f"(?s:{found.removesuffix('/')})" if not pattern.endswith("**") else f"(?s:{found}[^/]+)"
