"""`explain`: where in an image a model's answer comes from, and how far the map of it can be trusted."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from allsight.core.errors import ImageError
from allsight.core.files import check_writable, whole_file, write_json
from allsight.core.progress import Progress, silent
from allsight.core.provenance import commit, machine, versions
from allsight.core.records import TEST
from allsight.evaluate.scorecard import scorecard
from allsight.explain.methods import METHODS, controls, explainers, measures
from allsight.explain.overlay import write_png
from allsight.explain.own_pixels import laid_back
from allsight.explain.pictures import over_image, side_by_side
from allsight.explain.scoring import Explained, Scores, explain_image, score_image
from allsight.explain.swift import swift
from allsight.inference.choice import open_runtime
from allsight.inference.predictor import Failure, Predictor
from allsight.models.bundle import bundle_folder
from allsight.verbs.explain_request import check_request
from allsight.verbs.explained import Explanations, Heatmap
from allsight.verbs.explained_files import DOCUMENT_FILE, FOLDER, check_folder, clear
from allsight.verbs.subjects import Subject, of_data, of_files, of_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from allsight.core.contracts import Explainer, Measure, Runtime

_LONGEST_STEM = 60  # of file names, in characters


def explain(
    bundle: str | Path,
    images: str | Path | Iterable[str | Path] = (),
    *,
    data: str | None = None,
    run: str | Path | None = None,
    split: str = TEST,
    limit: int | None = None,
    methods: Sequence[str] = METHODS,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    target: str | None = None,
    score: bool = False,
    repeats: int = 10,
    maps: bool = True,
    outlines: bool = False,
    runtime: str | None = None,
    precision: str | None = None,
    out: str | Path | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Explanations:
    """Heatmaps of images by several methods, with pictures and, if wished, scores beside two controls.

    Give one of `images`, `data` and `run`.

    Args:
        bundle: folder of the bundle.
        images: files, or folders whose image files are taken.
        data: a DATA, of which the images are explained that the bundle was not trained on.
        run: a folder that `evaluate` wrote, of which the hardest images are explained, for its report.
        split: the part of `data`, as in `evaluate`.
        limit: at most so many images, spread evenly over the classes of `data`.
        methods: names of explainers.
        settings: by method, values of its settings.
        target: the class to explain; by default what the model names for each image.
        score: also score every map, beside the controls `random_control` and `centre_blob`.
        repeats: on how many images the measures are taken that explain again (max_sensitivity, randomisation).
        maps: write maps and pictures.
        outlines: draw contours and not overlays.
        runtime: what answers, and runs the methods: "pytorch", "onnx" or "openvino"; None takes
            the fastest that the bundle was exported for. What it cannot give (gradients, if no graph of them was
            exported) comes from PyTorch.
        precision: "fp32" or "int8"; None takes the fastest there is.
        out: folder for the results; by default "explanations", with `run` the folder of that name inside it. What an
            earlier run wrote there is replaced as soon as an image is explained.
        seed: of the choice of images, the measures and the bootstrap.
        progress: told how far it is.

    Raises:
        BundleError: no bundle, or a damaged one.
        UsageError: no such method, setting, class or part, a network that none of the methods can explain, or a folder
            that is neither empty nor an earlier run's.

    >>> import tempfile
    >>> from allsight.verbs.train import train
    >>> folder, data = tempfile.mkdtemp(), "synthetic:1?images=72&patients=24&size=64"
    >>> _ = train(data, out=folder, backbone="tiny", weights="none", freeze=True)
    >>> found = explain(folder, data=data, limit=2, methods=["cam"], out=folder + "/explained")
    >>> [h.method for h in found.heatmaps]
    ['cam', 'cam']
    """
    place = bundle_folder(bundle)
    paths = [Path(i) for i in ([images] if isinstance(images, str | Path) else images)]
    check_request(bundle, paths, data=data, run=run, target=target)
    folder = Path(out) if out is not None else (Path() if run is None else Path(run)) / FOLDER
    check_folder(folder)
    check_writable(folder)
    chosen = explainers(methods, settings=settings)
    opened = _open(
        place,
        runtime=runtime or ("pytorch" if score else None),  # scores explain again, and shuffle weights
        precision=precision,
        explainers=chosen,
        score=score,
    )
    predictor = opened.predictor
    protocol: dict[str, Any] = {}
    if data is not None:
        subjects, protocol = of_data(place, data, part=split, limit=limit, seed=seed, progress=progress)
    else:
        subjects = (of_files(paths) if run is None else of_run(Path(run)))[:limit]
    frame = _Frame(
        predictor=predictor,
        runtime=opened.runtime,
        fast=swift(predictor.runtime) if score else predictor.runtime,
        explainers=chosen | (controls(seed=seed) if score else {}),
        measures=measures() if score else {},
        target=target,
        repeats=repeats,
        folder=folder if maps else None,
        outlines=outlines,
        seed=seed,
        progress=progress,
    )
    done: list[_Done] = []
    failed: list[Failure] = []
    try:
        for number, subject in enumerate(subjects, start=1):
            try:
                done.append(_explain_one(subject, frame, number=number))
            except ImageError as error:
                failed.append(Failure(subject.name, str(error)))
            progress("images", number, len(subjects))
    finally:  # hours of work are not lost to an interruption
        result = _result(done, failed, frame, folder=folder, protocol=protocol)
        if done:
            clear(folder)
        if done or (failed and not (folder / DOCUMENT_FILE).is_file()):
            write_json(folder / DOCUMENT_FILE, result.to_json())
    return result


@dataclass(frozen=True, slots=True)
class _Opened:
    """A bundle's model, once to answer with and once to differentiate; the same where nothing is differentiated."""

    predictor: Predictor
    runtime: Runtime


