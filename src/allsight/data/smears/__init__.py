"""Generated smears: `generate(recipe)` draws one field with its exact masks."""

from allsight.data.smears.generator import generate
from allsight.data.smears.recipe import CLASSES, SUSPICIOUS, Recipe, Smear

__all__ = ["CLASSES", "SUSPICIOUS", "Recipe", "Smear", "generate"]
