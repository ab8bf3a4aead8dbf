"""`demo`: the whole way on generated smears, without network or data."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from allsight.core.errors import UsageError
from allsight.core.files import check_writable, write_text
from allsight.core.progress import Progress, silent
from allsight.core.records import TEST
from allsight.evaluate.document import Evaluation
from allsight.verbs.audit import audit
from allsight.verbs.evaluate import evaluate
from allsight.verbs.explain import explain
from allsight.verbs.report import report
from allsight.verbs.train import train

_MARK = ".allsight-demo"
_EXPLAINED = 4  # hardest images with their maps
_BRIEF = {
    "lime": {"samples": 500},
    "integrated_gradients": {"most_steps": 65},
}  # a demonstration must not take long


@dataclass(frozen=True, slots=True)
class Shown:
    """What the demonstration left.

    Attributes:
        report: the page.
        bundle: the trained model.
        evaluation: on patients the model has not seen.
        seconds: wall time of the whole way.
    """

    report: Path
    bundle: Path
    evaluation: Evaluation
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The document of `demo --json`."""
        return {
            "report": str(self.report),
            "bundle": str(self.bundle),
            "seconds": round(self.seconds, 1),
            "evaluation": self.evaluation.to_json(),
        }


def demo(
    *,
    out: str | Path = "demo",
    images: int = 960,
    patients: int = 48,
    seed: int = 0,
    overwrite: bool = False,
    progress: Progress = silent,
) -> Shown:
    """Generate smears of patients, train on some, evaluate on others, explain the hardest, write a report.

    Args:
        out: folder for everything it writes.
        images: how many fields are generated.
        patients: from how many patients.
        seed: of everything.
        overwrite: replace the folder of an earlier demonstration.
        progress: told how far it is.

    Raises:
        UsageError: `out` exists and is not to be replaced, or is not a demonstration's folder.

    >>> import tempfile, pathlib
    >>> folder = pathlib.Path(tempfile.mkdtemp()) / "demo"
    >>> demo(out=folder, images=96, patients=24).report.name
    'report.html'
    """
    started = time.monotonic()
    folder = Path(out)
    if folder.exists():
        if not overwrite or not (folder / _MARK).is_file():
            raise UsageError(
                f"{str(folder)!r} is already there.",
                hint="Choose another --out, or --overwrite to replace the folder of an earlier demonstration.",
            )
        shutil.rmtree(folder)
    check_writable(folder)
    write_text(folder / _MARK, "Written by allsight demo; --overwrite may remove this folder.\n")
    data = f"synthetic:{seed}?images={images}&patients={patients}"
    bundle, run = folder / "bundle", folder / "evaluation"
    train(data, out=bundle, backbone="efficientnet-lite0", freeze=True, seed=seed, progress=progress)
    evaluated = evaluate(bundle, data, split=TEST, out=run, seed=seed, progress=progress)
    explain(bundle, run=run, limit=_EXPLAINED, settings=_BRIEF, seed=seed, progress=progress)
    audit(data, out=run, seed=seed, progress=progress)
    page = report(run, bundle=bundle)
    return Shown(page, bundle, evaluated.evaluation, time.monotonic() - started)
