"""`allsight benchmark`"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from allsight.cli.console import AsJson, progress_bar, show
from allsight.core.errors import UsageError

if TYPE_CHECKING:
    from allsight.verbs.benchmark import Benchmark

_PAPER = "efficientnet-b7,vgg19,inception-resnet-v2,resnet50,densenet121,alexnet"


def benchmark(
    backbones: Annotated[str, typer.Option(help="Networks, with commas; none for bundles only.")] = _PAPER,
    bundle: Annotated[
        list[Path] | None, typer.Option(help="Also this trained bundle; may be repeated.")
    ] = None,
    runtimes: Annotated[str, typer.Option(help="With commas.")] = "pytorch,onnx,openvino",
    precisions: Annotated[str, typer.Option(help="With commas.")] = "fp32,int8",
    batches: Annotated[str, typer.Option(help="Images a call, with commas.")] = "1",
    size: Annotated[int, typer.Option(min=8, help="Side of the networks' input.")] = 224,
    outputs: Annotated[
        str, typer.Option(help="all; or all,plain to see what class activation maps cost.")
    ] = "all",
    threads: Annotated[int, typer.Option(min=1, help="How many a graph may use.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is timed.")] = 9,
    memory: Annotated[bool, typer.Option(help="Also peak memory, each graph in its own process.")] = True,
    out: Annotated[
        Path | None, typer.Option(help="Folder for benchmark.json, speed.md and speed.svg.")
    ] = None,
    json: AsJson = False,
) -> None:
    """How fast networks are in each runtime and precision, measured in turns in one process."""
    from allsight.verbs.benchmark import benchmark as measure

    with progress_bar() as progress:
        found = measure(
            backbones=[] if backbones == "none" else _listed(backbones),
            bundles=bundle or (),
            runtimes=_listed(runtimes),
            precisions=_listed(precisions),
            batches=[_whole(b) for b in _listed(batches)],
            size=size,
            outputs=_listed(outputs),
            threads=threads,
            rounds=rounds,
            memory=memory,
            out=out,
            command=shlex.join(["allsight", *sys.argv[1:]]),
            progress=progress,
        )
    show(found.to_json(), _table(found), as_json=json)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _whole(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise UsageError(
            f"--batches takes whole numbers from 1, not {text!r}.", hint="For example --batches 1,8."
        )
    return int(text)


def _table(found: Benchmark) -> str:
    lines = [f"{found.machine}; {found.threads} threads a graph; an image, median of {found.rounds} rounds"]
    for r in found.rows:
        peak = "" if r.peak_mb is None else f"  {r.peak_mb:7.0f} MB"
        lines.append(
            f"  {r.backbone:<22} {r.runtime:<9} {r.precision}  batch {r.batch:<3} {r.cpu_ms.median:8.1f} ms CPU "
            f"[{r.cpu_ms.low:.1f}, {r.cpu_ms.high:.1f}]  {r.wall_ms.median:8.1f} ms wall{peak}  {r.outputs}"
        )
    return "\n".join(lines)
