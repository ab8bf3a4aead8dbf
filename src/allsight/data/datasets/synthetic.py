"""Generated smears: patients with one diagnosis each, and exact masks. The card is docs/data/synthetic.md.

An instance names recipes; pixels are drawn when they are read, and depend on nothing but the recipe.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, final

import numpy as np

from allsight.core.contracts import Dataset
from allsight.core.errors import DataError, UsageError
from allsight.core.progress import silent
from allsight.core.provenance import fingerprint
from allsight.core.records import Box, Sample
from allsight.data.loading import in_order
from allsight.data.manifest import ManifestRow, write_manifest
from allsight.data.smears import CLASSES, SUSPICIOUS, Recipe, Smear, generate
from allsight.data.smears.recipe import GENERATOR
from allsight.data.smears.shortcuts import SCALE_BAR_BOX
from allsight.data.source import listed, split_location

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from allsight.core.progress import Progress

IMAGES, PATIENTS = 480, 48
MOST_IMAGES = 1_000_000
SHORTCUTS = ("scale_bar", "stain")
OPTIONS = ("images", "patients", "size", "pixels_per_micron", "shortcut", "strength", "morphology")

_HINT = (
    "Write synthetic:SEED, for example synthetic:7?images=480&patients=48&shortcut=scale_bar&strength=0.9."
)
_DIGITS = 18  # of whole numbers, so that none is too long to convert
_DIAGNOSES = 4  # stream of randomness beside those of `smears.generator`


@final
@dataclass(frozen=True, eq=False)
class Synthetic(Dataset):
    """Fields of patients whose diagnoses are balanced and drawn apart from their stain, light and density.

    Attributes:
        recipes: what each sample is drawn from, by its name.
        overlay: where the scale bar is burnt in, or None where none is planted.
    """

    caution = "Generated smears show that the method works, not how well it reads real ones."

    samples: tuple[Sample, ...]
    recipes: Mapping[str, Recipe]
    overlay: Box | None = None  # type: ignore[misc]  # it depends on the options
    classes: tuple[str, ...] = CLASSES
    suspicious: tuple[str, ...] = SUSPICIOUS
    units: tuple[str, ...] = ("patient", "random")

    @classmethod
    def open(cls, location: str) -> Self:
        """Lay out "SEED" or "SEED?images=480&patients=48&size=224&shortcut=scale_bar&strength=0.9&…".

        More images or patients leave the earlier ones as they are: an image depends on the seed, on its patient,
        on its number and on the options that change pixels.

        Raises:
            UsageError: the seed is not a whole number from 0, or an option is unknown or out of range.
        """
        place, options = split_location(location, known=OPTIONS)
        seed = _whole("seed", place)
        patients = _whole("patients", options.get("patients", str(PATIENTS)))
        images = _whole("images", options.get("images", str(IMAGES)))
        if not len(CLASSES) <= patients <= images <= MOST_IMAGES:
            raise UsageError(
                f"Expected {len(CLASSES)} patients or more, at least one image each and at most {MOST_IMAGES} "
                f"images in all, got {patients} patients and {images} images.",
                hint=_HINT,
            )
        look = _look(options)
        recipes: dict[str, Recipe] = {}
        for patient, label in enumerate(_diagnoses(seed, patients)):
            for image in range(images // patients + (patient < images % patients)):
                recipe = Recipe(seed=seed, patient=patient, image=image, label=label, **look)
                recipes[_name(recipe)] = recipe
        samples = tuple(
            Sample(name, label=recipe.label, patient=_patient(recipe))
            for name, recipe in sorted(recipes.items())
        )
        return cls(samples, recipes, overlay=SCALE_BAR_BOX if "scale_bar" in look else None)

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """Pixels of one field, uint8 RGB (size, size, 3)."""
        return self.smear(sample).image

    def sha256(self, sample: Sample) -> str:
        """The hash of the recipe and the generator's version; nothing is drawn for it."""
        recipe = dataclasses.asdict(self._recipe(sample))
        return fingerprint([f"generated smear {GENERATOR}", *(f"{key}={recipe[key]!r}" for key in recipe)])

    def masks(self, sample: Sample) -> Mapping[str, NDArray[np.bool_]]:
        """Exact masks (size, size): "cell", "nucleus", and "scale_bar" and "stain" where they are planted."""
        return self.smear(sample).masks

    def smear(self, sample: Sample) -> Smear:
        """Pixels, masks and single cells of one field."""
        return generate(self._recipe(sample))

    def _recipe(self, sample: Sample) -> Recipe:
        if sample.name not in self.recipes:
            raise DataError(f"{sample.name} is no field of this generated set.", hint=_HINT)
        return self.recipes[sample.name]


