"""DATA on the command line and in the API: a kind, a colon, a place, and options after a question mark.

taleqani:~/leukemia    c_nmc:bmp,jpeg    image_folder:smears?suspicious=early,pre    synthetic:7?patients=40
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from allsight.core import catalog
from allsight.core.contracts import Dataset
from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_FORMS = (
    "Write KIND:PLACE, for example taleqani:PATH, image_folder:PATH?suspicious=NAME,NAME, manifest:FILE.csv "
    "or synthetic:SEED."
)


class Location(NamedTuple):
    """What follows the colon in DATA, taken apart.

    Attributes:
        place: a path, several, or a seed: whatever stands before the question mark.
        options: values as written; `listed` takes one apart.
    """

    place: str
    options: Mapping[str, str]


def open_dataset(data: str) -> Dataset:
    """The data set that DATA names, opened.

    Args:
        data: "taleqani:PATH", "synthetic:SEED", … The kind is any name in `catalog.names(Dataset)`.

    Raises:
        UsageError: DATA is not of the form KIND:PLACE, or an option is not known.
        UnknownNameError: there is no such kind; the hint names the nearest.
        DataError: the place is not laid out as the kind expects.
    """
    kind, colon, location = data.partition(":")
    if not colon or not kind or not location:
        kinds = ", ".join(catalog.names(Dataset))
        raise UsageError(f"Expected KIND:PLACE, got {data!r}.", hint=f"{_FORMS} Kinds: {kinds}.")
    return catalog.load(Dataset, kind).open(location)


def split_location(location: str, *, known: Collection[str]) -> Location:
    """Place and options of "PLACE?key=value&key=value".

    Args:
        location: what follows the colon in DATA. The place ends at the last question mark.
        known: names of the options that the data set has.

    Raises:
        UsageError: an option is unknown, given twice or has no value.

    >>> split_location("smears?suspicious=early,pre", known=["suspicious"])
    Location(place='smears', options={'suspicious': 'early,pre'})
    """
    place, question, text = location.rpartition("?")
    if not question:
        place, text = location, ""
    options: dict[str, str] = {}
    for pair in filter(None, text.split("&")):
        key, _, value = pair.partition("=")
        if key not in known:
            names = f"Known: {', '.join(sorted(known))}." if known else "This kind of data has no options."
            raise UsageError(f"There is no option {key!r} in {location!r}.", hint=names)
        if not value or key in options:
            raise UsageError(
                f"The option {key!r} in {location!r} needs one value.",
                hint=f"Write ?{key}=VALUE once; more options follow after &.",
            )
        options[key] = value
    return Location(place, options)


def listed(value: str) -> tuple[str, ...]:
    """The values of an option that takes several, split at commas.

    Percent escapes are resolved afterwards, so that a name may hold a comma (%2C), & (%26), = or ? (%3F).

    >>> listed("early,pre%2C pro")
    ('early', 'pre, pro')
    """
    return tuple(unquote(part) for part in value.split(",") if part)


def suspicious_classes(options: Mapping[str, str], classes: Collection[str]) -> tuple[str, ...]:
    """The classes that the option `suspicious` names, in the order of `classes`; none where it is absent.

    Raises:
        UsageError: it names something that is no class.
    """
    given = listed(options.get("suspicious", ""))
    named = [name if name in classes else name.strip() for name in given]  # "early, pre"
    strange = sorted(set(named) - set(classes))
    if strange:
        raise UsageError(
            f"?suspicious= names {', '.join(strange)}, which is no class here.",
            hint=f"Classes: {', '.join(classes)}.",
        )
    return tuple(name for name in classes if name in named)
