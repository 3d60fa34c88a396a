"""The worst that implementations do, in real processes, and what becomes of it."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from suites.agreement.probes.read_only_inputs import WROTE
from suites.engine import catalogue
from suites.engine.catalogue import open_catalogue
from suites.engine.processes import Processes
from suites.engine.run import Conductor
from suites.process_state.fingerprint import DISTURBS
from suites.records.plan import Plan
from suites.records.record import Record
from suites.records.store import Run, Store, now

HOSTILE = Path(__file__).with_name("hostile.py")
PROBLEM = "b1 h4 t64 d16 full fp32 cpu"
MARK = f"ATTNBENCH_TEST_{os.getpid()}"
"""A variable that only processes of this run have."""
TIMED_LATE = "agrees in the check, but not while timed: "
SETTLED = {
    "raises": ("failed", "RuntimeError: no such luck"),
    "raises_system_exit": ("failed", "SystemExit: 0"),
    "raises_keyboard_interrupt": ("failed", "KeyboardInterrupt"),
    "raises_what_is_no_exception": ("failed", "_Odd: base"),
    "raises_without_words": ("failed", "_MuteError: its message cannot be read: RuntimeError"),
    "raises_a_hundred_megabytes": ("failed", "_LoudError: red red red"),
    "raises_in_a_sample": ("failed", "RuntimeError: only in the rounds"),
    "raises_and_changes_the_threads": (
        "failed",
        "RuntimeError: no such luck; it also changed torch's threads from 1 to 3",
    ),
    "exits_quietly": ("crashed", "the process ended with status 0 before it answered"),
    "exits_in_a_sample": ("crashed", "the process ended with status 0 before it answered"),
    "ends_the_process_in_another_s_turn": (
        "crashed",
        "the process ended with status 3 before it answered",
    ),
    "segfaults": ("crashed", "the process was killed by SIGSEGV"),
    "aborts": ("crashed", "the process was killed by SIGABRT"),
    "loops": ("timed_out", "spent more than 6 s on this problem (--time-limit)"),
    "loops_deaf_to_signals": ("timed_out", "spent more than 6 s on this problem (--time-limit)"),
    "recurses": ("failed", "RecursionError: maximum recursion depth exceeded"),
    "eats_memory": ("out_of_memory", "one call may add 0.25 GiB (--memory-limit)"),
    "eats_memory_in_small_bites": ("out_of_memory", "one call may add 0.25 GiB (--memory-limit)"),
    "closes_every_descriptor": ("crashed", "the process ended with status"),
    "writes_half_a_message": ("crashed", "the process ended with status 0 before it answered"),
    "writes_over_the_pipe": ("crashed", "wrote over the engine's own pipe"),
    "returns_nothing": ("failed", "TypeError: returned NoneType, expected one tensor"),
    "returns_a_tuple": ("failed", "TypeError: returned tuple, expected one tensor"),
    "returns_its_input": ("wrong", "query "),
    "computes_when_looked_at": (
        "failed",
        "TypeError: returned _Later, which may compute when it is looked at; expected a plain tens",
    ),
    "returns_before_it_is_done": ("wrong", ""),  # whatever it is that is not there yet
    "returns_a_meta_tensor": ("wrong", "out is on meta, expected cpu"),
    "returns_a_sparse_tensor": ("wrong", "out is torch.sparse_coo, expected a dense tensor"),
    "yields": ("failed", "TypeError: returned generator, expected one tensor"),
    "waits_to_be_awaited": ("failed", "TypeError: returned async_generator, expected one tensor"),
    "shrinks_its_input": ("wrong", "its input q was freed or resized"),
    "frees_its_input": ("wrong", "its input q was freed or resized"),
    "frees_its_input_in_a_sample": ("failed", "took the memory of its inputs a"),
    "doubles_its_input_and_puts_it_back": ("wrong", WROTE),
    "writes_to_its_input_by_numpy_and_puts_it_back": ("wrong", WROTE),
    "remembers_shapes": ("wrong", TIMED_LATE + "out is wrong"),
    "remembers_addresses": ("wrong", TIMED_LATE + "out is wrong"),
    "remembers_versions": ("wrong", TIMED_LATE + "out is wrong"),
    "remembers_weights": ("wrong", TIMED_LATE + "out is wrong"),
    "remembers_keys": ("wrong", TIMED_LATE + "out is wrong"),
    "is_one_call_late": ("wrong", TIMED_LATE + "out is wrong"),
    "skips_half_the_keys": ("wrong", TIMED_LATE + "out is wrong"),
    "computes_one_head": ("wrong", TIMED_LATE + "out is wrong"),
    "narrows_its_answer": ("wrong", TIMED_LATE + "out is torch.bfloat16, expected torch.float32"),
}
DISTURBING = {
    "changes_the_threads": "changed torch's threads from 1 to 2",
    "changes_the_threads_in_a_sample": "changed torch's threads from 1 to 2",
    "changes_the_default_dtype": "changed the default dtype from torch.float32 to torch.float64",
    "seeds": "seeded torch's random numbers",
    "lowers_the_precision": (
        "changed how products of float32 are computed, from ieee/ieee/ieee to ieee/tf32/bf16"
    ),
    "rounds_upward": "changed how the processor rounds",
    "has_numpy_raise": "changed what numpy does about divide, over, under, invalid",
    "replaces_what_writes_json": "replaced json.dumps",
    "asks_its_input_for_gradients_in_a_sample": "had its inputs ask for gradients, or no more",
    "enters_a_mode": "entered a mode around torch's functions, or left one",
    "replaces_the_clocks": "replaced time.monotonic, time.perf_counter, time.perf_counter_ns",
    "replaces_functions_of_torch": (
        "replaced torch.softmax, torch.Tensor.__matmul__, "
        "torch.nn.functional.scaled_dot_product_attention"
    ),
    "replaces_a_function_in_a_sample": "replaced torch.softmax",
    "handles_signals": "changed the handler of SIGTERM",
    "changes_the_environment": "changed the environment (OMP_NUM_THREADS)",
    "lowers_what_the_system_allows": "changed the system's limits (RLIMIT_NOFILE)",
    "replaces_functions_of_python": "replaced Python's own isinstance, len, sorted",
    "replaces_a_function_of_python_in_a_sample": "replaced Python's own max",
    "sets_an_alarm": "left a timer running that sends a signal",
    "leaves_the_folder": f"changed the working directory from {Path.cwd()} to /",
    "empties_the_path": "took ",
    "replaces_stdout": "replaced or closed sys.stdout",
    "traces": "set a trace or profile hook",
    "closes_what_is_printed_to": "closed or replaced descriptors 1, 2",
    "leaves_a_thread_at_work": "left 1 thread running",
    "leaves_orphans": "left ",
    "returns_twice": "left 1 process behind",
    "leaves_a_program_at_work": "left 1 process behind",
    "writes_to_its_input_in_a_sample": "wrote to its inputs",
}
UNHARMED = (
    "honest_first",
    "floods_its_output",
    "returns_a_transposed_view",
    "returns_a_subclass",
    "works_in_a_pool",
    "draws_random_numbers",
    "opens_descriptors_and_variables",
    "sleeps_in_a_sample",
    "honest_last",
)


class Silent:
    def phase(self, text: str, total: int) -> None:
        pass

    def record(self, record: Record) -> None:
        pass


@pytest.fixture(scope="module")
def made() -> dict[str, list[Record]]:
    """One run of all of them together, by implementation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(MARK, "1")
        return conducted()


