"""C-NMC-19: every real file name of the set, its groups, its formats and its checksums."""

from __future__ import annotations

import csv
import shutil
from collections import Counter, defaultdict
from pathlib import Path, PurePath

import numpy as np
import pytest
from PIL import Image

from allsight.core.errors import DataError, ImageError
from allsight.data.datasets.c_nmc import (
    FINAL,
    FOLDS,
    LABELS_FILE,
    PRELIM,
    CNmc,
    parse_path,
    patient_of,
    read_labels,
    sha256_list,
)
from tests.contracts.layouts import c_nmc, save_image

TREE = PurePath("C-NMC_training_data")


# Names


def test_all_names_of_the_set_are_counted_as_the_source_counts_them() -> None:
    names = sha256_list()
    assert len(names) == 15_115
    parts = Counter(name.split("/")[0] for name in names)
    assert sum(parts[fold] for fold in FOLDS) == 10_661
    assert (parts[PRELIM], parts[FINAL], parts[LABELS_FILE]) == (1_867, 2_586, 1)
    labels = Counter(name.split("/")[1] for name in names if name.startswith("fold_"))
    assert labels == {"all": 7_272, "hem": 3_389}


def _subjects() -> dict[str, set[str]]:
    """Training subjects, as the source names them, and their folds; read off the shipped names."""
    found: dict[str, set[str]] = defaultdict(set)
    for name in sha256_list():
        cell = parse_path(TREE / name)
        if cell is not None and cell.subject is not None:
            found[cell.subject].add(cell.part)
    return found


def test_seventy_three_subjects_become_sixty_six_patients() -> None:
    subjects = _subjects()
    assert len(subjects) == 73
    assert all(len(folds) == 1 for folds in subjects.values())  # the source's own promise
    assert len({patient_of(subject) for subject in subjects}) == 66


def test_a_name_is_read_with_its_letters() -> None:
    cell = parse_path(TREE / "fold_0/all/UID_11_10_1_all.bmp")
    assert cell == ("fold_0/all/UID_11_10_1_all.bmp", "fold_0", "all", "11")
    healthy, sick = (
        parse_path(TREE / f"fold_1/{n}.bmp") for n in ("hem/UID_H10_1_1_hem", "all/UID_10_1_1_all")
    )
    assert healthy is not None
    assert sick is not None
    assert (healthy.subject, sick.subject) == ("H10", "10")
    assert patient_of("H10") != patient_of("10")
    small = parse_path(TREE / "fold_2/hem/UID_h3_10_1_hem.bmp")
    assert small is not None
    assert small.subject == "H3"
    assert patient_of("H3") == patient_of("H10")


@pytest.mark.parametrize("prefix", ["C-NMC_Leukemia/training_data", "C-NMC_training_data", "x/y/z", ""])
def test_the_same_cell_has_one_name_wherever_the_tree_lies(prefix: str) -> None:
    cell = parse_path(PurePath(prefix) / "fold_0/hem/UID_H7_1_2_hem.jpg")
    assert cell is not None
    assert cell.name == "fold_0/hem/UID_H7_1_2_hem.jpg"


def test_what_lies_elsewhere_is_no_cell() -> None:
    for path in (
        "UID_1_1_1_all.bmp",
        "fold_3/all/UID_1_1_1_all.bmp",
        "fold_0/UID_1_1_1_all.bmp",
        "a/b/7.bmp",
    ):
        assert parse_path(PurePath(path)) is None


@pytest.mark.parametrize(
    "path",
    [
        "fold_0/all/UID_1_1_1_hem.bmp",
        "fold_0/all/UID_1_1_1_all (copy).bmp",
        "fold_0/hem/1.bmp",
        "C-NMC_test_final_phase_data/UID_1_1_1_all.bmp",
    ],
)
def test_a_strange_name_in_a_folder_of_the_source_is_named(path: str) -> None:
    with pytest.raises(DataError) as caught:
        parse_path(PurePath(path))
    assert PurePath(path).name in caught.value.message