def export(dataset: Synthetic, folder: Path, *, masks: bool = True, progress: Progress = silent) -> Path:
    """Write every field as PNG, with masks and a manifest that `manifest:` reads.

    Args:
        dataset: what to draw.
        folder: gets images/NAME, masks/KIND/NAME (white where the mask is) and, last, manifest.csv.
        masks: whether to write masks too.
        progress: told after each field.

    Returns:
        The manifest's path.
    """

    def row(sample: Sample) -> ManifestRow:
        smear = dataset.smear(sample)
        place = f"images/{sample.name}"
        digest = _write_png(folder / place, smear.image)
        for kind, mask in smear.masks.items() if masks else ():
            _write_png(folder / "masks" / kind / sample.name, mask.astype(np.uint8) * np.uint8(255))
        return ManifestRow(place, sample.label, sample.patient, sha256=digest)

    rows: list[ManifestRow] = []
    for done in in_order(row, dataset.samples):
        rows.append(done)
        progress("drawing smears", len(rows), len(dataset.samples))
    write_manifest(folder / "manifest.csv", rows)
    return folder / "manifest.csv"


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> str:
    """Write RGB (H, W, 3) or grey (H, W) pixels; gives the file's SHA-256."""
    from PIL import Image

    code = io.BytesIO()
    Image.fromarray(pixels).save(code, format="PNG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(code.getvalue())
    return hashlib.sha256(code.getvalue()).hexdigest()


def _diagnoses(seed: int, patients: int) -> list[str]:
    """A label for each patient: every four patients have the four classes in some order."""
    labels: list[str] = []
    while len(labels) < patients:
        rng = np.random.default_rng([seed, _DIAGNOSES, len(labels)])
        labels += [CLASSES[at] for at in rng.permutation(len(CLASSES))]
    return labels[:patients]


def _patient(recipe: Recipe) -> str:
    return f"patient-{recipe.patient:02d}"


def _name(recipe: Recipe) -> str:
    return f"{_patient(recipe)}/{recipe.label}-{recipe.image:04d}.png"


def _look(options: Mapping[str, str]) -> dict[str, Any]:
    """The options that change pixels, as fields of `Recipe`."""
    look: dict[str, Any] = dict(_strengths(options))
    if "size" in options:
        look["size"] = _whole("size", options["size"])
    if "pixels_per_micron" in options:
        look["pixels_per_micron"] = _number("pixels_per_micron", options["pixels_per_micron"])
    if "morphology" in options:
        look["morphology"] = options["morphology"]
    return look


def _strengths(options: Mapping[str, str]) -> dict[str, float]:
    """How strongly each planted shortcut follows the class."""
    planted = listed(options.get("shortcut", ""))
    strange = sorted(set(planted) - set(SHORTCUTS))
    if strange or len(set(planted)) < len(planted):
        raise UsageError(
            f"Expected shortcuts among {', '.join(SHORTCUTS)}, each once, got {', '.join(planted)}.",
            hint=_HINT,
        )
    if not planted and "strength" in options:
        raise UsageError("A strength was given, but no shortcut.", hint=_HINT)
    strengths = [_number("strength", text) for text in listed(options.get("strength", "1"))]
    if len(strengths) == 1:
        strengths *= len(planted)
    if len(strengths) != len(planted):
        raise UsageError(
            f"Expected one strength, or one for each of {len(planted)} shortcuts, got {len(strengths)}.",
            hint="Write shortcut=scale_bar,stain&strength=0.9,0.5.",
        )
    return dict(zip(planted, strengths, strict=True))


def _whole(what: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise UsageError(f"Expected a whole number from 0 as {what}, got {text!r}.", hint=_HINT)
    return int(text)


def _number(what: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"Expected a number as {what}, got {text!r}.", hint=_HINT) from error
