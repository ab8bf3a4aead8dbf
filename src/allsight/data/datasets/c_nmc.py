"""C-NMC-19: single white cells of 450×450 pixels on black, leukemic ("all") or normal ("hem").

Source: TCIA, doi 10.7937/tcia.2019.dc64i46r. The card is docs/data/c_nmc.md. Training cells carry their subject
in the file name, cells of the preliminary test in a CSV, cells of the final test nowhere.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self, final

from allsight.core.contracts import Dataset
from allsight.core.errors import DataError, ImageError
from allsight.core.progress import Progress, silent
from allsight.core.records import Sample, Verification
from allsight.data.hashing import hashed_anew
from allsight.data.images import IMAGE_EXTENSIONS, images_below, read_sample
from allsight.data.source import split_location

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import PurePath

    import numpy as np
    from numpy.typing import NDArray


FOLDS = ("fold_0", "fold_1", "fold_2")
PRELIM, FINAL = "prelim_test", "final_test"
LABELS_FILE = "C-NMC_test_prelim_phase_data_labels.csv"
SIDE = 450
"""Side of a cell image in pixels; the final test's are 600 and get a centre crop."""

ONE_GROUP = (("20", "21"), ("51", "75", "78"), ("H2", "H4", "H5", "H6"), ("H3", "H10"))
"""Training subjects that share byte-identical images, and so cannot be told apart (derived from the full set)."""

_TEST_FOLDERS = {"C-NMC_test_prelim_phase_data": PRELIM, "C-NMC_test_final_phase_data": FINAL}
_UID = re.compile(r"UID_([Hh]?\d+)_(\d+)_(\d+)_(all|hem)")
_MERGED = {subject: "=".join(group) for group in ONE_GROUP for subject in group}
_SHA256_LIST = Path(__file__).with_name("c_nmc_sha256.csv.gz")
_LAYOUT = (
    f"Expected below PATH: C-NMC_training_data/fold_…/{{all,hem}}/UID_….bmp, {', '.join(_TEST_FOLDERS)}, "
    f"{LABELS_FILE}, any of them. Several roots are joined with commas."
)


class Cell(NamedTuple):
    """What the path of one image says.

    Attributes:
        name: the same wherever the tree lies: "fold_0/all/UID_11_10_1_all.bmp", "prelim_test/7.bmp".
        part: one of `FOLDS`, `PRELIM` or `FINAL`.
        label: "all", "hem", or None where the path does not say.
        subject: the source's subject, "H" in capitals ("H10" and "10" are two people), or None.
    """

    name: str
    part: str
    label: str | None
    subject: str | None


def parse_path(path: PurePath) -> Cell | None:
    """Read the path of one image by its last three parts; None where it lies in no folder of the source.

    Raises:
        DataError: the folder is one of the source's, the file name is not.

    >>> from pathlib import PurePath
    >>> parse_path(PurePath("C-NMC_training_data/fold_2/hem/UID_h3_10_1_hem.bmp")).subject
    'H3'
    """
    fold, folder = ("", "", *path.parts)[-3:-1]
    if folder in _TEST_FOLDERS:
        if not path.stem.isdigit():
            raise DataError(f"{path}: expected a name like 7.bmp in {folder}.", hint=_LAYOUT)
        return Cell(f"{_TEST_FOLDERS[folder]}/{path.name}", _TEST_FOLDERS[folder], None, None)
    if fold not in FOLDS or folder not in CNmc.classes:
        return None
    found = _UID.fullmatch(path.stem)
    if found is None or found[4] != folder:
        raise DataError(
            f"{path}: expected a name like UID_11_10_1_{folder}.bmp in {fold}/{folder}.", hint=_LAYOUT
        )
    return Cell(f"{fold}/{folder}/{path.name}", fold, folder, found[1].upper())


def patient_of(subject: str) -> str:
    """The patient that stands for a subject: itself, or the whole group that shares images, such as "20=21"."""
    return _MERGED.get(subject, subject)