# Opening


def test_parts_labels_and_patients(tmp_path: Path) -> None:
    dataset = CNmc.open(c_nmc(tmp_path))
    found = {s.name: (s.part, s.label, s.patient) for s in dataset.samples}
    assert found == {
        "final_test/1.bmp": (FINAL, None, None),
        "fold_0/all/UID_10_1_1_all.bmp": ("fold_0", "all", "10"),
        "fold_0/all/UID_20_2_1_all.bmp": ("fold_0", "all", "20=21"),
        "fold_1/hem/UID_H10_1_1_hem.bmp": ("fold_1", "hem", "H3=H10"),
        "fold_1/hem/UID_h3_1_2_hem.bmp": ("fold_1", "hem", "H3=H10"),
        "prelim_test/1.bmp": (PRELIM, "all", "57"),
        "prelim_test/2.bmp": (PRELIM, "hem", "H49"),
    }
    assert dataset.training_parts == FOLDS
    assert (dataset.classes, dataset.suspicious) == (("hem", "all"), ("all",))
    assert dataset.notes == ()


def test_the_nested_copy_gives_the_same_names(tmp_path: Path) -> None:
    c_nmc(tmp_path / "flat")
    nested = tmp_path / "nested/C-NMC_Leukemia"
    shutil.copytree(tmp_path / "flat/C-NMC_training_data", nested / "training_data")
    shutil.copytree(
        tmp_path / "flat/C-NMC_test_final_phase_data", nested / "testing_data/C-NMC_test_final_phase_data"
    )
    prelim = "C-NMC_test_prelim_phase_data"
    shutil.copytree(tmp_path / "flat" / prelim, nested / "validation_data" / prelim)
    shutil.copy(tmp_path / "flat" / LABELS_FILE, nested / "validation_data")

    def facts(root: Path) -> list[tuple[str | None, ...]]:
        return [(s.name, s.label, s.patient, s.part) for s in CNmc.open(str(root)).samples]

    assert facts(tmp_path / "nested") == facts(tmp_path / "flat")


def test_a_cell_in_two_formats_is_one_sample_and_the_bmp_stays(tmp_path: Path) -> None:
    bmp, jpeg = tmp_path / "bmp", tmp_path / "jpeg"
    save_image(bmp / "fold_0/all/UID_1_1_1_all.bmp", side=450)
    save_image(bmp / "fold_0/hem/UID_H7_1_1_hem.bmp", side=450)
    save_image(jpeg / "fold_0/all/UID_1_1_1_all.jpg", side=450)
    save_image(jpeg / "fold_0/all/UID_1_1_2_all.jpg", side=450)
    for location in (f"{bmp},{jpeg}", f"{jpeg},{bmp}"):
        dataset = CNmc.open(location)
        assert [s.name.rpartition("/")[2] for s in dataset.samples] == [
            "UID_1_1_1_all.bmp",
            "UID_1_1_2_all.jpg",
            "UID_H7_1_1_hem.bmp",
        ]
        assert dict(dataset.left_out) == {"fold_0/all/UID_1_1_1_all.jpg": "the same cell is present as .bmp"}
        assert "in a better format: 1." in dataset.notes[0]
        assert "all .bmp 1, all .jpg 1, hem .bmp 1" in dataset.notes[1]


def test_a_cell_that_is_there_twice_in_one_format_is_an_error(tmp_path: Path) -> None:
    for copy in ("one", "two"):
        save_image(tmp_path / copy / "fold_0/all/UID_1_1_1_all.bmp", side=450)
    with pytest.raises(DataError, match="the same cell as"):
        CNmc.open(f"{tmp_path / 'one'},{tmp_path / 'two'}")
    with pytest.raises(DataError, match="the same cell as"):
        CNmc.open(str(tmp_path))
    one = str(tmp_path / "one")
    assert len(CNmc.open(f"{one},{one}").samples) == 1  # the same root twice is the same files


