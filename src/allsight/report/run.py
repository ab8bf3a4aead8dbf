"""What a run's folder holds, read for a page. Only evaluation.json must be there; the rest is shown if it is."""

from __future__ import annotations

import base64
import csv
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from allsight.core.errors import DataError, ImageError
from allsight.data.images import read_image
from allsight.evaluate.document import Evaluation
from allsight.models.bundle import read_config

EVALUATION_FILE, AUDIT_FILE, TRAINING_FILE = "evaluation.json", "audit.json", "training.csv"
EXPLANATIONS_FILE = "explanations/explanations.json"
PICTURE_SIDE = 256  # pixels; a smear field of 224 stays as it is
STRIP_WIDTH = 1600  # pixels; an image and four maps side by side, text below them readable
_PICTURE_QUALITY = 88  # JPEG: two dozen fields stay under a megabyte, as PNG they would take four


@dataclass(frozen=True, slots=True)
class Run:
    """The records a page is made from.

    Attributes:
        evaluation: the figures.
        audit: what `allsight data audit` wrote, or None.
        training: columns of the training log by name, empty where there were no epochs.
        pictures: data URIs of the hardest images, by the path the evaluation gives them.
        strips: data URIs of an image beside its maps, by the path the evaluation gives the image.
        inapplicable: by method of explanation, why it cannot explain this model.
        card: what the bundle says of itself, or None.
    """

    evaluation: Evaluation
    audit: dict[str, Any] | None
    training: dict[str, list[float | None]]
    pictures: dict[str, str]
    strips: dict[str, str]
    inapplicable: dict[str, str]
    card: dict[str, Any] | None


def read_run(folder: Path, *, bundle: Path | None = None) -> Run:
    """Read a run's folder, and the bundle's for its training log and its own record.

    Raises:
        DataError: there is no evaluation.json, or a file is not what its name says.
        BundleError: `bundle` is no bundle.
    """
    path = folder / EVALUATION_FILE
    if not path.is_file():
        raise DataError(
            f"There is no {EVALUATION_FILE} in {str(folder)!r}.",
            hint="Give the folder that `allsight evaluate` wrote.",
        )
    evaluation = Evaluation.from_json(_object(path))
    logs = [f / TRAINING_FILE for f in (folder, bundle) if f is not None]
    log = next((f for f in logs if f.is_file()), None)
    audit = folder / AUDIT_FILE
    wanted = {h.image for h in evaluation.hardest}
    explained = folder / EXPLANATIONS_FILE
    maps = _object(explained) if explained.is_file() else {}
    found = {image: _picture(folder, image) for image in sorted(wanted)}
    return Run(
        evaluation=evaluation,
        audit=_object(audit) if audit.is_file() else None,
        training=_columns(log) if log else {},
        pictures={image: uri for image, uri in found.items() if uri},
        strips=_strips(explained.parent, _texts(maps.get("strips")), wanted),
        inapplicable=_texts(maps.get("inapplicable")),
        card=None if bundle is None else read_config(bundle).model_dump(mode="json"),
    )


def _object(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name} is not readable JSON: {error}.", hint="Write it again.") from error
    if not isinstance(document, dict):
        raise DataError(f"{path.name} must hold a JSON object, it holds {type(document).__name__}.")
    return document


def _columns(path: Path) -> dict[str, list[float | None]]:
    """Numeric columns of a CSV by name; what is empty or no number is None, a column of nothing else is left out."""
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path.name} is not a readable CSV file: {error}.", hint="Write it again."
        ) from error
    names = [name for name in (rows[0] if rows else {}) if name]
    columns = {name: [_number(row.get(name)) for row in rows] for name in names}
    return {name: values for name, values in columns.items() if any(v is not None for v in values)}


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


def _texts(record: Any) -> dict[str, str]:
    return {str(k): str(v) for k, v in record.items()} if isinstance(record, dict) else {}


def _strips(folder: Path, named: dict[str, str], wanted: set[str]) -> dict[str, str]:
    """Pictures of explained images; they lie beside the document, wherever the run's folder has been moved to."""
    found = {
        image: _picture(folder, Path(file).name, width=STRIP_WIDTH)
        for image, file in sorted(named.items())
        if image in wanted
    }
    return {image: uri for image, uri in found.items() if uri}


def _picture(folder: Path, image: str, *, width: int = PICTURE_SIDE) -> str | None:
    """A data URI; None where the file is missing, outside the folder or no image: the page then does without."""
    path = (folder / image).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        return None
    try:
        pixels = read_image(path)
    except ImageError:
        return None
    from PIL import Image

    picture = Image.fromarray(pixels)
    picture.thumbnail((width, max(width, PICTURE_SIDE)), Image.Resampling.LANCZOS)
    data = BytesIO()
    picture.save(data, format="JPEG", quality=_PICTURE_QUALITY, subsampling=0)
    return f"data:image/jpeg;base64,{base64.b64encode(data.getvalue()).decode('ascii')}"
