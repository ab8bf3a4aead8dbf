"""Maps of two models of the same images side by side, from what `allsight explain` wrote for each.

    python benchmarks/pictures.py DATA FOLDER0 FOLDER1 --titles "one,other" --methods cam,integrated_gradients
        [--columns 5] --out docs/images/where_they_look.png

One column an image, spread evenly over those that both folders hold; first the image, then each method's map by each
model.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from allsight.core.errors import AllsightError, DataError
from allsight.data.source import open_dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

SIDE, MARGIN = 150, 120


def main() -> None:
    """Draw, and say where."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data")
    parser.add_argument("folders", nargs=2, type=Path)
    parser.add_argument("--titles", required=True)
    parser.add_argument("--methods", default="cam,integrated_gradients")
    parser.add_argument("--columns", type=int, default=5)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    source = open_dataset(given.data)
    samples = {sample.name: sample for sample in source.samples}
    found = [overlays(folder) for folder in given.folders]
    methods = given.methods.split(",")
    both = sorted(
        set.intersection(*({n for n, m in maps if m == method} for maps in found for method in methods))
    )
    if not both:
        raise DataError(
            "No image has all of these maps in both folders.", hint="Explain the same DATA twice."
        )
    places = np.linspace(0, len(both) - 1, min(given.columns, len(both))).round().astype(int)
    chosen = [both[place] for place in places]
    rows = [("smear", [Image.fromarray(source.read(samples[name])) for name in chosen])]
    for method in methods:
        for title, maps in zip(given.titles.split(","), found, strict=True):
            pictures = [Image.open(maps[name, method]) for name in chosen]
            rows.append((f"{method.replace('_', chr(10))},\n{title}", pictures))
    grid(rows).save(given.out, optimize=True)
    print(given.out)


def overlays(folder: Path) -> dict[tuple[str, str], Path]:
    """Where the map of an image by a method is drawn over it, from `explanations.json`."""
    rows = json.loads((folder / "explanations.json").read_text())["explanations"]
    return {(row["path"], row["method"]): Path(row["overlay"]) for row in rows if row.get("overlay")}


def grid(rows: Sequence[tuple[str, Sequence[Image.Image]]]) -> Image.Image:
    """Rows of images with their names at the left."""
    made = Image.new("RGB", (MARGIN + SIDE * len(rows[0][1]), SIDE * len(rows)), "white")
    draw, font = ImageDraw.Draw(made), ImageFont.load_default(size=16)
    for y, (title, images) in enumerate(rows):
        draw.multiline_text((8, SIDE * y + SIDE // 2 - 16), title, fill="black", font=font)
        for x, image in enumerate(images):
            made.paste(image.convert("RGB").resize((SIDE - 4, SIDE - 4)), (MARGIN + SIDE * x, SIDE * y))
    return made


if __name__ == "__main__":
    try:
        main()
    except AllsightError as error:
        sys.exit(f"{type(error).__name__}: {error}")