def test_the_preliminary_test_needs_its_labels(tmp_path: Path) -> None:
    root = c_nmc(tmp_path)
    inside = f"{root}/C-NMC_test_prelim_phase_data"
    assert len(CNmc.open(inside).samples) == 2  # the CSV lies beside its folder
    labels = tmp_path / LABELS_FILE
    whole = labels.read_text()
    labels.write_text("\n".join(whole.splitlines()[:2]) + "\n")
    with pytest.raises(DataError, match=r"2\.bmp"):
        CNmc.open(root)
    labels.unlink()
    for location in (root, inside):
        with pytest.raises(DataError, match=LABELS_FILE):
            CNmc.open(location)
    shutil.rmtree(inside)
    assert {s.part for s in CNmc.open(root).samples} == {"fold_0", "fold_1", FINAL}


@pytest.mark.parametrize(
    "row", ["UID_57_29_1_all.bmp,1.bmp,0", "57,1.bmp,1", "UID_57_29_1_all.bmp,one,1", "x"]
)
def test_a_label_that_contradicts_its_name_is_an_error(tmp_path: Path, row: str) -> None:
    path = tmp_path / LABELS_FILE
    path.write_text(f"Patient_ID,new_names,labels\n{row}\n")
    with pytest.raises(DataError, match=row.split(",")[0]):
        read_labels(path)


def test_other_images_are_left_out_and_said(tmp_path: Path) -> None:
    root = c_nmc(tmp_path)
    save_image(tmp_path / "figures/sheet.png")
    assert CNmc.open(root).notes == ("Left out because they lie in no folder of C-NMC-19: 1.",)


# Pixels


def test_the_final_test_is_cropped_and_not_resized(tmp_path: Path) -> None:
    dataset = CNmc.open(c_nmc(tmp_path))
    sample = next(s for s in dataset.samples if s.part == FINAL)
    whole = np.asarray(Image.open(tmp_path / "C-NMC_test_final_phase_data/1.bmp"))
    assert whole.shape == (600, 600, 3)
    np.testing.assert_array_equal(dataset.read(sample), whole[75:525, 75:525])


@pytest.mark.parametrize(
    ("name", "side"),
    [
        ("fold_0/all/UID_1_1_1_all.bmp", 600),
        ("fold_0/all/UID_1_1_1_all.bmp", 224),
        ("x/C-NMC_test_final_phase_data/1.bmp", 224),
    ],
)
def test_an_image_of_another_size_is_refused(tmp_path: Path, name: str, side: int) -> None:
    save_image(tmp_path / name, side=side)
    dataset = CNmc.open(str(tmp_path))
    with pytest.raises(ImageError, match=f"found {side} × {side}"):
        dataset.read(dataset.samples[0])


# The real files


@pytest.mark.real
def test_the_shipped_list_is_the_published_manifest(real_data: Path) -> None:
    with (real_data / "c_nmc_sample/manifest_sha256_from_lfs_pointers.csv").open(newline="") as file:
        published = {row["path"]: row["sha256"] for row in csv.DictReader(file)}
    listed = {}
    for path, digest in published.items():
        cell = parse_path(PurePath(path))
        listed[cell.name if cell else PurePath(path).name] = digest
    assert listed == sha256_list()
    assert len(listed) == len(published)