def _open(
    folder: Path,
    *,
    runtime: str | None,
    precision: str | None,
    explainers: Mapping[str, Explainer],
    score: bool,
) -> _Opened:
    predictor = Predictor.open(folder, runtime=runtime, precision=precision)
    if not score and all(explainer.runs_on(predictor.runtime) for explainer in explainers.values()):
        return _Opened(predictor, predictor.runtime)
    return _Opened(predictor, open_runtime(folder, runtime="pytorch").runtime)


def _result(
    done: Sequence[_Done],
    failed: Sequence[Failure],
    frame: _Frame,
    *,
    folder: Path,
    protocol: Mapping[str, Any],
) -> Explanations:
    groups = [d.subject.group for d in done]
    card = None
    if frame.measures and done:
        card = scorecard(
            [d.scores for d in done],
            groups,
            measures=frame.measures,
            controls=frame.rivals(),
            seed=frame.seed,
        )
    return Explanations(
        model=frame.predictor.config.name,
        runtime=f"{frame.predictor.served.name} {frame.predictor.served.precision}",
        out=folder,
        heatmaps=tuple(h for d in done for h in d.heatmaps),
        strips={d.subject.name: d.strip for d in done if d.strip},
        inapplicable=done[0].inapplicable if done else {},
        scorecard=card,
        failed=tuple(failed),
        protocol={**protocol, "n_images": len(done), "n_groups": len(set(groups)), "seed": frame.seed},
        provenance={"versions": dict(versions()), "commit": commit(), "machine": machine()},
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """What is the same for all images."""

    predictor: Predictor
    runtime: Runtime
    fast: Runtime
    explainers: dict[str, Explainer]
    measures: dict[str, Measure]
    target: str | None
    repeats: int
    folder: Path | None
    outlines: bool
    seed: int
    progress: Progress

    def rivals(self) -> list[str]:
        """Names of the controls."""
        return [name for name, explainer in self.explainers.items() if explainer.control]


@dataclass(frozen=True, slots=True)
class _Done:
    """One image explained."""

    subject: Subject
    heatmaps: tuple[Heatmap, ...]
    strip: str
    inapplicable: dict[str, str]
    scores: dict[str, Scores]


def _explain_one(subject: Subject, frame: _Frame, *, number: int) -> _Done:
    """Heatmaps, files and scores of one image.

    Raises:
        ImageError: it cannot be read.
    """
    whole = subject.read()
    predictor = frame.predictor
    image = predictor.config.preprocessing.reduced(whole)
    judged = predictor.judged(image)
    target = frame.target or judged.label
    explained = explain_image(
        frame.runtime,
        image,
        target=predictor.config.classes.index(target),
        explainers=frame.explainers,
        fast=predictor.runtime,
        progress=frame.progress,
    )
    scores = _scores(subject, image, explained, frame, again=number <= frame.repeats)
    referred = ", referred" if judged.verdict == "refer" else ""
    title = f"{target} {judged.probabilities[target]:.2f}{referred}"
    shape = whole.shape[:2]
    files, strip = _written(
        subject, image, explained, frame, number=number, title=title, scores=scores, shape=shape
    )
    at = {} if image is whole else {"explained_at": list(image.shape[:2])}
    heatmaps = tuple(
        Heatmap(
            path=subject.name,
            method=name,
            target=target,
            verdict=judged.verdict,
            reasons=judged.reasons,
            heatmap=files[name][0],
            overlay=files[name][1],
            seconds=found.seconds[0],
            used={**found.used[0], **at},
            scores=scores.get(name, {}),
        )
        for name, found in explained.found.items()
    )
    return _Done(subject, heatmaps, strip, explained.inapplicable, scores)


def _scores(
    subject: Subject, image: NDArray[np.uint8], explained: Explained, frame: _Frame, *, again: bool
) -> dict[str, Scores]:
    if not frame.measures:
        return {}
    return score_image(
        frame.runtime,
        image,
        explained,
        explainers=frame.explainers,
        measures={name: m for name, m in frame.measures.items() if again or not m.repeats},
        cells=subject.cells(image),
        overlay=subject.overlay,
        seed=frame.seed,
        fast=frame.fast,
    )


def _written(
    subject: Subject,
    image: NDArray[np.uint8],
    explained: Explained,
    frame: _Frame,
    *,
    number: int,
    title: str,
    scores: Mapping[str, Scores],
    shape: tuple[int, int],
) -> tuple[dict[str, tuple[str, str]], str]:
    """Writes maps and pictures; by method the names of its map and picture, and that of all methods side by side.

    Maps are laid on the pixels of an image of this shape.
    """
    if frame.folder is None:
        return dict.fromkeys(explained.found, ("", "")), ""
    clear(frame.folder)  # of an earlier run; this one's document comes last
    stem = f"{number:04d}-{Path(subject.name).stem[-_LONGEST_STEM:]}"
    files = {}
    for name, found in explained.found.items():
        map_file, picture_file = (frame.folder / stem / f"{name}.{kind}" for kind in ("npy", "png"))
        parts = "at_baseline" in found.used[0]  # of what the logit rises from there
        with whole_file(map_file) as part, part.open("wb") as file:
            np.save(file, laid_back(found.heatmaps[0], shape, parts=parts))
        write_png(picture_file, over_image(image, found, outlines=frame.outlines))
        files[name] = (str(map_file), str(picture_file))
    shown = {name: found for name, found in explained.found.items() if name not in frame.rivals()}
    strip_file = frame.folder / f"{stem}.png"
    write_png(strip_file, side_by_side(image, shown, title=title, scores=scores, outlines=frame.outlines))
    return files, str(strip_file)
