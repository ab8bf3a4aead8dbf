"""The model card: the bundle's own records in words, with YAML front matter as model hubs read it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from allsight.models.bundle import BundleConfig

_UNITS = {
    "patient": "No patient is in two parts.",
    "field": "No field of view is in two parts, and runs of consecutive numbers stay together.",
    "random": "Images were divided at random: repeats of a field or patient stand on both sides, so figures on the "
    "test part say how well the model recognises what it has seen. For comparison with published numbers only.",
}


def model_card(config: BundleConfig) -> str:
    """Markdown of the bundle's README.md."""
    protocol, data = config.protocol, config.data
    counts = ", ".join(
        f"{part} {n} images in {protocol.n_groups[part]} groups" for part, n in protocol.n_images.items()
    )
    settings = "\n".join(f"- {key}: {value}" for key, value in config.training.items())
    caution = f"\n**{data.caution}**\n" if data.caution else ""
    return f"""---
library_name: allsight
pipeline_tag: image-classification
tags: [haematology, blood-smear, acute-lymphoblastic-leukemia, {config.backbone}]
---

# {config.name}

**Research use only.** Not a medical device. It says how suspicious a smear image looks; it diagnoses nothing. A
suspicious smear is sent for flow cytometry.

| | |
|---|---|
| network | {config.backbone}, started from {config.weights} |
| classes | {", ".join(config.classes)}; suspicious for ALL: {", ".join(config.suspicious) or "none named"} |
| input | any RGB image, stretched to {config.preprocessing.size} × {config.preprocessing.size} pixels |
| data | `{data.source}`, {data.n_images} images, fingerprint `{data.fingerprint[:16]}` |
| licence of the images | {data.licence or "not known here"} |
| split | {protocol.split}, seed {protocol.seed}, {_test_part(config)}; {counts} |
{caution}
{_UNITS.get(protocol.split, "")} Which image was in which part stands in `split.csv`.

## Training

{settings}

{_figures(config)}{_adapted(config)}{_cascade(config)}{_graphs(config)}## Limits

- It knows the laboratory it was trained on. On another microscope, stain or scale its answers mean nothing until they
  have been measured there: `allsight evaluate BUNDLE DATA`.
- Early, pre and pro are immunophenotypes that flow cytometry decides; morphology only hints at them.
- Temperature, prediction sets, the least certainty and the distance limit were fitted on
  {(config.trust or {}).get("n_images", 0)} validation images.

Measure it: `allsight evaluate BUNDLE {data.source if protocol.n_images.get("test") else "DATA"}`
"""


def _test_part(config: BundleConfig) -> str:
    protocol = config.protocol
    if protocol.folds:
        return f"fold {protocol.fold} of {protocol.folds}"
    if protocol.hold_out:
        return f"{' and '.join(protocol.hold_out)} held out"
    return "parts as the source states them" if protocol.n_images.get("test") else "no test part"


def _figures(config: BundleConfig) -> str:
    """What a study found for this way of training; "" where none did."""
    found: Any = config.figures
    if not found:
        return ""
    metrics = "\n".join(f"| {name} | {_interval(*of)} |" for name, of in found["metrics"].items())
    controls = "; ".join(f"{name} {_interval(*of)}" for name, of in found["controls"].items())
    stress = "\n".join(f"| {s['meaning']} | {s['accuracy']:.4f} |" for s in found["stress"])
    damaged = f"""Damaged on the way, mean of the folds:

| damage | accuracy |
|---|---|
{stress}

"""
    return f"""## Figures

Of {found["models"]} trained in this way on other parts of the data: {found["tested"]}, 95 % intervals from
a bootstrap over groups. This model itself has seen all of the data and cannot be measured on it.

| metric | value |
|---|---|
{metrics}

Without looking at cells, accuracy: {controls or "not measured"}.

{damaged if stress else ""}"""


def _adapted(config: BundleConfig) -> str:
    """To what it was fitted after its training, and what that brought; "" where to nothing."""
    found: Any = config.adapted
    if not found:
        return ""
    rows = "\n".join(
        f"| {name} | {_interval(**found['before'][name])} | {_interval(**found['after'][name])} | {_interval(**gain)} |"
        for name, gain in found["gain"].items()
    )
    table = f"""Each image was tried on a head that had not seen its group:

| metric | before | after | gain |
|---|---|---|---|
{rows}
"""
    return f"""## Adapted

Head, calibration and limits of `{found["from"]}` were fitted to {found["n_images"]} images in {found["n_groups"]}
groups of `{found["data"]}`; the network is the same.

{table if found["gain"] else "No image had a label: only limits were fitted, and nothing could be measured."}
"""


def _interval(value: float, low: float | None, high: float | None) -> str:
    return f"{value:.4f}" if low is None else f"{value:.4f} [{low:.4f}, {high:.4f}]"


def _graphs(config: BundleConfig) -> str:
    """The exported graphs and how they answer beside PyTorch; "" where there are none."""
    if not config.exports:
        return ""
    rows = "\n".join(
        f"| {name} | {facts['n_images']} | {facts['top1']:.2%} | {facts['logits']:.1e} | {_shown(facts['maps'])} "
        f"| {_share(facts.get('verdicts'))} | {_share(facts.get('asked_again'))} "
        f"| {_share(facts.get('verdicts_served'))} |"
        for name, facts in config.exports.items()
        if "top1" in facts
    )
    slopes = "".join(
        f"{name}: on {facts['n_images']} images within {facts['gradients']:.1e} of the length of PyTorch's.\n\n"
        for name, facts in config.exports.items()
        if "gradients" in facts
    )
    return f"""## Exported graphs

Held against PyTorch on validation images; logits: largest difference in units of their standard deviation; maps: mean
rank correlation; asked again: verdicts that rounding could have turned, so that the fp32 graph, where it is there, is
asked.

| graph | images | same class | logits | maps | same verdict | asked again | same verdict then |
|---|---|---|---|---|---|---|---|
{rows}

{slopes}"""


def _cascade(config: BundleConfig) -> str:
    """Who helps out, and when; "" where nobody does."""
    facts = config.cascade
    if facts is None:
        return ""
    return f"""## Cascade

Where it is less sure than {facts.threshold:.4f} it asks `{facts.large}`. On {facts.n_images} validation images it
answers {facts.answered:.1%} itself; macro-F1 of the two together {facts.f1_macro:.4f}, of the larger alone
{facts.f1_macro_large:.4f}.

"""


def _share(value: object) -> str:
    return "" if value is None else f"{value:.1%}"


def _shown(value: object) -> str:
    return "none" if value is None else f"{value:.4f}"