@pytest.mark.real
def test_groups_are_those_of_the_byte_identical_files_and_no_others(real_data: Path) -> None:
    """Join subjects that share a file, transitively: exactly our groups must come out."""
    group = {subject: subject for subject in _subjects()}
    with (real_data / "c_nmc_sample/exact_duplicate_images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 106
    across = 0
    for row in rows:
        cells = [parse_path(PurePath(path.strip())) for path in row["paths"].split("|")]
        subjects = [cell.subject for cell in cells if cell is not None and cell.subject is not None]
        across += len({cell.part for cell in cells if cell is not None}) > 1
        for subject in subjects[1:]:
            old, new = group[subject], group[subjects[0]]
            group = {name: new if own == old else own for name, own in group.items()}
    assert across == 94
    ours, theirs = defaultdict(set), defaultdict(set)
    for subject, own in group.items():
        ours[patient_of(subject)].add(subject)
        theirs[own].add(subject)
    assert sorted(map(sorted, ours.values())) == sorted(map(sorted, theirs.values()))


def test_byte_identical_names_of_the_list_are_in_one_group() -> None:
    by_content: dict[str, set[str]] = defaultdict(set)
    for name, digest in sha256_list().items():
        cell = parse_path(TREE / name)
        if cell is not None and cell.subject is not None:
            by_content[digest].add(patient_of(cell.subject))
    assert all(len(patients) == 1 for patients in by_content.values())


@pytest.mark.real
def test_no_patient_is_both_in_training_and_in_the_preliminary_test(real_data: Path) -> None:
    labels = read_labels(real_data / "c_nmc_sample" / LABELS_FILE)
    assert len(labels) == 1_867
    assert Counter(cell.label for cell in labels.values()) == {"all": 1_219, "hem": 648}
    prelim = {cell.subject for cell in labels.values() if cell.subject is not None}
    training = set(_subjects())
    assert len(prelim) == 28
    assert not {patient_of(subject) for subject in prelim} & {patient_of(subject) for subject in training}
    assert {f"{PRELIM}/{number}.bmp" for number in labels} == {
        n for n in sha256_list() if n.startswith(PRELIM)
    }


@pytest.mark.real
def test_the_real_files_verify_and_an_altered_one_is_named(real_data: Path, tmp_path: Path) -> None:
    dataset = CNmc.open(str(real_data / "c_nmc_sample"))
    assert Counter(s.part == PRELIM for s in dataset.samples) == {False: 79, True: 3}
    result = dataset.verify()
    assert (result.verified, result.altered, result.unknown) == (83, (), ())  # 82 images and the CSV
    assert result.absent == 15_115 - 83
    fold = tmp_path / "fold_0/all"
    fold.mkdir(parents=True)
    for sample in [s for s in dataset.samples if s.name.startswith("fold_0/all/")][:3]:
        assert sample.path is not None
        shutil.copy(sample.path, fold)
    victim = sorted(fold.iterdir())[1]
    data = bytearray(victim.read_bytes())
    data[5000] ^= 1
    victim.write_bytes(data)
    save_image(fold / "UID_1_99_99_all.bmp", side=450)
    result = CNmc.open(str(tmp_path)).verify()
    assert result.altered == (f"fold_0/all/{victim.name}",)
    assert (result.verified, result.unknown) == (2, ("fold_0/all/UID_1_99_99_all.bmp",))


@pytest.mark.real
def test_the_jpeg_copies_have_the_same_groups(real_data: Path) -> None:
    bmp = CNmc.open(str(real_data / "c_nmc_sample"))
    jpeg = CNmc.open(str(real_data / "c_nmc_jpeg"))
    both = CNmc.open(f"{real_data / 'c_nmc_sample'},{real_data / 'c_nmc_jpeg'}")
    assert len(jpeg.samples) == 300
    patients = {s.name.rpartition(".")[0]: s.patient for s in (*jpeg.samples, *bmp.samples)}
    assert all(patients[s.name.rpartition(".")[0]] == s.patient for s in jpeg.samples)
    assert len(both.left_out) == 23
    assert len(both.samples) == 82 + 300 - 23
    assert jpeg.verify().verified == 0
    assert dict(Counter(s.patient for s in jpeg.samples if s.label == "hem")).keys() == {
        "H2=H4=H5=H6",
        "H7",
        "H11",
        "H12",
    }
