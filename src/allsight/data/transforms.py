"""How training images are varied. Pure: all randomness comes from the generator given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from numpy.typing import NDArray

    from allsight.core.records import Box


class Augmentation(BaseModel):
    """What is varied, how often and how much.

    One laboratory's stain, lamp and focus say nothing about the disease, and a network that reads them fails in the
    next laboratory. So each is taken away in a part of the images.

    Attributes:
        untouched: share of the images that are only mirrored and turned, as the pictures are that a model will meet.
        flip: probability of a mirror image.
        turn: whether images are turned by a random multiple of 90 degrees, which needs no resampling.
        transplant: probability that some of the leukocytes are shown on the field of another training image, cleared of
            its own: what lies around cells, and how many there are, goes with a person and not with the disease.
        transplant_least: each clump of them is then shown with one probability, drawn from this to 1; among few there
            may be none that is ill.
        damage_least: each change from here on that an image is to have is kept with one probability, drawn for it from
            this to 1. At 0 some have one change only, as a picture has that is out of focus and else as it should be;
            at 1 they have all that their own chances give them.
        hide_corner: probability that the corner with the source's scale bar is painted over, and the other three.
        zoom: half width of the uniform logarithm of the magnification.
        stain: half width of the uniform factor on each stain; 0 for none.
        stain_shift: half width of the uniform shift of each stain's optical density.
        recolour: probability that an image takes the Lab means and deviations of another training image.
        gain: half width of the uniform factor on each colour channel.
        grey: probability that only luminance is left.
        blur: probability of a blur.
        blur_most: largest standard deviation of the blur, in pixels of an image of 224 pixels.
        shade: probability that light falls off across the field.
        shade_most: largest share of the light that is then missing at the far side.
        dust: probability of dark specks.
        dust_most: largest number of them.
        noise: largest standard deviation of normal noise, in units of full scale.
        jpeg: probability of lossy compression.
        jpeg_least: lowest quality of it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    untouched: float = Field(default=0.0, ge=0, le=1)
    flip: float = Field(default=0.5, ge=0, le=1)
    turn: bool = True
    transplant: float = Field(default=0.0, ge=0, le=1)
    transplant_least: float = Field(default=0.5, ge=0, le=1)
    damage_least: float = Field(default=1.0, ge=0, le=1)
    hide_corner: float = Field(default=0.5, ge=0, le=1)
    zoom: float = Field(default=0.15, ge=0, le=1)
    stain: float = Field(default=0.2, ge=0, lt=1)
    stain_shift: float = Field(default=0.02, ge=0, le=0.5)
    recolour: float = Field(default=0.5, ge=0, le=1)
    gain: float = Field(default=0.25, ge=0, lt=1)
    grey: float = Field(default=0.15, ge=0, le=1)
    blur: float = Field(default=0.4, ge=0, le=1)
    blur_most: float = Field(default=2.2, ge=0, le=20)
    shade: float = Field(default=0.3, ge=0, le=1)
    shade_most: float = Field(default=0.6, ge=0, le=1)
    dust: float = Field(default=0.15, ge=0, le=1)
    dust_most: int = Field(default=20, ge=0, le=1000)
    noise: float = Field(default=0.05, ge=0, le=1)
    jpeg: float = Field(default=0.25, ge=0, le=1)
    jpeg_least: int = Field(default=15, ge=1, le=95)


def augment(
    image: NDArray[np.uint8],
    settings: Augmentation,
    *,
    rng: np.random.Generator,
    overlay: Box | None = None,
    palette: NDArray[np.float32] | None = None,
    another: Callable[[float], NDArray[np.uint8]] | None = None,
) -> NDArray[np.uint8]:
    """A varied copy of an image.

    Args:
        image: uint8 RGB (H, W, 3).
        settings: what is varied and how much.
        rng: all randomness; the same generator state gives the same bytes.
        overlay: where the source burnt in a scale bar, or None.
        palette: float32 (n, 2, 3), `effects.lab_statistics` of training images; None recolours nothing.
        another: gives the training image that lies at a share in [0, 1) of all; None transplants nothing.

    Returns:
        uint8 RGB (H, W, 3), contiguous; (W, H, 3) after a quarter turn.
    """
    import numpy as np

    from allsight.data import effects

    # Every number is drawn whether it is used or not, so that one setting never changes another's draws.
    hide, recolour, grey, blur, flip = rng.random(5)
    turns = int(rng.integers(4))
    factors = 1 + settings.stain * rng.uniform(-1, 1, size=3)
    shifts = settings.stain_shift * rng.uniform(-1, 1, size=3)
    gains = 1 + settings.gain * rng.uniform(-1, 1, size=3)
    magnification = float(np.exp(settings.zoom * rng.uniform(-1, 1)))
    sigma, deviation = rng.random(2) * (settings.blur_most * min(image.shape[:2]) / 224, settings.noise)
    other = float(rng.random())
    grain = np.random.default_rng(rng.integers(2**63))
    shade, dust, jpeg = rng.random(3)
    depth, direction = rng.random(2) * (settings.shade_most, 2 * np.pi)
    specks, quality = int(rng.integers(settings.dust_most + 1)), int(rng.integers(settings.jpeg_least, 96))
    fall = np.random.default_rng(rng.integers(2**63))

    untouched = rng.random()
    transplant, donor = rng.random(2)
    share = rng.uniform(settings.transplant_least, 1)
    choice = np.random.default_rng(rng.integers(2**63))

    boxes = () if overlay is None else overlay.mirrored()
    colours = () if palette is None else palette
    changes: tuple[tuple[bool, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]], ...] = (
        (hide < settings.hide_corner, lambda x: _hidden(x, boxes)),
        (settings.zoom > 0, lambda x: effects.zoom(x, magnification)),
        (
            len(colours) > 0 and recolour < settings.recolour,
            lambda x: effects.recolour(x, colours[int(other * len(colours))]),
        ),
        (
            settings.stain + settings.stain_shift > 0,
            lambda x: effects.jitter_stain(x, factors=factors, shifts=shifts),
        ),
        (settings.gain > 0, lambda x: effects.gain(x, gains)),
        (grey < settings.grey, effects.grey),
        (shade < settings.shade, lambda x: effects.shade(x, depth, direction=direction)),
        (dust < settings.dust, lambda x: effects.dust(x, specks, rng=fall)),
        (blur < settings.blur, lambda x: effects.blur(x, sigma)),
        (settings.noise > 0, lambda x: effects.noise(x, deviation, rng=grain)),
        (jpeg < settings.jpeg, lambda x: effects.jpeg(x, quality)),
    )
    kept = rng.random(len(changes)) < rng.uniform(settings.damage_least, 1)

    if untouched >= settings.untouched:
        if another is not None and transplant < settings.transplant:
            image = effects.transplant(image, another(donor), share=share, rng=choice)
        for (is_due, change), stays in zip(changes, kept, strict=True):
            if is_due and stays:
                image = change(image)
    if flip < settings.flip:
        image = image[:, ::-1]
    if settings.turn:
        image = np.rot90(image, turns)
    return np.ascontiguousarray(image)


def _hidden(image: NDArray[np.uint8], boxes: Iterable[Box]) -> NDArray[np.uint8]:
    """The image with these boxes painted over."""
    from allsight.data import effects

    for box in boxes:
        image = effects.hide_box(image, box)
    return image
