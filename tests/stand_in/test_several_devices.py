"""The command line on a machine with two NVIDIA devices, on the stand-in."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from suites.records.store import Run, Store
from tests.stand_in.machine import environment
from tests.stand_in.runtime import uuid_of

PROGRAM = Path(__file__).parents[2] / "run_bench.py"
THROTTLED: dict[str, Any] = {"throttled_ns": {"0": 1_000_000, "1": 5_000_000}}
"""Every reading adds 1 ms at the power cap (policy 0) and 5 ms of heat (policy 1)."""


def started(
    *words: str,
    visible: str | None = None,
    nvml: dict[str, Any] | None = None,
    devices: int = 2,
    **settings: Any,
) -> subprocess.CompletedProcess[str]:
    env = environment(nvml, devices=devices, **settings)
    env.pop("CUDA_VISIBLE_DEVICES", None)
    if visible is not None:
        env["CUDA_VISIBLE_DEVICES"] = visible
    command = [sys.executable, str(PROGRAM), *words]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def machine(**given: Any) -> dict[str, Any]:
    found = started("list", "machine", "--json", **given)
    assert found.returncode == 0, found.stderr
    data: dict[str, Any] = json.loads(found.stdout)
    return data


def test_list_machine_names_the_device_in_use_and_the_others() -> None:
    found = machine(nvml={"mig": [1, 1]})
    assert [each["device"] for each in found["devices"]] == ["cuda", "cpu"]
    assert found["devices"][0]["uuid"] == uuid_of(0)
    assert [(each["index"], each["uuid"]) for each in found["other_devices"]] == [(1, uuid_of(1))]
    assert found["nvidia"]["power_limit_w"] == 500.0
    assert found["nvidia"]["mig"] == "on"


def test_list_machine_sees_what_is_visible_and_says_what_was_not_read() -> None:
    found = machine(visible=f"GPU-{uuid_of(1)}")
    assert found["devices"][0]["uuid"] == uuid_of(1)
    assert found["other_devices"] == []
    assert "pip install" in found["nvidia"]["unread"]
    assert [each["device"] for each in machine(visible="")["devices"]] == ["cpu"]


def test_a_part_of_a_board_has_the_facts_of_its_board() -> None:
    part = f"MIG-{uuid_of(1)}"
    found = machine(visible=part, nvml={"uuids": [part], "mig": [1, 1]}, name="NVIDIA MIG 1g.5gb")
    assert found["devices"][0]["uuid"] == uuid_of(1)
    assert (found["nvidia"]["power_limit_w"], found["nvidia"]["mig"]) == (500.0, "on")


@pytest.mark.parametrize(
    ("words", "visible", "said"),
    [
        (("--device", "cuda:0,cuda:1"), None, "names 2 NVIDIA devices; a run measures on one"),
        (("--device", "cuda,cuda:1"), None, "names 2 NVIDIA devices"),
        (("--device", "cuda:2"), None, "--device cuda:2: this machine has no such NVIDIA device"),
        (("--device", "cuda:1"), "1", "which has no such device; expected the index 0"),
        (("--device", "cuda:x"), None, "expected an index like 1, or a UUID"),
        (("--problem", "t64 cuda:1"), None, "choose the device with --device cuda:1"),
        (("--device", "cpu", "--cuda-device", "1"), None, "no problem is on cuda"),
        (("--device", "cuda:0", "--cuda-device", "1"), None, "'1'; expected one"),
    ],
)
def test_a_choice_that_makes_no_sense_is_refused(
    words: tuple[str, ...], visible: str | None, said: str
) -> None:
    found = started("run", "--impl", "naive", *words, visible=visible)
    assert (found.returncode, found.stdout) == (2, "")
    assert said in found.stderr
    assert found.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def on_the_second(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Store, str]:
    """A run with --device cuda:1, its store, and what was printed."""
    folder = tmp_path_factory.mktemp("second")
    url = f"sqlite:///{folder}/runs.db"
    problem = ("--problem", "b1 h2 t32 d16 causal bf16", "--impl", "naive", "--impl", "sdpa_math")
    words = (*problem, "--device", "cuda:1", "--sessions", "1", "--store", url)
    found = started("run", *words, "--out", f"{folder}/out", nvml=THROTTLED)
    assert found.returncode == 0, found.stderr
    store = Store.open(url)
    return store.run("latest"), store, found.stdout


def test_a_run_uses_the_chosen_device_and_records_it(
    on_the_second: tuple[Run, Store, str],
) -> None:
    run, _, _ = on_the_second
    used = run.machine["devices"][0]
    assert (used["uuid"], used["chosen"]) == (uuid_of(1), "1")
    assert run.plan.cuda_device == "1"
    assert {problem.device for problem in run.plan.problems} == {"cuda"}
    assert {fact.environment["CUDA_VISIBLE_DEVICES"] for fact in run.facts} == {"1"}


def test_the_first_session_has_a_thermal_warm_up_and_reads_the_power_cap_back(
    on_the_second: tuple[Run, Store, str],
) -> None:
    run, _, _ = on_the_second
    assert [fact.session for fact in run.facts if fact.warm_up is not None] == [1]
    assert {fact.nvidia["power_limit_w"] for fact in run.facts} == {500.0}


def test_reduced_clocks_are_in_every_record_and_disturb_it_by_heat_alone(
    on_the_second: tuple[Run, Store, str],
) -> None:
    run, store, said = on_the_second
    timed = [record for record in store.records(run.name) if record.times_ms]
    assert timed
    for record in timed:
        assert record.conditions is not None
        for why, state in zip(record.conditions.disturbed, record.conditions.device, strict=True):
            assert "the device reduced its clocks for 5 ms (thermal)" in why
            assert "power cap" not in why
            assert state["throttled_ms"] == {"power cap": 1.0, "thermal": 5.0}
    assert "The power cap (500 W) reduced the clocks in" in " ".join(said.split())


def test_a_run_is_not_finished_on_another_device(on_the_second: tuple[Run, Store, str]) -> None:
    run, store, _ = on_the_second
    found = started(
        "run", "--resume", run.name, "--store", store.url, visible="1,0", nvml=THROTTLED
    )
    assert found.returncode == 2
    assert uuid_of(0) in found.stderr
    assert "its records would not belong together" in found.stderr
