"""The stand-in refuses and takes CPU tensors where CUDA does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from suites.agreement.hard_inputs import poisoned
from tests.stand_in.runtime import Runtime

Call = Callable[[torch.Tensor, torch.Tensor], Any]
ROWS = torch.tensor([0, 2])
REFUSED: dict[str, Call] = {
    "a sum": lambda x, cpu: x + cpu,
    "a product": lambda x, cpu: x @ cpu,
    "a condition": lambda x, cpu: torch.where(cpu > 0, x, x),
    "a mask": lambda x, cpu: x.masked_fill(cpu > 0, 0.0),
    "a mask without dimensions": lambda x, _: x.masked_fill(torch.tensor(data=True), 0.0),
    "rows selected": lambda x, _: x.index_select(0, ROWS),
    "numbers gathered": lambda x, _: x.gather(0, ROWS[None]),
    "numbers scattered": lambda x, _: x.scatter(0, ROWS[None], 0.0),
    "values put at indices": lambda x, cpu: x.index_put((ROWS,), cpu[:2]),
    "tensors joined": lambda x, cpu: torch.cat([x, cpu]),
    "tensors compared": torch.equal,
    "indices of the device on a CPU tensor": lambda x, cpu: cpu[ROWS.to(x.device)],
    "a sum in place on a CPU number": lambda x, _: torch.zeros(()).add_(x.sum()),
    "two CPU numbers": lambda x, _: x.addcmul(torch.tensor(1.0), torch.tensor(1.0)),
    "attention": lambda x, cpu: scaled_dot_product_attention(
        x[None, None], x[None, None], cpu[None, None]
    ),
}
TAKEN: dict[str, Call] = {
    "a CPU number": lambda x, _: x + torch.tensor(1.0),
    "CPU numbers in a choice": lambda x, _: torch.where(
        x > 0, torch.tensor(1.0), torch.tensor(0.0)
    ),
    "a value of a mask": lambda x, _: x.masked_fill(x > 0, torch.tensor(1.0)),
    "CPU indices": lambda x, _: x[ROWS],
    "a CPU mask as an index": lambda x, cpu: x[cpu > 0],
    "rows that are set": lambda x, cpu: x.__setitem__(slice(0, 2), cpu[:2]),
    "a copy": lambda x, cpu: x.copy_(cpu),
    "a copy to the host": lambda x, cpu: cpu.clone().copy_(x),
    "a move": lambda x, cpu: cpu.to(x) + x,
    "a tensor made of numbers": lambda x, _: x + torch.tensor([1.0, 2.0, 3.0], device="cuda"),
    "a number read": lambda x, _: float(x.sum()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_devices_that_mix_are_refused(cuda: Runtime, name: str) -> None:
    with pytest.raises(RuntimeError, match=r"same device|device type|too many CPU scalars"):
        REFUSED[name](torch.ones(3, 3, device="cuda"), torch.ones(3, 3))


@pytest.mark.parametrize("name", TAKEN)
def test_what_cuda_takes_is_taken(cuda: Runtime, name: str) -> None:
    TAKEN[name](torch.ones(3, 3, device="cuda"), torch.ones(3, 3))


def test_a_generator_draws_on_its_own_device_only(cuda: Runtime) -> None:
    on_cpu, on_device = torch.Generator(), torch.Generator("cuda").manual_seed(3)
    again = torch.Generator("cuda").manual_seed(3)
    drawn = torch.randn(3, device="cuda", generator=on_device)
    assert torch.equal(drawn, torch.randn(3, device="cuda", generator=again))
    with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator"):
        torch.randn(3, device="cuda", generator=on_cpu)
    with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator"):
        torch.randn(3, generator=on_device)


def test_devices_that_mix_in_a_backward_pass_are_refused(cuda: Runtime) -> None:
    x = torch.ones(3, device="cuda", requires_grad=True)
    made = x * 2
    made.register_hook(lambda grad: grad + torch.ones(3))  # type: ignore[no-untyped-call]
    with pytest.raises(RuntimeError, match="two devices"):
        torch.autograd.grad(made.sum(), [x])


def test_a_change_of_sizes_in_place_is_not_emulated(cuda: Runtime) -> None:
    with pytest.raises(NotImplementedError, match="cannot change sizes"):
        torch.ones(2, 3, device="cuda").t_()


def test_deterministic_mode_warns_of_products_on_the_device(cuda: Runtime) -> None:
    x = torch.ones(3, 3, device="cuda")
    torch.set_deterministic_debug_mode("warn")
    try:
        with pytest.warns(UserWarning, match="deterministic implementation"):
            x @ x
    finally:
        torch.set_deterministic_debug_mode("default")


def test_poisoned_memory_makes_no_warning_on_the_device(cuda: Runtime) -> None:
    x = torch.ones(3, 3, device="cuda")
    with poisoned():  # a warning is an error here
        assert bool(torch.isnan(torch.empty(3, device="cuda")).all())
        assert float((x @ x).sum()) == 27
