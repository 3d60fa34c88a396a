"""Recorded facts of an NVIDIA device: names and values for tables, and sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from reports.analysis.run_analysis import Analysis
from reports.views.disturbance import conditions
from reports.views.text import capitalized, counted
from suites.records.store import Run

NOT_REPORTED: Final = "not reported"
POWER_CAP: Final = "power cap"
"""As a reason and as a policy of the driver."""
_MODES: Final = (
    ("persistence", "persistence mode"),
    ("compute_mode", "compute mode"),
    ("ecc", "ECC"),
    ("mig", "MIG"),
)

Fact = tuple[str, str]
"""A name and a value."""


def nvidia_facts(machine: Mapping[str, Any]) -> Iterator[Fact]:
    """The device that is used, what its driver reports, and the devices that are not used."""
    devices = machine.get("devices") or ()
    used = next((each for each in devices if each.get("device") == "cuda"), None)
    if used is None:
        return
    if "uuid" in used:
        yield "NVIDIA device", f"cuda:{used['chosen']}, UUID {used['uuid']}"
        yield "SMs", str(used["multiprocessors"])
        yield "L2 cache", f"{used['l2_bytes'] / 2**20:.3g} MiB"
    for each in machine.get("other_devices") or ():
        yield f"cuda:{each['index']}, not used", f"{each['name']}, UUID {each['uuid']}"
    yield from _of_driver(machine.get("nvidia") or {})


def nvidia_session_facts(run: Run) -> Iterator[Fact]:
    """The thermal warm-up, variables of CUDA, and a power cap that changed within the run."""
    for each in run.facts:
        if (warmed := each.warm_up) is not None:
            before, after = (_text(c, "°C") for c in (warmed.before_c, warmed.after_c))
            lasted = f"{warmed.seconds:.1f} s before session {each.session}"
            yield "thermal warm-up", f"{lasted}, from {before} to {after}"
    yield from dict.fromkeys(
        pair for each in run.facts for pair in each.environment.items() if _is_of_cuda(pair[0])
    )
    limits = dict.fromkeys(each.nvidia.get("power_limit_w") for each in run.facts if each.nvidia)
    if len(limits) > 1:
        shown = ", ".join(_text(limit, "W") for limit in limits)
        yield "power limit of sessions", f"{shown}: it changed within the run"


def _is_of_cuda(variable: str) -> bool:
    return variable.startswith(("CUDA_", "CUBLAS_", "NVIDIA_", "TORCH_", "PYTORCH_"))


def sentences(analysis: Analysis) -> list[str]:
    """Why clocks and throttling were not read, or in how many rounds the power cap held."""
    if all(problem.device != "cuda" for problem in analysis.plan.problems):
        return []
    driver = analysis.run.machine.get("nvidia") or {}
    if why := driver.get("unread"):
        return [f"{capitalized(str(why))}."]
    states = [state for each in conditions(analysis.records) for state in each.device]
    capped = sum(map(_is_capped, states))
    if not capped:
        return []
    limit = _text(driver.get("power_limit_w"), "W")
    share = f"{capped} of {counted(len(states), 'round')}"
    why = "usual under load, and not counted as a disturbance"
    return [f"The power cap ({limit}) reduced the clocks in {share}: {why}."]


def _is_capped(state: Mapping[str, Any]) -> bool:
    counters = state.get("throttled_ms") or {}
    return POWER_CAP in (state.get("reasons") or ()) or counters.get(POWER_CAP, 0) > 0


def _of_driver(found: Mapping[str, Any]) -> Iterator[Fact]:
    if "unread" in found:
        yield "NVIDIA driver", str(found["unread"])
    if "driver" not in found:
        return
    yield "NVIDIA driver", _text(found["driver"])
    limit, usual = (_text(found[f"{kind}power_limit_w"], "W") for kind in ("", "default_"))
    yield "power limit", f"{limit}; as delivered {usual}"
    most, program = (_text(found[f"{kind}_sm_mhz"], "MHz") for kind in ("max", "application"))
    yield "SM clock", f"at most {most}; set for programs: {program}"
    for name, title in _MODES:
        yield title, _text(found[name])


def _text(value: Any, unit: str = "") -> str:
    if value is None:
        return NOT_REPORTED
    return f"{value:g} {unit}".strip() if isinstance(value, float | int) else str(value)
