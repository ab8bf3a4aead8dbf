"""How well `allsight.data.cells` finds nuclei, held against masks drawn by experts and against two usual ways.

    python benchmarks/segmentation.py FOLDER [--generated DATA] [--json] [--sheet OUT.png --taleqani FOLDER]

FOLDER holds images and, beside each, its mask as NAME.png: 255 nucleus, 128 cytoplasm, 0 background with red cells.
That is how segmentation_WBC (Zheng et al., Micron 107, 2018, doi 10.1016/j.micron.2018.01.010) codes its masks; a few
of them hold stray values, which count as the nearest of the three and are reported by name.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from allsight.core.errors import AllsightError, DataError
from allsight.data.cells import cell_mask, nucleus_count, nucleus_mask
from allsight.data.datasets.synthetic import Synthetic
from allsight.data.images import image_paths, read_image
from allsight.data.source import open_dataset
from allsight.evaluate.bootstrap import RESAMPLES, Draws, Estimate, resampled_weights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    Image = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

CODES = {"background": 0, "cytoplasm": 128, "nucleus": 255}
PER_CLASS = 12
WORST = 5
SMALLEST = 0.002  # of the image
TILE = 320  # pixels a side in a sheet
NUCLEUS_LINE, CELL_LINE, TRUTH_LINE = (255, 255, 0), (0, 160, 0), (255, 0, 0)


@dataclass(frozen=True, slots=True)
class Case:
    """One image with its true nuclei.

    Attributes:
        nucleus: bool (H, W).
        strays: how many pixels of the mask held each value outside the code.
        count: how many leukocytes show a nucleus that is large enough to be found, where that is known.
    """

    name: str
    image: Image
    nucleus: Mask
    strays: dict[int, int]
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """What one way reached on all images.

    Attributes:
        dice: mean over images with its 95 % interval from a bootstrap over images.
        median: of the images' Dice.
        by_image: Dice by name.
        seconds: median processor time an image.
    """

    dice: Estimate
    median: float
    by_image: dict[str, float]
    seconds: float

    @property
    def worst(self) -> list[tuple[str, float]]:
        return sorted(self.by_image.items(), key=lambda item: item[1])[:WORST]


def dice(mask: Mask, truth: Mask) -> float:
    """Twice the overlap by the sum of both areas (Dice 1945), in [0, 1]; 1 where both are empty."""
    areas = int(mask.sum()) + int(truth.sum())
    return 2 * int((mask & truth).sum()) / areas if areas else 1.0


def coded(values: Image) -> tuple[Image, dict[int, int]]:
    """Each value as the nearest code, uint8 (H, W), and how many pixels held each value outside the code."""
    codes = np.array(sorted(CODES.values()))
    nearest = codes[np.abs(np.arange(256)[:, None] - codes).argmin(axis=1)].astype(np.uint8)
    held, counts = np.unique(values, return_counts=True)
    strays = {int(v): int(n) for v, n in zip(held, counts, strict=True) if v not in codes}
    return nearest[values], strays


def masked_images(folder: Path) -> Iterable[Case]:
    """Every image of the folder with its mask.

    Raises:
        DataError: no image has a mask beside it, an image lacks one, or a mask is coloured or of another size.
    """
    images = [path for path in image_paths([folder]) if path.suffix.lower() != ".png"]
    if not images:
        raise DataError(f"{folder} holds no image beside a mask", hint="Expected NAME.bmp beside NAME.png.")
    for path in images:
        beside = path.with_suffix(".png")
        if not beside.is_file():
            raise DataError(f"{path.name} has no mask", hint=f"Expected {beside.name} beside it.")
        image, mask = read_image(path), read_image(beside)
        if mask.shape != image.shape or (mask != mask[:, :, :1]).any():
            raise DataError(
                f"{beside.name} is no mask of {path.name}: {mask.shape} for {image.shape}, or coloured",
                hint="Expected a grey image of the same size: 0 background, 128 cytoplasm, 255 nucleus.",
            )
        classes, strays = coded(mask[:, :, 0])
        yield Case(path.name, image, classes == CODES["nucleus"], strays)


def generated_images(data: str) -> Iterable[Case]:
    """Every image of a generated data set, "synthetic:SEED?…", with its exact mask and count."""
    dataset = Synthetic.open(data.removeprefix("synthetic:"))
    for sample in dataset.samples:
        smear = dataset.smear(sample)
        nucleus = smear.masks["nucleus"]
        areas = np.bincount(smear.instances[nucleus])[1:]
        yield Case(sample.name, smear.image, nucleus, {}, int((areas >= SMALLEST * nucleus.size).sum()))


def otsu_green(image: Image) -> Mask:
    """The darkest of three classes in green, by Otsu's method for several thresholds."""
    return _lowest_of_three(image[:, :, 1])


