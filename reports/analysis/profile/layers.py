"""The attention layers of a profiled model: times of the profile beside those of clocks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from reports.analysis.profile.profiled_run import ProfiledRun
from suites.records.in_model import InModel, LayerTime
from suites.records.profile import Profile

ALL: Final = "all layers"


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerRow:
    """One layer, or all of them.

    site        the line of the model that calls attention; empty of all layers
    share       of the profiled step
    by_clocks   share of a step of the run, in which no profiler ran: the median of its sessions;
                None: the run has none
    """

    layer: str
    site: str
    calls: int
    forward_ms: float
    backward_ms: float | None
    share: float
    by_clocks: float | None


def layer_rows(found: ProfiledRun, profile: Profile) -> list[LayerRow]:
    """A row for each layer in the order of the model, and the last one of all of them.

    Empty without a model, and where the lines of the step are not known.
    """
    own = profile.in_model
    if own is None or not own.layers:
        return []
    clocks = _clocks(found, profile)
    rows = [_row(own, each, _sites(profile).get(each.layer, ""), clocks) for each in own.layers]
    return [*rows, _row(own, _sum(own.layers), "", clocks)]


def _row(own: InModel, layer: LayerTime, site: str, clocks: Sequence[InModel]) -> LayerRow:
    measured = [share for each in clocks if (share := _share(each, layer.layer)) is not None]
    return LayerRow(
        layer=layer.layer,
        site=site,
        calls=layer.calls,
        forward_ms=layer.forward_ms,
        backward_ms=layer.backward_ms,
        share=layer.total_ms / own.step_ms if own.step_ms else 0.0,
        by_clocks=median(measured) if measured else None,
    )


def _sum(layers: Sequence[LayerTime]) -> LayerTime:
    backward = [each.backward_ms for each in layers if each.backward_ms is not None]
    return LayerTime(
        layer=ALL,
        calls=sum(each.calls for each in layers),
        forward_ms=sum(each.forward_ms for each in layers),
        backward_ms=sum(backward) if backward else None,
    )


def _share(clocks: InModel, layer: str) -> float | None:
    """The share of a layer, or of all of them; None: the clocks have no such layer."""
    if layer == ALL:
        return clocks.share
    times = [each.total_ms for each in clocks.layers if each.layer == layer]
    return sum(times) / clocks.step_ms if times and clocks.step_ms else None


def _clocks(found: ProfiledRun, profile: Profile) -> list[InModel]:
    """The clocks of the run's sessions for what was profiled."""
    own = (profile.problem, profile.implementation, profile.threads)
    plan = found.analysis.plan
    return [
        each.in_model
        for each in found.analysis.records
        if each.in_model is not None and (*each.pair, plan.threads_of(each.session)) == own
    ]


def _sites(profile: Profile) -> dict[str, str]:
    """The call site of each layer."""
    return dict(_named(profile))


def _named(profile: Profile) -> Iterator[tuple[str, str]]:
    for node in profile.nodes:
        if node.kind == "layer":
            layer, _, site = node.name.partition(" ")
            yield layer, site
