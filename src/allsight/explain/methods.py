"""Explainers and measures by name, with their settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allsight.core import catalog
from allsight.core.contracts import Explainer, Measure
from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

METHODS = ("cam", "grad_cam", "integrated_gradients", "lime")
"""What the paper explains with, the cheapest first."""


def explainers(
    names: Iterable[str], *, settings: Mapping[str, Mapping[str, Any]] | None = None
) -> dict[str, Explainer]:
    """Explainers by the name that the catalog gives them, in the order asked for.

    Args:
        names: of explainers; dashes and underscores are the same.
        settings: by explainer, values of its fields; text is turned into numbers where a field is one.

    Raises:
        UsageError: no such explainer or setting, or a value that the setting cannot have.

    >>> explainers(["lime"], settings={"lime": {"samples": "640"}})["lime"].samples
    640
    """
    settings = {name.replace("-", "_").lower(): values for name, values in (settings or {}).items()}
    found = {}
    for name in names:
        stem = name.strip().replace("-", "_").lower()
        found[stem] = _made(catalog.load(Explainer, stem), stem, settings.get(stem, {}))
    if unused := settings.keys() - found.keys():
        raise UsageError(
            f"There are settings for {', '.join(sorted(unused))}, which was not asked for.",
            hint=f"Methods asked for: {', '.join(found)}.",
        )
    return found


def controls(*, seed: int = 0) -> dict[str, Explainer]:
    """The explainers that do not look at what the model does, by name."""
    kinds = {name: catalog.load(Explainer, name) for name in catalog.names(Explainer)}
    return {
        name: _made(kind, name, {"seed": seed} if "seed" in _fields(kind) else {})
        for name, kind in kinds.items()
        if kind.control
    }


def measures() -> dict[str, Measure]:
    """Every measure with the settings it has by default, those that explain again last."""
    found = {name: catalog.load(Measure, name)() for name in catalog.names(Measure)}
    return dict(sorted(found.items(), key=lambda item: (item[1].repeats, item[0])))


def _made(kind: type[Explainer], name: str, values: Mapping[str, Any]) -> Explainer:
    from pydantic import TypeAdapter, ValidationError

    unknown = [key for key in values if key not in _fields(kind)]
    if unknown:
        raise UsageError(
            f"{name} has no setting called {unknown[0]!r}.",
            hint=f"It has {', '.join(_fields(kind)) or 'none'}.",
        )
    try:
        made: Explainer = TypeAdapter(kind).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{name}.{where}: {first['msg']}, not {first['input']!r}.") from error
    return made


def _fields(kind: type[Explainer]) -> tuple[str, ...]:
    return tuple(getattr(kind, "__dataclass_fields__", ()))
