"""From a recipe to pixels and exact masks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from allsight.data.smears.camera import photograph
from allsight.data.smears.field import Field, compose
from allsight.data.smears.patient import draw_patient
from allsight.data.smears.recipe import Recipe, Smear
from allsight.data.smears.shortcuts import burn_scale_bar, style_for, tinted
from allsight.data.smears.stain import transmitted

if TYPE_CHECKING:
    from numpy.typing import NDArray

_PATIENT, _FIELD, _SHOT, _SHORTCUT = range(4)


def generate(recipe: Recipe) -> Smear:
    """The field that a recipe describes; a function of the recipe alone.

    Cells, light and shortcuts draw from separate streams of randomness: planting a shortcut moves no cell, and
    the patient's stain and light know nothing of the label.

    >>> smear = generate(Recipe(seed=7, patient=0, image=0, label="Early", size=96))
    >>> smear.image.shape, sorted(smear.masks)
    ((96, 96, 3), ['cell', 'nucleus'])
    """
    patient = draw_patient(np.random.default_rng([recipe.seed, _PATIENT, recipe.patient]))
    field = compose(recipe, patient, rng=_stream(recipe, _FIELD))
    passed = transmitted(field.amounts, patient.dyes)
    picture = photograph(passed, patient.light, scale=recipe.pixels_per_micron, rng=_stream(recipe, _SHOT))
    return _with_shortcuts(picture, field, recipe)


def _stream(recipe: Recipe, stage: int) -> np.random.Generator:
    return np.random.default_rng([recipe.seed, stage, recipe.patient, recipe.image])


def _with_shortcuts(picture: NDArray[np.uint8], field: Field, recipe: Recipe) -> Smear:
    rng = _stream(recipe, _SHORTCUT)
    masks = {"cell": field.instances > 0, "nucleus": field.nuclei}
    instances = field.instances
    if recipe.stain is not None:
        picture = tinted(picture, style_for(recipe.label, strength=recipe.stain, rng=rng))
        masks["stain"] = np.ones(picture.shape[:2], np.bool_)
    if recipe.scale_bar is not None:
        style = style_for(recipe.label, strength=recipe.scale_bar, rng=rng)
        picture, bar = burn_scale_bar(picture, style, scale=recipe.pixels_per_micron)
        masks |= {"cell": masks["cell"] & ~bar, "nucleus": masks["nucleus"] & ~bar, "scale_bar": bar}
        instances = np.where(bar, np.uint16(0), instances)
    return Smear(image=picture, masks=masks, instances=instances, kinds=field.kinds)