def otsu_lab_b(image: Image) -> Mask:
    """The bluest of three classes in CIELAB b*, by the same method."""
    from skimage.color import rgb2lab

    return _lowest_of_three(rgb2lab(image)[:, :, 2])


def _lowest_of_three(values: NDArray[np.generic]) -> Mask:
    from skimage.filters import threshold_multiotsu

    lower, _ = threshold_multiotsu(values, classes=3)  # type: ignore[no-untyped-call]
    return np.asarray(values <= lower, dtype=np.bool_)


def cleaned(mask: Mask) -> Mask:
    """Without objects below 0.2 % of the image, and with holes below that filled: as ours does."""
    from skimage.morphology import remove_small_holes, remove_small_objects

    least = round(SMALLEST * mask.size)
    return np.asarray(
        remove_small_holes(remove_small_objects(mask, max_size=least), max_size=least), np.bool_
    )


WAYS: dict[str, Callable[[Image], Mask]] = {
    "allsight.data.cells.nucleus_mask": nucleus_mask,
    "three-class Otsu, green": otsu_green,
    "three-class Otsu, Lab b*": otsu_lab_b,
    "three-class Otsu, green, cleaned": lambda image: cleaned(otsu_green(image)),
    "three-class Otsu, Lab b*, cleaned": lambda image: cleaned(otsu_lab_b(image)),
}


def mean_estimate(values: Sequence[float], *, names: Sequence[str]) -> Estimate:
    """Mean with a 95 % percentile interval over images."""
    array = np.asarray(values)
    resampled = [w @ array / w.sum(axis=1) for w in resampled_weights(names, resamples=RESAMPLES, seed=0)]
    return Draws(np.asarray(array.mean()), np.concatenate(resampled)).estimate()


def measure(cases: Sequence[Case], *, way: Callable[[Image], Mask]) -> Result:
    """One way on every image."""
    way(cases[0].image)  # the first call loads libraries
    by_image, seconds = {}, []
    for case in cases:
        start = time.process_time()
        mask = way(case.image)
        seconds.append(time.process_time() - start)
        by_image[case.name] = dice(mask, case.nucleus)
    values = list(by_image.values())
    return Result(
        dice=mean_estimate(values, names=list(by_image)),
        median=float(np.median(values)),
        by_image=by_image,
        seconds=float(np.median(seconds)),
    )