def conducted() -> dict[str, list[Record]]:
    machine, entries = open_catalogue([str(HOSTILE)], threads=1)
    plan = Plan(
        suite="hostile",
        problems=(PROBLEM,),
        entries=entries,
        sessions=1,
        seed=1,
        round_budget_ms=10,
        time_limit_s=6,
        memory_limit=1 << 28,
        threads=(1,),
    )
    store = Store.open("sqlite://")
    run = Run(name="r", started=now(), command="c", plan=plan, machine=machine)
    store.begin(run)
    with Processes(plan.time_limit_s, plan.memory_limit) as processes:
        found = Conductor(run=run, store=store, listener=Silent(), processes=processes).conduct()
    return {e.name: [r for r in found if r.implementation == e.name] for e in entries}


def test_every_death_is_in_the_list(made: dict[str, list[Record]]) -> None:
    assert sorted(made) == sorted([*SETTLED, *DISTURBING, *UNHARMED])


@pytest.mark.parametrize("name", SETTLED)
def test_a_death_becomes_its_record_with_the_reason(
    made: dict[str, list[Record]], name: str
) -> None:
    status, words = SETTLED[name]
    last = made[name][-1]
    assert last.status == status
    assert words in last.reason  # torch's own words may come first
    assert len(last.reason) < 500
    assert last.reason.isprintable()
    assert not any(record.times_ms for record in made[name])


