"""docs/measuring.md states the constants of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from reports.views.neighbours import SLOWS
from suites.engine import neighbours
from suites.measure import (
    cache,
    ceilings,
    compilers,
    cuda,
    graph,
    interference,
    rounds,
    timing,
)
from suites.records.settings import options
from suites.request import planning
from suites.stats import disturbance, intervals

TEXT = " ".join((Path(__file__).parents[2] / "docs" / "measuring.md").read_text().split())
STATED = (
    f"at least {timing.WARM_CALLS} calls and {timing.WARM_MS:g} ms",
    f"at most {timing.WARM_MOST_MS:g} ms",
    f"as many calls as take {timing.SAMPLE_MS:g} ms",
    f"a sample takes at least {timing.CUDA_SAMPLE_MS:g} ms",
    f"a call below {timing.LEAD_IN_BELOW_MS:g} ms follows one untimed lead-in call",
    f"A call above {timing.LONG_MS / 1e3:g} s is timed once",
    f"a buffer of {cache.TIMES} times the last-level cache ({cache.UNKNOWN_BYTES >> 20} MiB",
    f"at least {rounds.FEWEST} rounds",
    f"at most {rounds.MOST}.",
    f"extended to {rounds.FEWEST_ON_GPU} rounds where a turn takes at most {rounds.SHORT_MS:g} ms",
    f"{timing.SUSTAINED_S:g} s of calls without a pause",
    f"for calls up to {timing.BESIDE_MS:g} ms). With `--sustained`",
    f"together take less than {rounds.WATCHED_MS:g} ms share a reading",
    f"exceeds {100 * disturbance.WAITED_SHARE:g} % of the round",
    f"exceeds {disturbance.SLOW_PROBE} times its usual time",
    f"the {interference.USUAL_PERCENTILE}th percentile",
    f"from {intervals.FEWEST_ROUNDS} rounds on",
    f"up to {rounds.TAIL_MOST:,} rounds, within {planning.TAIL_BUDGET_MS / 1e3:g} s",
    "6 calls for p50, 72 for p95, 368 for p99",
    f"Above {intervals.MOST_MORE:,} sessions no number is given",
    f"fit in {ceilings.BUDGET_MS:g} ms",
    f"where the fastest call takes less than {1e3 * graph.GRAPH_BELOW_MS:g} us",
    f"{graph.GRAPH_CALLS} calls in one graph",
    f"as many as take {graph.GRAPH_MS:g} ms",
    f"{cuda.SPIN_LEAST_MS:g} to {cuda.SPIN_MOST_MS:g} ms",
    f"median of {cuda.OVERHEAD_CALLS}",
    f"`--prepare-limit` ({options()['prepare_limit_s'].default} s)",
    f"compilations of a function is raised to {compilers.RECOMPILATIONS}",
    f"{neighbours.FEWEST} to {neighbours.MOST} times in a row",
    f"within {100 * neighbours.SHARE:g} % of the rounds' budget",
    f"Rows above {SLOWS} are named",
)


@pytest.mark.parametrize("stated", STATED)
def test_the_documented_method_has_the_constants_of_the_code(stated: str) -> None:
    assert stated in TEXT
