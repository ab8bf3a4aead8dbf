"""Results that follow from pixels alone and are kept in the cache until the pixels change."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import TypeAdapter, ValidationError

from allsight.core.files import cache_folder, write_text
from allsight.core.provenance import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from allsight.core.contracts import Dataset

T = TypeVar("T")


def pixels_fingerprint(dataset: Dataset, hashes: Mapping[str, str]) -> str:
    """What identifies the pixels of a data set: names, content, how they are read and what is burnt in."""
    contents = (f"{name}={hashes[name]}" for name in sorted(hashes))
    return fingerprint([type(dataset).__name__, repr(dataset.overlay), *contents])


def kept(kind: type[T], name: str, *, key: str, compute: Callable[[], T]) -> T:
    """A result from the cache, or computed and written there.

    Args:
        kind: the result's type, a dataclass of JSON's types, tuples and mappings.
        name: the folder in the cache.
        key: everything the result depends on, as a file name.
        compute: gives the result where none is kept, or what is kept cannot be read.
    """
    adapter = TypeAdapter(kind)
    path = cache_folder() / name / f"{key}.json"
    try:
        return adapter.validate_json(path.read_bytes())
    except (FileNotFoundError, ValidationError):
        result = compute()
    write_text(path, adapter.dump_json(result).decode())
    return result