@pytest.mark.parametrize("name", DISTURBING)
def test_what_it_did_to_the_process_is_a_fault_that_is_named(
    made: dict[str, list[Record]], name: str
) -> None:
    last = made[name][-1]
    assert last.status == "failed"
    assert last.reason.startswith(DISTURBING[name])
    assert last.reason.endswith(DISTURBS)
    assert (last.session == 1) == name.endswith("in_a_sample")
    assert not any(record.times_ms for record in made[name])


@pytest.mark.parametrize("name", UNHARMED)
def test_the_others_are_measured_as_if_nothing_had_happened(
    made: dict[str, list[Record]], name: str
) -> None:
    assert [record.status for record in made[name]] == ["ok", "ok"]
    assert made[name][1].times_ms
    assert made[name][1].threads == 1


def test_honest_neighbours_agree_to_the_bit_whoever_stands_between_them(
    made: dict[str, list[Record]],
) -> None:
    (first, timed), (last, timed_last) = made["honest_first"], made["honest_last"]
    assert first.agreement == last.agreement
    assert first.agreement is not None
    assert first.peak_bytes == last.peak_bytes
    assert timed.conditions == timed_last.conditions  # they stood in the same rounds
    assert len(timed.times_ms) == len(timed_last.times_ms)


def test_who_sleeps_in_a_sample_is_slow_and_no_more(made: dict[str, list[Record]]) -> None:
    assert min(made["sleeps_in_a_sample"][1].times_ms) >= 2


def test_no_process_outlives_its_session(made: dict[str, list[Record]]) -> None:
    """Nor does what it has started, wherever that hangs in the tree of processes."""
    assert made
    assert [each.pid for each in psutil.process_iter() if MARK in variables_of(each)] == []


def variables_of(process: psutil.Process) -> dict[str, str]:
    try:
        return dict(process.environ())
    except psutil.Error:
        return {}  # gone, or somebody else's


IMPORTED: dict[str, tuple[str, str]] = {
    "exits": ("import os; os._exit(3)", "cannot be imported: the process ended with status 3"),
    "interrupts": (
        "raise KeyboardInterrupt",
        "cannot be imported: the process was killed by SIGINT; its last line: KeyboardInterrupt",
    ),
    "raises": ("raise RuntimeError('\\x1b[1mno')", "does not import: RuntimeError: no"),
    "hangs": ("import time; time.sleep(600)", "cannot be imported: spent more than 2 s"),
    "replaces a clock": (
        "import time; time.perf_counter_ns = lambda: 0",
        f"importing it replaced time.perf_counter_ns, {DISTURBS}",
    ),
}
"""What a file does when it is imported, and what is said of it."""


@pytest.mark.parametrize("what", IMPORTED)
def test_what_a_file_does_when_it_is_imported_is_a_user_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, what: str
) -> None:
    monkeypatch.setattr(catalogue, "LIMIT_S", 2.0 if what == "hangs" else 120.0)
    deed, words = IMPORTED[what]
    deadly = tmp_path / "deadly.py"
    deadly.write_text(f"{deed}\ndef attend(q, k, v): return v\n")
    with pytest.raises(ValueError, match=rf"deadly\.py:? {words}"):
        open_catalogue([str(deadly)], threads=1)
