"""What stored values mean as 8-bit RGB: grey, palette, alpha, CMYK, more than 8 bits, EXIF orientation.

Colour profiles are not applied: the pixels are those that the camera's software stored.
"""

from __future__ import annotations

import ctypes
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
import simplejpeg
from PIL import Image, _imaging
from PIL.TiffImagePlugin import BITSPERSAMPLE, PHOTOMETRIC_INTERPRETATION, PLANAR_CONFIGURATION, TiffImageFile

from allsight.core.errors import ImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile, _Tile

SAVE_ANEW = "Save it as JPEG, PNG, BMP or TIFF with 8 or 16 bits a channel."
COPY_AGAIN = "Copy the file again from its source."

_MEANINGFUL = frozenset(("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBa", "CMYK", "YCbCr", "I;16", "I;16B"))
_WHITE_IS_ZERO = 0


def silence_libtiff() -> None:
    """Keep the libtiff inside Pillow from writing on standard error; its failures still become exceptions.

    Looked up through Pillow's own extension, so it is that copy of the library and no other. Where its names
    are not exported, its lines stay; nothing else depends on this.
    """
    with suppress(OSError, AttributeError):
        library = ctypes.CDLL(_imaging.__file__)
        for setter in (library.TIFFSetErrorHandler, library.TIFFSetWarningHandler):
            setter.argtypes, setter.restype = [ctypes.c_void_p], ctypes.c_void_p
            setter(None)


def jpeg_pixels(file: BinaryIO) -> NDArray[np.uint8]:
    """uint8 RGB (H, W, 3) by libjpeg-turbo, which reports damage that Pillow's JPEG decoder passes over.

    Raises:
        ValueError: the compressed data are damaged or cut off.
    """
    file.seek(0)
    pixels: NDArray[np.uint8] = simplejpeg.decode_jpeg(file.read(), colorspace="RGB", strict=True)
    return pixels


def rgb_pixels(image: ImageFile, *, file: BinaryIO, name: str) -> NDArray[np.uint8]:
    """uint8 RGB (H, W, 3) of a PNG, BMP or TIFF of which only the header has been read.

    Args:
        image: opened from `file`.
        file: the whole file, seekable.
        name: what errors call it.

    Raises:
        ImageError: the values have no defined 8-bit meaning. What else a decoder raises means damage.
    """
    _check_meaning(image, name)
    wide = _wide_values(image, file)
    if wide is None:
        return _on_white(image, name)
    values, full = wide
    scaled = _to_8_bits(full)[values]
    nothing = image.info.get("transparency")
    if nothing is not None:  # PNG names one 16-bit colour that stands for "nothing here"
        scaled[(values == np.asarray(nothing)).all(axis=2)] = 255
    if scaled.shape[2] == 1:
        return np.repeat(scaled, 3, axis=2)
    return _on_white(Image.fromarray(scaled), name)


def _check_meaning(image: ImageFile, name: str) -> None:
    """Refuse what Pillow would decode without a defined 8-bit meaning, or wrongly."""
    if image.mode not in _MEANINGFUL:
        raise ImageError(
            f"{name}: pixels of type {image.mode!r} have no defined 8-bit colour.", hint=SAVE_ANEW
        )
    if not isinstance(image, TiffImageFile):
        return
    if sum(_area(tile) for tile in image.tile) < image.width * image.height:
        raise ImageError(f"{name}: the TIFF header does not say where all of its rows are.", hint=COPY_AGAIN)
    planar = image.tag_v2.get(PLANAR_CONFIGURATION, 1) == 2
    if planar and max(image.tag_v2.get(BITSPERSAMPLE, (1,))) > 8:
        raise ImageError(
            f"{name}: 16-bit channels stored one after the other are not supported.",
            hint="Save the TIFF with interleaved channels.",
        )


def _area(tile: _Tile) -> int:
    left, top, right, bottom = tile.extents or (0, 0, 0, 0)
    return (right - left) * (bottom - top)


def _wide_values(image: ImageFile, file: BinaryIO) -> tuple[NDArray[np.uint16], int] | None:
    """Values of more than 8 bits as uint16 (H, W, C), and which of them is full light; None for 8 bits."""
    if image.mode.startswith("I;16"):
        tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
        full = 2 ** max(tags.get(BITSPERSAMPLE, (16,))) - 1
        grey = np.array(image, dtype=np.uint16)[:, :, None]
        return (
            np.uint16(full) - grey if tags.get(PHOTOMETRIC_INTERPRETATION) == _WHITE_IS_ZERO else grey
        ), full
    if not _stored_as(image.tile[0]).startswith(("RGB;16", "RGBA;16")):
        return None
    # Pillow keeps each channel's high byte. Read in the other byte order, the same file gives the low one.
    high = np.array(image, dtype=np.uint16)
    file.seek(0)
    swapped = type(image)(file)
    swapped.tile = [_byte_swapped(tile) for tile in swapped.tile]
    low = np.array(swapped, dtype=np.uint16)
    return high * np.uint16(256) + low, 65535


def _stored_as(tile: _Tile) -> str:
    """Pillow's name for the order of bits and bytes in the file, such as "RGB;16B"."""
    return str(tile.args[0] if isinstance(tile.args, tuple) else tile.args)


def _byte_swapped(tile: _Tile) -> _Tile:
    stored = _stored_as(tile)
    native = "L" if sys.byteorder == "little" else "B"
    order = native if stored[-1] == "N" else stored[-1]
    other = stored[:-1] + {"B": "L", "L": "B"}[order]
    return tile._replace(args=(other, *tile.args[1:]) if isinstance(tile.args, tuple) else other)


def _to_8_bits(full: int) -> NDArray[np.uint8]:
    """What each value in [0, full] becomes in [0, 255]: by the full range, for 16 bits a division by 257.

    Scaling by an image's own brightest pixel would make its exposure depend on what it shows.
    """
    return np.round(np.arange(full + 1) * (255 / full)).astype(np.uint8)


def _on_white(image: Image.Image, name: str) -> NDArray[np.uint8]:
    """RGB with what is transparent laid on white, as bright-field light shows a place where nothing lies."""
    if not image.has_transparency_data:
        return np.array(image.convert("RGB"))
    layer = image.convert("RGBA")
    if not layer.getchannel("A").getbbox():
        raise ImageError(
            f"{name}: every pixel is fully transparent.", hint="Save it without the alpha channel."
        )
    white = Image.new("RGBA", layer.size, "white")
    return np.array(Image.alpha_composite(white, layer).convert("RGB"))


def upright(pixels: NDArray[np.uint8], orientation: object) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) turned and mirrored as EXIF orientation 1 to 8 asks; other values are reserved."""
    match orientation:
        case 2:
            return pixels[:, ::-1]
        case 3:
            return pixels[::-1, ::-1]
        case 4:
            return pixels[::-1]
        case 5:
            return pixels.transpose(1, 0, 2)
        case 6:
            return np.rot90(pixels, -1)
        case 7:
            return np.rot90(pixels, 2).transpose(1, 0, 2)
        case 8:
            return np.rot90(pixels)
    return pixels
