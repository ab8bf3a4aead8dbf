"""`data synthesize`: generated smears as files, with masks and a manifest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allsight.core.errors import UsageError
from allsight.core.files import check_writable
from allsight.core.progress import Progress, silent
from allsight.data.datasets.synthetic import Synthetic, export


@dataclass(frozen=True, slots=True)
class Synthesized:
    """What was written."""

    manifest: Path
    n_images: int
    classes: dict[str, int]

    def to_json(self) -> dict[str, Any]:
        """The document of `data synthesize --json`."""
        return {"manifest": str(self.manifest), "n_images": self.n_images, "classes": self.classes}


def synthesize(
    recipe: str, *, out: str | Path, masks: bool = True, progress: Progress = silent
) -> Synthesized:
    """Write generated smears as PNG files.

    Args:
        recipe: a seed with options, as after "synthetic:"; docs/data/synthetic.md lists the options.
        out: a folder that does not exist yet, or is empty.
        masks: whether to write the exact masks of cells, nuclei and shortcuts too.
        progress: told after each image.

    Raises:
        UsageError: the folder is not empty, or an option is not known.

    >>> import tempfile
    >>> synthesize("1?images=8&patients=4&size=64", out=tempfile.mkdtemp()).n_images
    8
    """
    folder = Path(out)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{str(folder)!r} is not an empty folder.", hint="Choose another --out.")
    check_writable(folder)
    dataset = Synthetic.open(recipe)
    manifest = export(dataset, folder, masks=masks, progress=progress)
    counts = {c: sum(s.label == c for s in dataset.samples) for c in dataset.classes}
    return Synthesized(manifest, len(dataset.samples), counts)
