"""What several verbs take: a bundle and images, where the bundle may be left out."""

from __future__ import annotations

import os
from pathlib import Path

from allsight.core.errors import UsageError

BUNDLE_AND_IMAGES = (
    "Folder that `allsight train` wrote [builtin: the model that ships], then image files or folders."
)


def bundle_and_images(arguments: list[str]) -> tuple[str, list[Path]]:
    """The bundle named first and the images after it; the model that ships where the first is an image already.

    A first argument that is neither stays the bundle, so that a mistyped one is never answered by another model.

    Raises:
        UsageError: nothing was given, or a path is empty.
    """
    from allsight.models.bundle import BUILTIN, CONFIG_FILE

    if not arguments or "" in arguments:
        raise UsageError(
            "A path is empty." if arguments else "There is nothing to look at.",
            hint="Give image files, folders of them, or a bundle and images.",
        )
    first = Path(arguments[0])
    is_bundle = arguments[0] == BUILTIN or os.path.isfile(first / CONFIG_FILE)
    if not is_bundle and _is_or_holds_images(first):
        return BUILTIN, [Path(a) for a in arguments]
    if os.path.isdir(first) and not is_bundle and not arguments[1:]:
        raise UsageError(
            f"{arguments[0]!r} is no bundle, for it has no {CONFIG_FILE}, and no image lies in it.",
            hint="Give image files, folders of them, or a bundle and images.",
        )
    return arguments[0], [Path(a) for a in arguments[1:]]


def _is_or_holds_images(path: Path) -> bool:
    from allsight.data.images import IMAGE_EXTENSIONS, begins_as_image

    files = path.rglob("*") if os.path.isdir(path) else (path,)
    return any(file.suffix.lower() in IMAGE_EXTENSIONS for file in files) or begins_as_image(path)
