"""What can happen to a picture of a smear and leave its cells as they are: light, stain, focus, size, noise.

Pure functions from uint8 RGB (H, W, 3) to uint8 RGB of the same size, shared by training, which learns from them, and
by the stress tests, which ask whether it did. Stain jitter follows Tellez et al., "Whole-slide mitosis detection in H&E
breast histology using PHH3 as a reference to train distilled stain-invariant convolutional networks" (IEEE TMI 2018):
haematoxylin, eosin and residual are scaled and shifted apart, in optical density, where stains add. Recolouring follows
Reinhard et al., "Color transfer between images" (IEEE CG&A 2001), in CIE Lab. Cells are cut and pasted as by Dwibedi,
Misra & Hebert, "Cut, paste and learn: surprisingly easy synthesis for instance detection" (ICCV 2017).
"""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from allsight.core.records import Box

    Image = NDArray[np.uint8]


def _turn(image: Image, *, quarters: int, mirrored: bool) -> Image:
    return np.ascontiguousarray(np.rot90(image[:, ::-1] if mirrored else image, quarters))


# The eight ways to lay a square slide; the first changes nothing.
TURNS = tuple(
    partial(_turn, quarters=quarters, mirrored=mirrored)
    for mirrored in (False, True)
    for quarters in range(4)
)


def hide_box(image: Image, box: Box) -> Image:
    """A copy whose box is painted with the image's own median colour, so that nothing in it can be learned.

    Args:
        image: uint8 RGB (H, W, 3).
        box: in fractions of height and width.
    """
    hidden = image.copy()
    rows, columns = box.pixels(*image.shape[:2])
    hidden[rows, columns] = np.median(image[::4, ::4].reshape(-1, 3), axis=0).astype(np.uint8)
    return hidden


def transplant(image: Image, field: Image, *, share: float, rng: np.random.Generator) -> Image:
    """Some of the leukocytes of one picture on the field of another, which has lost its own.

    Red cells, slide and how close cells lie tell of a person's blood and a laboratory, and not of the leukocytes.

    Args:
        image: uint8 RGB (H, W, 3), whose leukocytes are shown; given back as it is if none are found.
        field: uint8 RGB of any size, brought to that of `image`; its leukocytes are painted over with its empty slide.
        share: probability of each clump of leukocytes to be shown; one is shown in any case.
        rng: which of them.
    """
    import cv2

    from allsight.data.cells import cell_mask, labelled

    labels, areas = labelled(cell_mask(image))
    clumps = len(areas) - 1
    if not clumps:
        return image
    shown = np.concatenate([[False], rng.random(clumps) < share])
    shown[1 + rng.integers(clumps)] = True
    height, width = image.shape[:2]
    if field.shape != image.shape:
        field = np.asarray(cv2.resize(field, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
    slide = np.percentile(field[::3, ::3].reshape(-1, 3), 95, axis=0).astype(np.uint8)
    cleared = _blended(np.broadcast_to(slide, field.shape), field, mask=cell_mask(field))
    return _blended(image, cleared, mask=shown[labels])


def jitter_stain(image: Image, *, factors: NDArray[np.float64], shifts: NDArray[np.float64]) -> Image:
    """Scale and shift the optical density of each stain.

    Args:
        image: uint8 RGB (H, W, 3).
        factors: (3,), for haematoxylin, eosin and residual; 1 changes nothing.
        shifts: (3,), added to each stain's density; 0 changes nothing.
    """
    to_stains, to_rgb = _stain_bases()
    # One affine map in density: D' = ((D · to_stains) · factors + shifts) · to_rgb
    matrix = (to_stains * factors) @ to_rgb
    density = _densities()[image].reshape(-1, 3) @ matrix.astype(np.float32) + (shifts @ to_rgb).astype(
        np.float32
    )
    light = np.exp(-density, out=density)
    np.clip(light * 256 - 0.5, 0, 255, out=light)
    return light.astype(np.uint8).reshape(image.shape)


def lab_statistics(image: Image) -> NDArray[np.float32]:
    """Mean and standard deviation of L, a and b: float32 (2, 3), L in [0, 100]."""
    pixels = _lab(image).reshape(-1, 3)
    return np.stack([pixels.mean(axis=0), pixels.std(axis=0)])


def recolour(image: Image, statistics: NDArray[np.float32]) -> Image:
    """Shift and scale L, a and b so that their means and deviations are those of another image.

    Args:
        image: uint8 RGB (H, W, 3).
        statistics: (2, 3), as `lab_statistics` gives them.
    """
    import cv2

    lab = _lab(image)
    mean, spread = lab.mean(axis=(0, 1)), lab.std(axis=(0, 1))
    moved = (lab - mean) * (statistics[1] / np.maximum(spread, 1e-3)) + statistics[0]
    rgb = cv2.cvtColor(moved.astype(np.float32), cv2.COLOR_LAB2RGB)
    return _rounded(rgb * 255)


def gain(image: Image, factors: NDArray[np.float64]) -> Image:
    """Each colour channel multiplied by its own factor (3,), as another lamp or white balance does."""
    return _rounded(image.astype(np.float32) * factors.astype(np.float32))


def grey(image: Image) -> Image:
    """Luminance only, in all three channels."""
    import cv2

    return np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def blur(image: Image, sigma: float) -> Image:
    """Gaussian blur of `sigma` pixels."""
    import cv2

    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), dtype=np.uint8) if sigma > 0 else image