@final
@dataclass(frozen=True, eq=False)
class CNmc(Dataset):
    """Cells with the subject they were taken from; folds may be trained on, the preliminary test may not.

    Attributes:
        left_out: images that are not samples, each with the reason: copies of a cell in a second format.
        notes: sentences on what was found, for a person to read.
        labels_file: the preliminary test's CSV, where its images are here.
    """

    training_parts = FOLDS
    ranking = "f1_weighted"
    licence = "CC BY 3.0 or 4.0, by different copies: check at TCIA"

    samples: tuple[Sample, ...]
    left_out: Mapping[str, str]
    notes: tuple[str, ...]
    labels_file: Path | None = None
    classes: tuple[str, ...] = ("hem", "all")
    suspicious: tuple[str, ...] = ("all",)
    units: tuple[str, ...] = ("patient", "random")

    @classmethod
    def open(cls, location: str) -> Self:
        """List "PATH" or "PATH,PATH": any folder of the source, or one above, in its layout or a nested copy's.

        One cell present in several formats is one sample: the BMP, which is the source's own, or else the
        lossless file.

        Raises:
            DataError: nothing of the source is found, one cell is there twice in one format, a file name is not
                the source's, or the preliminary test's labels are missing.
        """
        roots = [Path(p).expanduser().absolute() for p in split_location(location, known=()).place.split(",")]
        for root in roots:
            if not root.is_dir():
                raise DataError(f"{root}: there is no such folder.", hint=_LAYOUT)
        paths = dict.fromkeys(path for root in roots for path in images_below(root))
        cells = {path: cell for path in paths if (cell := parse_path(path)) is not None}
        if not cells:
            raise DataError(f"{location}: expected C-NMC-19, found no image in a folder of it.", hint=_LAYOUT)
        kept, left_out = _one_format(cells)
        prelim = any(cell.part == PRELIM for cell in kept.values())
        labels_file = _labels_file(roots) if prelim else None
        labels = read_labels(labels_file) if labels_file else {}
        samples = sorted((_sample(path, cell, labels) for path, cell in kept.items()), key=lambda s: s.name)
        notes = _notes(samples, left_out, strangers=len(paths) - len(cells))
        return cls(tuple(samples), left_out=left_out, notes=notes, labels_file=labels_file)

    def read(self, sample: Sample) -> NDArray[np.uint8]:
        """Pixels of one cell, uint8 RGB (450, 450, 3); a larger image of the final test is cropped, not resized.

        Raises:
            ImageError: also where the image is smaller than a cell of this set.
        """
        pixels = read_sample(sample)
        height, width, _ = pixels.shape
        if min(height, width) < SIDE or (sample.part != FINAL and max(height, width) > SIDE):
            raise ImageError(
                f"{sample.path}: expected a cell of {SIDE} × {SIDE} pixels, found {width} × {height}.",
                hint="Use the source's own files, neither resized nor cropped.",
            )
        top, left = (height - SIDE) // 2, (width - SIDE) // 2
        return pixels[top : top + SIDE, left : left + SIDE].copy()

    def verify(self, *, progress: Progress = silent) -> Verification:
        """Read every sample's file, and the labels' CSV where there is one, and compare with the shipped list.

        Hashes kept from earlier runs are not used, so damage that left a file's time stamp alone is found too.
        """
        listed = sha256_list()
        present = hashed_anew(self, progress=progress)
        if self.labels_file is not None:
            # Its lines end in CR LF; version control and downloads often turn that into LF, which changes no label.
            text = self.labels_file.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            present[LABELS_FILE] = hashlib.sha256(text).hexdigest()
        known = {name: digest for name, digest in present.items() if name in listed}
        altered = tuple(sorted(name for name, digest in known.items() if digest != listed[name]))
        return Verification(
            verified=len(known) - len(altered),
            altered=altered,
            unknown=tuple(sorted(set(present) - set(known))),
            absent=len(listed) - len(known),
        )


