"""Bytes to pixels: JPEG, PNG, BMP and TIFF, always uint8 RGB (H, W, 3).

The header is read first and judged before a pixel is decoded, so a file that promises a gigapixel costs
nothing. Whatever the bytes are, the answer is an array or one `ImageError` that names the file.
"""

from __future__ import annotations

import logging
import os
import stat
import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ExifTags import Base
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH, TiffImageFile

from allsight.core.errors import ImageError, UsageError
from allsight.data.pixels import COPY_AGAIN, SAVE_ANEW, jpeg_pixels, rgb_pixels, silence_libtiff, upright

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile

    from allsight.core.records import Sample

MAX_PIXELS = 100_000_000
"""Largest image that is decoded, in pixels: more than one field of any slide camera has."""

# Pillow's plug-ins are called directly and what they only doubt is checked here, so their warnings would be
# noise beside the one error. The filter is set once: changing filters around each call races between threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
logging.getLogger("PIL").addHandler(logging.NullHandler())
silence_libtiff()


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    signatures: tuple[bytes, ...]
    extensions: tuple[str, ...]
    plugin: Callable[[BinaryIO], ImageFile]


_FORMATS = (
    _Format("JPEG", (b"\xff\xd8\xff",), (".jpg", ".jpeg", ".jpe", ".jfif"), JpegImageFile),
    _Format("PNG", (b"\x89PNG\r\n\x1a\n",), (".png",), PngImageFile),
    _Format("BMP", (b"BM",), (".bmp", ".dib"), BmpImageFile),
    _Format("TIFF", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), (".tif", ".tiff"), TiffImageFile),
)
IMAGE_EXTENSIONS = tuple(extension for known in _FORMATS for extension in known.extensions)
"""File name endings, lower case, that a folder is searched for."""

_STRANGERS = (
    # offset, signature, what it is
    (0, b"GIF8", "a GIF image"),
    (8, b"WEBP", "a WebP image"),
    (4, b"ftyp", "a HEIC, AVIF or video file"),
    (0, b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (128, b"DICM", "a DICOM file"),
    (0, b"%PDF", "a PDF document"),
    (0, b"PK\x03\x04", "a ZIP archive"),
    (0, b"\x1f\x8b", "a gzip archive"),
    (0, b"version https://git-lfs", "a Git LFS pointer instead of the image (`git lfs pull` fetches it)"),
    (0, b"<", "a text file such as HTML or SVG"),
)
_HEAD_BYTES = 256


def image_paths(paths: str | Path | Iterable[str | Path]) -> list[Path]:
    """Files to read, in the order given and each once; a folder gives the image files below it, sorted.

    No file is refused here: a path that does not exist, or a folder without an image, stays in the list, so
    that `read_image` names it as one failed input among the others. Hidden files in folders are left out.

    Raises:
        UsageError: a path is empty.
    """
    given = [paths] if isinstance(paths, str | Path) else list(paths)
    if "" in given:  # to Path it is the folder where one is
        raise UsageError("A path is empty.", hint="Give image files, or folders of them.")
    found: dict[Path, None] = {}
    for path in map(Path, given):
        inside = images_below(path) if os.path.isdir(path) else []
        found.update(dict.fromkeys(inside or [path]))
    return list(found)


def images_below(folder: Path) -> list[Path]:
    """Files anywhere below a folder whose names end as images do, sorted; hidden ones left out."""
    named = (path for path in folder.rglob("*") if path.suffix.lower() in IMAGE_EXTENSIONS)
    return sorted(
        path
        for path in named
        if not any(map(hidden, path.relative_to(folder).parts)) and os.path.isfile(path)
    )


def begins_as_image(path: Path) -> bool:
    """Whether there is a file whose content begins as an image does, of a format that is read or of another."""
    if not os.path.isfile(path):  # a pipe would keep us waiting for ever
        return False
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return False
    pictures = [(0, sign) for known in _FORMATS for sign in known.signatures]
    pictures += [(at, sign) for at, sign, what in _STRANGERS if "image" in what.split()]
    return any(head.startswith(sign, at) for at, sign in pictures)


def hidden(name: str) -> bool:
    """Whether a file or folder of this name was put there by a system and not by a person."""
    return name.startswith(".") or name == "__MACOSX"


def read_image(path: Path) -> NDArray[np.uint8]:
    """Pixels of one image file, uint8 RGB (H, W, 3), C-contiguous, upright as EXIF says.

    Raises:
        ImageError: the file is missing, empty, cut off, damaged, mislabelled, of an unknown format, of
            several pages, without a defined 8-bit meaning, or larger than `MAX_PIXELS`.
    """
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):  # looked at before opening: a pipe would keep us waiting for ever
            folder = (
                "a folder that holds none"
                if os.access(path, os.R_OK | os.X_OK)
                else "a folder without rights"
            )
            what = folder if stat.S_ISDIR(kind) else "a pipe or device"
            hint = f"Images end in {', '.join(IMAGE_EXTENSIONS)}."
            raise ImageError(f"{path}: expected an image file, found {what}.", hint=hint)
        file = path.open("rb")
    except FileNotFoundError as error:
        raise ImageError(f"{path}: there is no such file.", hint="Check the path.") from error
    except (OSError, ValueError) as error:
        what = f"{path}: cannot be opened ({error})."
        raise ImageError(what, hint="Check the path and its rights.") from error
    with file:
        return _decode(file, str(path))


