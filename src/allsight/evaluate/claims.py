"""What others have published on these data sets: claims with their protocols, never mixed with what was measured."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """A published figure.

    Attributes:
        data: kind of DATA it was found on.
        model: what it was found with.
        metric: a name of `metrics.families`, or "suspicion_auc".
        value: the figure; for "more than" the bound.
        protocol: how images were divided, as far as the source says.
        source: where it stands.
        is_bound: True where the source says "more than".
    """

    data: str
    model: str
    metric: str
    value: float
    protocol: str
    source: str
    is_bound: bool = False


_PAPER = "Muhammad, Salman, Keles & Bendechache, Scientific Reports 15:12812, 2025 (abstract)"
_CHALLENGE = "C-NMC challenge, ISBI 2019"

CLAIMS = (
    Claim(
        "taleqani", "EfficientNet-B7", "accuracy", 0.96, "not stated in the abstract", _PAPER, is_bound=True
    ),
    Claim("taleqani", "DenseNet-201", "accuracy", 0.9985, "random split", "as quoted in later studies"),
    Claim("c_nmc", "EfficientNet-B7", "accuracy", 0.955, "not stated in the abstract", _PAPER),
    Claim("c_nmc", "the winner", "f1_weighted", 0.9250, "preliminary test", _CHALLENGE),
    Claim("c_nmc", "the winner", "f1_weighted", 0.9104, "final test", _CHALLENGE),
    Claim(
        "c_nmc", "EfficientNet-B1", "suspicion_auc", 0.913, "73 subjects, then 28 unseen", "arXiv 2606.24944"
    ),
    Claim("multi_cancer", "EfficientNet-B7", "accuracy", 0.955, "not stated in the abstract", _PAPER),
)


def claims_on(data: str) -> tuple[Claim, ...]:
    """Those on one kind of DATA, such as "taleqani:PATH"."""
    kind = data.partition(":")[0].replace("-", "_").lower()
    return tuple(claim for claim in CLAIMS if claim.data == kind)