def _one_format(cells: Mapping[Path, Cell]) -> tuple[dict[Path, Cell], dict[str, str]]:
    """One file for each cell, and the others by name with the reason."""
    by_cell: dict[str, list[Path]] = {}
    for path, cell in cells.items():
        by_cell.setdefault(cell.name.rpartition(".")[0], []).append(path)
    kept: dict[Path, Cell] = {}
    left_out: dict[str, str] = {}
    for paths in by_cell.values():
        best, *others = sorted(paths, key=lambda path: _PREFERENCE[path.suffix.lower()])
        kept[best] = cells[best]
        for other in others:
            if other.suffix.lower() == best.suffix.lower():
                raise DataError(
                    f"{other}: the same cell as {best}.", hint="Give each cell once in one format."
                )
            left_out[cells[other].name] = f"the same cell is present as {best.suffix.lower()}"
    return kept, left_out


_LOSSLESS = (".bmp", ".dib", ".png", ".tif", ".tiff")
_PREFERENCE = {extension: at for at, extension in enumerate(dict.fromkeys((*_LOSSLESS, *IMAGE_EXTENSIONS)))}


def _labels_file(roots: Iterable[Path]) -> Path:
    """The preliminary test's CSV: in the source beside the folder of images, so perhaps beside a root."""
    for root in roots:
        found = [*sorted(root.rglob(LABELS_FILE)), root.parent / LABELS_FILE]
        if found[0].is_file():
            return found[0]
    raise DataError(
        f"Images of the preliminary test are here, their labels ({LABELS_FILE}) are not.",
        hint="Put the source's CSV beside the folder of images.",
    )


def read_labels(path: Path) -> dict[str, Cell]:
    """Number of an image of the preliminary test to what its row says; `name` is the name before renaming.

    Raises:
        DataError: the file is not the source's CSV, or a row contradicts itself.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error}).", hint="Use the source's own file.") from error
    found = {}
    for row in rows:
        uid = _UID.fullmatch((row.get("Patient_ID") or "").removesuffix(".bmp"))
        number = (row.get("new_names") or "").removesuffix(".bmp")
        if uid is None or not number.isdigit() or row.get("labels") != {"all": "1", "hem": "0"}[uid[4]]:
            raise DataError(
                f"{path}: expected rows like UID_57_29_1_all.bmp,1.bmp,1, found {','.join(map(str, row.values()))}.",
                hint="Use the source's own file.",
            )
        found[number] = Cell(row["Patient_ID"], PRELIM, uid[4], uid[1].upper())
    return found


def _sample(path: Path, cell: Cell, labels: Mapping[str, Cell]) -> Sample:
    label, subject = cell.label, cell.subject
    if cell.part == PRELIM:
        if path.stem not in labels:
            raise DataError(f"{path}: {LABELS_FILE} has no row for it.", hint="Use the source's own CSV.")
        label, subject = labels[path.stem].label, labels[path.stem].subject
    patient = None if subject is None else patient_of(subject)
    return Sample(cell.name, path=path, label=label, patient=patient, part=cell.part)


def _notes(samples: Sequence[Sample], left_out: Mapping[str, str], *, strangers: int) -> tuple[str, ...]:
    notes = []
    if left_out:
        notes.append(f"Left out because the same cell is present in a better format: {len(left_out)}.")
    if strangers:
        notes.append(f"Left out because they lie in no folder of C-NMC-19: {strangers}.")
    formats = Counter((s.label or "no label", s.path.suffix.lower()) for s in samples if s.path is not None)
    if len({suffix for _, suffix in formats}) > 1:
        counts = ", ".join(f"{label} {suffix} {n}" for (label, suffix), n in sorted(formats.items()))
        notes.append(f"File formats are mixed; a model may learn them if they go with the class: {counts}.")
    return tuple(notes)


def sha256_list() -> dict[str, str]:
    """Name to SHA-256 of all 15,115 files of the source, names as in `Cell.name`, the CSV under `LABELS_FILE`."""
    with gzip.open(_SHA256_LIST, "rt", encoding="ascii", newline="") as file:
        return {row["name"]: row["sha256"] for row in csv.DictReader(file)}
