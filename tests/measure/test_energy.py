"""Energy of calls, by a stand-in for the folder of Linux' power capping and for NVML."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from suites.measure import energy, nvidia
from suites.measure.devices import Cuda, Host
from suites.measure.energy import Package, RaplMeter, board, packages, sampling
from suites.measure.rounds import Arm, nested, take
from suites.measure.timing import HostClock, HotSampler
from tests.measure.fake_cuda import FakeCuda
from tests.measure.test_nvidia import fake

RANGE_UJ = 262_143_328_850


def domain(root: Path, number: str, name: str, uj: int = 5_000) -> Path:
    """A folder of a domain, as the kernel lays it out."""
    folder = root / f"intel-rapl:{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    (folder / "energy_uj").write_text(f"{uj}\n")
    (folder / "max_energy_range_uj").write_text(f"{RANGE_UJ}\n")
    return folder


def arm(call: Any = lambda: None, call_ms: float = 50.0) -> Arm:
    return Arm("naive", (call,), call_ms, HotSampler(HostClock()))


def no_faults() -> int:
    return 0


def test_packages_are_found_without_their_parts(tmp_path: Path) -> None:
    for number, name in (("0", "package-0"), ("1", "package-1"), ("2", "psys"), ("0:0", "core")):
        domain(tmp_path, number, name)
    found, said = packages(tmp_path)
    assert [each.file.parent.name for each in found] == ["intel-rapl:0", "intel-rapl:1"]
    assert {each.range_uj for each in found} == {RANGE_UJ}
    assert said == "RAPL: read around samples of 20 ms and longer, package-0, package-1"


def test_a_machine_without_packages_has_the_reason(tmp_path: Path) -> None:
    domain(tmp_path, "0", "psys")
    assert packages(tmp_path / "none") == ((), energy.NO_PACKAGES.format(root=tmp_path / "none"))
    assert packages(tmp_path)[1].startswith(f"RAPL: not readable here: {tmp_path} has no package")


def test_a_counter_without_access_has_the_reason_and_the_cure(tmp_path: Path) -> None:
    file = domain(tmp_path, "0", "package-0") / "energy_uj"
    file.unlink()
    file.mkdir()  # not readable, for any user
    found, said = packages(tmp_path)
    assert found == ()
    assert said.startswith(f"RAPL: not readable here: {file}: Is a directory; permit it with: ")
    assert said.endswith("sudo chmod a+r /sys/class/powercap/intel-rapl:*/energy_uj")


def test_a_counter_that_is_no_number_has_the_reason(tmp_path: Path) -> None:
    (domain(tmp_path, "0", "package-0") / "energy_uj").write_text("much\n")
    assert packages(tmp_path)[0] == ()
    assert "invalid literal for int()" in packages(tmp_path)[1]


@pytest.mark.parametrize(
    ("before_uj", "now_uj", "uj"),
    [(5, 5, 0), (5, 9, 4), (RANGE_UJ - 5, 3, 8), (RANGE_UJ, 0, 0)],
)
def test_a_counter_starts_again_at_zero(before_uj: int, now_uj: int, uj: int) -> None:
    assert Package(Path(), RANGE_UJ).since_uj(before_uj, now_uj) == uj


def test_the_energy_of_a_sample_is_summed_over_packages(tmp_path: Path) -> None:
    one, two = (domain(tmp_path, str(n), f"package-{n}") / "energy_uj" for n in range(2))

    def call() -> None:
        one.write_text(str(int(one.read_text()) + 7_000))
        two.write_text(str(int(two.read_text()) + 2_000))

    calling = arm(call, 25.0)
    calling.sample_ms = 50.0  # two calls
    calling.sampling = nested(sampling(RaplMeter(packages(tmp_path)[0])))
    for _ in range(3):
        take(calling, no_faults)  # its lead-in calls do not count
    assert calling.energy_mj == [18.0] * 3
    assert calling.call_mj == 9.0
    assert calling.again().call_mj is None


def test_a_sample_whose_counter_cannot_be_read_leaves_the_call_without_energy(
    tmp_path: Path,
) -> None:
    file = domain(tmp_path, "0", "package-0") / "energy_uj"
    calling = arm()
    calling.sampling = sampling(RaplMeter(packages(tmp_path)[0]))
    take(calling, no_faults)
    assert calling.call_mj == 0.0
    file.unlink()
    take(calling, no_faults)
    assert len(calling.times_ms) == 2
    assert calling.call_mj is None


def test_several_contexts_of_a_sample_are_nested_and_none_adds_nothing() -> None:
    seen: list[str] = []

    def meter(name: str) -> Any:
        return SimpleNamespace(
            start=lambda: seen.append(f"start {name}"), stop=lambda: seen.append(f"stop {name}")
        )

    with nested(sampling(meter("outer")), sampling(meter("inner")))(arm()):
        seen.append("sample")
    assert seen == ["start outer", "start inner", "sample", "stop inner", "stop outer"]
    assert nested() is Arm("plain", (), 1.0, HotSampler(HostClock())).sampling


def test_on_a_cpu_the_energy_of_long_samples_is_read_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    domain(tmp_path, "0", "package-0")
    long, short = arm(call_ms=energy.LEAST_SAMPLE_MS), arm(call_ms=energy.LEAST_SAMPLE_MS / 2)
    for root, counts in ((tmp_path, [1, 0]), (tmp_path / "none", [0, 0])):
        readable = packages(root)
        monkeypatch.setattr(energy, "packages", lambda found=readable: found)
        host = Host(cold=False)
        assert [len(host.samplings(each)) for each in (long, short)] == counts
        assert (host.meter() is None) == (counts == [0, 0])
        assert Host(cold=True).samplings(long) == ()  # its samples hold flushes of the caches


def counting(per_reading_mj: int) -> Any:
    """NVML whose total energy grows by this at each reading."""
    total = iter(range(per_reading_mj, 1000 * per_reading_mj, per_reading_mj))
    return fake(nvmlDeviceGetTotalEnergyConsumption=lambda _: next(total))


def test_the_energy_of_a_board_is_the_growth_of_its_counter() -> None:
    meter = board("1a2b", counting(40))
    assert meter is not None
    meter.start()
    assert meter.stop() == 40.0


def test_a_board_without_a_counter_has_no_meter() -> None:
    assert board("1a2b", fake()) is None


@pytest.mark.parametrize("counted", [True, False])
def test_under_sustained_load_energy_is_divided_by_the_calls(
    monkeypatch: pytest.MonkeyPatch,
    counted: bool,  # noqa: FBT001 - a case
) -> None:
    cuda = FakeCuda()
    module = SimpleNamespace(
        current_device=lambda: 0,
        get_device_properties=lambda index: SimpleNamespace(index=index, uuid="1a2b"),
        Event=cuda.Event,
        synchronize=cuda.synchronize,
    )
    meter = board("1a2b", counting(80_000)) if counted else None
    monkeypatch.setattr(energy, "board", lambda uuid: meter)
    found = Cuda(module, cold=False).beside(cuda.kernel(1500, 20), 60.0, under_load=True)
    expected = {"energy_mj": 80_000 / cuda.launched} if counted else {}
    assert found == {"sustained_ms": pytest.approx(1.5), **expected}


def test_a_line_names_both_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "packages", lambda: ((), "RAPL: no"))
    monkeypatch.setattr(energy, "board", lambda uuid: None)
    assert energy.facts() == "RAPL: no"
    monkeypatch.setattr(nvidia, "pynvml", lambda: None)
    assert energy.facts("1a2b") == f"RAPL: no; {energy.NO_NVML}"
    monkeypatch.setattr(nvidia, "pynvml", fake)
    assert energy.facts("1a2b") == f"RAPL: no; {energy.NO_BOARD}"
    monkeypatch.setattr(energy, "board", lambda uuid: "a meter")
    assert energy.facts("1a2b") == f"RAPL: no; {energy.BOARD}"
