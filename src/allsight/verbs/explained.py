"""What `explain` found, and the document it makes of that."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from allsight.evaluate.scorecard import Scorecard
    from allsight.inference.predictor import Failure


@dataclass(frozen=True, slots=True)
class Heatmap:
    """What one method said of one image.

    Attributes:
        path: the image.
        method: the explainer's name.
        target: the class explained.
        verdict: of the model on the image: "answer", or "refer" where a person must look.
        reasons: why it refers the image, in words.
        heatmap: the file with the map, float32 (H, W); "" where none was written.
        overlay: the file with the picture; "" where none was written.
        seconds: wall time.
        used: the method's settings and what it measured; `explained_at` of an image too large to be explained at its
            own size, (height, width) in pixels.
        scores: by name; empty where none were asked for.
    """

    path: str
    method: str
    target: str
    verdict: str
    reasons: tuple[str, ...]
    heatmap: str
    overlay: str
    seconds: float
    used: dict[str, Any]
    scores: dict[str, float | None]

    def to_json(self) -> dict[str, Any]:
        """The keys of `explain --json`."""
        return {
            "path": self.path,
            "method": self.method,
            "class": self.target,
            "verdict": self.verdict,
            "reasons": list(self.reasons),
            "heatmap": self.heatmap,
            "overlay": self.overlay,
            "seconds": round(self.seconds, 4),
            "used": self.used,
            "scores": self.scores,
        }


@dataclass(frozen=True, slots=True)
class Explanations:
    """What was explained.

    Attributes:
        model: the bundle's name.
        runtime: what answered, with its precision.
        out: the folder with the maps, the pictures and explanations.json.
        heatmaps: one for each image and method, in order.
        strips: by image, the picture of all methods side by side.
        inapplicable: by method, why it cannot explain this model.
        scorecard: the scores of all images put together; None where none were asked for.
        failed: files that could not be explained.
        protocol: how the images were chosen.
        provenance: versions, machine and the command.
    """

    model: str
    runtime: str
    out: Path
    heatmaps: tuple[Heatmap, ...]
    strips: dict[str, str]
    inapplicable: dict[str, str]
    scorecard: Scorecard | None
    failed: tuple[Failure, ...]
    protocol: dict[str, Any] = field(default_factory=dict)
    provenance: dict[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The document of `explain --json`."""
        return {
            "model": self.model,
            "runtime": self.runtime,
            "out": str(self.out),
            "explanations": [h.to_json() for h in self.heatmaps],
            "strips": self.strips,
            "inapplicable": self.inapplicable,
            "scorecard": None if self.scorecard is None else self.scorecard.to_json(),
            "protocol": self.protocol,
            "provenance": self.provenance,
            "failed": [f.to_json() for f in self.failed],
        }