def outlined(image: Image, *, truth: Mask | None = None) -> Image:
    """The image enlarged, with nuclei in yellow, cells in green and true nuclei in red, uint8 (TILE, TILE, 3)."""
    scale = TILE / max(image.shape[:2])
    tile = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    layers = [(cell_mask(image), CELL_LINE), (nucleus_mask(image), NUCLEUS_LINE)]
    if truth is not None:
        layers.append((truth, TRUTH_LINE))
    for mask, colour in layers:
        size = (tile.shape[1], tile.shape[0])
        large = cv2.resize(mask.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        contours, _ = cv2.findContours(large, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(tile, contours, -1, colour, 1)
    canvas = np.full((TILE, TILE, 3), 255, np.uint8)
    canvas[: tile.shape[0], : tile.shape[1]] = tile
    return canvas


def sheet(tiles: Sequence[Image], *, columns: int) -> Image:
    """Tiles row by row, filled up with white."""
    blank = np.full((TILE, TILE, 3), 255, np.uint8)
    padded = [*tiles, *[blank] * (-len(tiles) % columns)]
    rows = [np.hstack(padded[i : i + columns]) for i in range(0, len(padded), columns)]
    return np.asarray(np.vstack(rows), dtype=np.uint8)


def write_sheets(out: Path, *, taleqani: Path, per_class: int) -> list[Path]:
    """One sheet a class, OUT-CLASS.png, of images spread evenly over the sorted names."""
    dataset = open_dataset(f"taleqani:{taleqani}")
    written = []
    for name in dataset.classes:
        samples = [s for s in dataset.samples if s.label == name]
        chosen = [samples[i] for i in np.linspace(0, len(samples) - 1, per_class).astype(int)]
        path = out.with_name(f"{out.stem}-{name}{out.suffix}")
        drawn = sheet([outlined(dataset.read(s)) for s in chosen], columns=4)
        cv2.imwrite(str(path), np.ascontiguousarray(drawn[:, :, ::-1]))
        written.append(path)
    return written


def told(title: str, cases: Sequence[Case], results: dict[str, Result]) -> str:
    """The figures of one collection as text."""
    lines = [f"{title}: {len(cases)} images"]
    for name, result in results.items():
        low, high = result.dice.low, result.dice.high
        interval = "" if low is None or high is None else f" [{low:.4f}, {high:.4f}]"
        lines.append(
            f"  {name:34} Dice mean {result.dice.value:.4f}{interval} median {result.median:.4f}"
            f" {1000 * result.seconds:5.1f} ms"
        )
        lines.append("    worst: " + ", ".join(f"{image} {value:.3f}" for image, value in result.worst))
    errors = [nucleus_count(c.image) - c.count for c in cases if c.count is not None]
    if errors:
        exact = np.mean(np.equal(errors, 0))
        lines.append(
            f"  nucleus_count: off by {np.abs(errors).mean():.2f} on average, too many by {np.mean(errors):+.2f},"
            f" exact in {exact:.0%}; {sum(c.count or 0 for c in cases)} nuclei in all"
        )
    odd = [f"{c.name} {c.strays}" for c in cases if c.strays]
    if odd:
        lines.append(
            f"  masks with values outside the code, counted as the nearest: {len(odd)}: {'; '.join(odd)}"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path, help="images with masks beside them")
    parser.add_argument(
        "--generated", metavar="DATA", help="also a generated set, such as synthetic:1?images=48"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--sheet", type=Path, metavar="OUT.png", help="draw outlines; needs --taleqani")
    parser.add_argument("--taleqani", type=Path, metavar="FOLDER", help="Taleqani set for the sheets")
    parser.add_argument("--per-class", type=int, default=PER_CLASS, help="images a class in the sheets")
    options = parser.parse_args()
    if (options.sheet is None) != (options.taleqani is None):
        parser.error("--sheet and --taleqani go together")
    cv2.setNumThreads(1)

    collections = {str(options.folder.name): list(masked_images(options.folder))}
    if options.generated:
        collections[options.generated] = list(generated_images(options.generated))
    results = {
        title: {name: measure(cases, way=way) for name, way in WAYS.items()}
        for title, cases in collections.items()
    }
    if options.json:
        print(json.dumps({t: {n: dataclasses.asdict(r) for n, r in rs.items()} for t, rs in results.items()}))
    else:
        print("\n".join(told(title, cases, results[title]) for title, cases in collections.items()))
    if options.sheet is not None:
        title, cases = next(iter(collections.items()))
        ours = results[title]["allsight.data.cells.nucleus_mask"].by_image
        worst = sorted(cases, key=lambda case: ours[case.name])[: options.per_class]
        path = options.sheet.with_name(f"{options.sheet.stem}-worst{options.sheet.suffix}")
        drawn = sheet([outlined(case.image, truth=case.nucleus) for case in worst], columns=4)
        cv2.imwrite(str(path), np.ascontiguousarray(drawn[:, :, ::-1]))
        for written in [
            path,
            *write_sheets(options.sheet, taleqani=options.taleqani, per_class=options.per_class),
        ]:
            print(f"written: {written}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AllsightError as error:
        sys.exit(f"{type(error).__name__}: {error}")
