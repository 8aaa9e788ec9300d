"""Files that lie beside data and hold none: what other tools note about the folder."""

import re
from collections.abc import Set as AbstractSet

_ALWAYS = {
    "_SUCCESS": "a marker that a job was done",
    "_metadata": "footers of the Parquet files of the folder",
    "_common_metadata": "a schema of the Parquet files of the folder",
    "dataset_info.json": "a description that `datasets` wrote",
    "dataset_infos.json": "a description that `datasets` wrote",
    "dataset_dict.json": "a list of splits that `datasets` wrote",
}
_STATE = "state.json"
_CACHE = re.compile(r"(cache|tmp)-?[0-9a-z_]+\.arrow")
_JOB = re.compile(r"_(committed|started)_[0-9]+")


def sidecar(name: str, beside: AbstractSet[str]) -> str:
    """What a file of this name is among files of these names; empty where it may be data.

    Args:
        name: of the file, without its folder.
        beside: names in the same folder.

    Example:
        >>> sidecar("state.json", {"state.json", "data-00000-of-00001.arrow"})
        'a description that `datasets` wrote'
        >>> sidecar("state.json", {"state.json"}), sidecar("cache-1f.arrow", {"cache-1f.arrow"})
        ('', '')
    """
    if name in _ALWAYS:
        return _ALWAYS[name]
    if _JOB.fullmatch(name):
        return _ALWAYS["_SUCCESS"]
    if name == _STATE and ("dataset_info.json" in beside or any(one.endswith(".arrow") for one in beside)):
        return _ALWAYS["dataset_info.json"]
    if _STATE in beside and _CACHE.fullmatch(name):
        return "a cache of `datasets`"
    return ""