def read_sample(sample: Sample) -> NDArray[np.uint8]:
    """Pixels of a sample that is a file, uint8 RGB (H, W, 3).

    Raises:
        ImageError: as `read_image`, or the sample is no file.
    """
    if sample.path is None:
        raise ImageError(f"{sample.name}: this image is not a file.", hint="Ask its data set to read it.")
    return read_image(sample.path)


def decode_image(data: bytes, *, name: str) -> NDArray[np.uint8]:
    """Pixels of an encoded image held in memory, uint8 RGB (H, W, 3), C-contiguous, upright as EXIF says.

    Args:
        data: a whole JPEG, PNG, BMP or TIFF file.
        name: what errors call it. Where it ends in an image extension, the content must be of that format.

    Raises:
        ImageError: as `read_image`.
    """
    return _decode(BytesIO(data), name)


def _decode(file: BinaryIO, name: str) -> NDArray[np.uint8]:
    try:
        known = _identified(file.read(_HEAD_BYTES), name)
        file.seek(0)
        image = known.plugin(file)
        _check_header(image, name)
        if isinstance(image, PngImageFile):
            image.verify()  # the checksum of every chunk, which decoding alone does not compare
            file.seek(0)
            image = PngImageFile(file)
        jpeg = isinstance(image, JpegImageFile)
        pixels = jpeg_pixels(file) if jpeg else rgb_pixels(image, file=file, name=name)
        # Asked after decoding: PNG may carry EXIF behind its pixels, and Pillow has turned a TIFF by then.
        return np.ascontiguousarray(upright(pixels, image.getexif().get(Base.Orientation, 1)))
    except ImageError:
        raise
    except Exception as error:
        # Decoders fail in dozens of ways on damaged bytes, and each is this one fact about this one file.
        # Only what reads as a sentence is passed on; a bare "320" or "'P'" would explain nothing.
        cause = f" ({error})" if " " in str(error) else ""
        raise ImageError(f"{name}: the image is damaged or cut off{cause}.", hint=COPY_AGAIN) from error


def _identified(head: bytes, name: str) -> _Format:
    """The format by content, held against the one that the name claims."""
    if not head:
        raise ImageError(f"{name}: expected an image, found an empty file.", hint=COPY_AGAIN)
    known = next((f for f in _FORMATS if head.startswith(f.signatures)), None)
    if known is None:
        what = next((text for at, sign, text in _STRANGERS if head.startswith(sign, at)), None)
        what = what or f"an unknown format (first bytes {head[:8].hex(' ')})"
        raise ImageError(f"{name}: expected JPEG, PNG, BMP or TIFF, found {what}.", hint=SAVE_ANEW)
    extension = Path(name).suffix.lower()
    if extension in IMAGE_EXTENSIONS and extension not in known.extensions:
        raise ImageError(
            f"{name}: the name says {extension}, the content is {known.name}.",
            hint=f"Find out which is right; a {known.name} file ends in {known.extensions[0]}.",
        )
    return known


def _check_header(image: ImageFile, name: str) -> None:
    """Refuse what must not be decoded, knowing only the header."""
    width, height = image.size
    decoded = width * height
    if isinstance(image, TiffImageFile):
        # A tile is decoded whole, however small the image that it belongs to.
        decoded = max(decoded, image.tag_v2.get(TILEWIDTH, 0) * image.tag_v2.get(TILELENGTH, 0))
    if isinstance(image, TiffImageFile | PngImageFile) and image.is_animated:
        raise ImageError(
            f"{name}: expected one image, found a file with several.", hint="Save each page as its own file."
        )
    if decoded > MAX_PIXELS:
        raise ImageError(
            f"{name}: {width} × {height} pixels would need more than {MAX_PIXELS:,} decoded at once.",
            hint="That is the limit (MAX_PIXELS). Cut slides and mosaics into fields first.",
        )
    if width < 1 or height < 1:
        raise ImageError(f"{name}: the header promises {width} × {height} pixels.", hint=COPY_AGAIN)