def zoom(image: Image, factor: float) -> Image:
    """Magnified about the centre; below 1 what lies outside mirrors what lies inside."""
    return _about_centre(image, degrees=0.0, factor=factor)


def noise(image: Image, deviation: float, *, rng: np.random.Generator) -> Image:
    """Independent normal noise, its standard deviation in units of full scale."""
    drawn = rng.standard_normal(image.shape, dtype=np.float32)
    return _rounded(image.astype(np.float32) + np.float32(255 * deviation) * drawn)


def rotate(image: Image, degrees: float) -> Image:
    """Turned about the centre, counter-clockwise; the empty corners mirror what lies inside."""
    return _about_centre(image, degrees=degrees, factor=1.0)


def coarsen(image: Image, factor: float) -> Image:
    """What is left of it after a camera with pixels `factor` times as wide, at the old size."""
    import cv2

    height, width = image.shape[:2]
    small = max(1, round(width / factor)), max(1, round(height / factor))
    reduced = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR), dtype=np.uint8)


def shade(image: Image, depth: float, *, direction: float) -> Image:
    """Light that falls off evenly across the field, from all of it to 1 - `depth`, along `direction` in radians."""
    height, width = image.shape[:2]
    along = np.add.outer(
        np.linspace(-0.5, 0.5, height) * np.sin(direction), np.linspace(-0.5, 0.5, width) * np.cos(direction)
    )
    ramp = (along - along.min()) / max(float(np.ptp(along)), 1e-9)
    return _rounded(image * (1 - depth * ramp[..., None]).astype(np.float32))


def jpeg(image: Image, quality: int) -> Image:
    """Through JPEG and back, at a quality in [1, 100]."""
    import cv2

    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    decoded = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), dtype=np.uint8)
    return np.ascontiguousarray(decoded[..., ::-1])


def dust(image: Image, specks: int, *, rng: np.random.Generator) -> Image:
    """Dark specks out of focus, 2 to 6 % of the field wide, each swallowing half to nine tenths of the light."""
    import cv2

    height, width = image.shape[:2]
    side = min(height, width)
    light = np.ones((height, width), np.float32)
    for x, y, size, longer, angle, opacity in rng.random((specks, 6)):
        mask = np.zeros((height, width), np.float32)
        radius = side * (0.01 + 0.02 * size)
        axes = max(1, round(radius)), max(1, round(radius * (1 + longer)))
        cv2.ellipse(mask, (int(x * width), int(y * height)), axes, 180 * angle, 0, 360, (1.0,), -1)
        light *= 1 - (0.5 + 0.4 * opacity) * cv2.GaussianBlur(mask, (0, 0), max(0.5, side / 224))
    return _rounded(image * light[..., None])


def _blended(above: Image, below: Image, *, mask: NDArray[np.bool_]) -> Image:
    """One picture where the mask is, another elsewhere, without a hard edge in between."""
    import cv2

    opacity = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), max(1.0, min(mask.shape) / 150))[..., None]
    return _rounded(opacity * above + (1 - opacity) * below)


def _rounded(values: NDArray[np.float32]) -> Image:
    """Values in [0, 255], clipped and rounded half up."""
    return (np.clip(values, 0, 255) + 0.5).astype(np.uint8)


def _lab(image: Image) -> NDArray[np.float32]:
    import cv2

    return np.asarray(cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), dtype=np.float32)


@cache
def _densities() -> NDArray[np.float32]:
    """Optical density of each of the 256 values; the half keeps black finite and the way back exact."""
    return (-np.log((np.arange(256) + 1) / 256)).astype(np.float32)


@cache
def _stain_bases() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """From density to haematoxylin, eosin and residual, and back (Ruifrok & Johnston 2001, as in scikit-image)."""
    rgb_from_stains = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
    return np.linalg.inv(rgb_from_stains), rgb_from_stains


def _about_centre(image: Image, *, degrees: float, factor: float) -> Image:
    """Turned counter-clockwise and magnified; what would lie outside mirrors what lies inside."""
    import cv2

    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, factor)
    moved = cv2.warpAffine(
        image, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
    return np.asarray(moved, dtype=np.uint8)
