"""`allsight cascade SMALL LARGE`"""

from __future__ import annotations

from typing import Annotated

import typer

from allsight.cli.console import AsJson, progress_bar, show


def cascade(
    small: Annotated[str, typer.Argument(help="Bundle that is asked first; it then stands for both.")],
    large: Annotated[str, typer.Argument(help="Bundle that is asked where the small one is not sure.")],
    data: Annotated[
        str | None, typer.Option(help="The DATA they were trained on. [where it lay then]")
    ] = None,
    runtime: Annotated[
        str | None, typer.Option(help="pytorch, onnx or openvino. [the fastest that was exported]")
    ] = None,
    precision: Annotated[str | None, typer.Option(help="fp32 or int8. [the fastest there is]")] = None,
    json: AsJson = False,
) -> None:
    """A small network answers what it is sure of, a large one the rest; the threshold comes from validation images."""
    from allsight.verbs.cascade import cascade as join

    with progress_bar() as progress:
        joined = join(small, large, data=data, runtime=runtime, precision=precision, progress=progress)
    facts = joined.facts
    text = (
        f"{joined.bundle} answers {facts.answered:.1%} of {facts.n_images} validation images itself "
        f"(threshold {facts.threshold:.4f}) and asks {large} for the rest: macro-F1 {facts.f1_macro:.4f}, "
        f"of the large one alone {facts.f1_macro_large:.4f}\nnext: allsight evaluate {joined.bundle} DATA"
    )
    show(joined.to_json(), text, as_json=json)
