"""A program that checks `xformers` on the stand-in: arguments are cases, findings are JSON.

A case is the name of the implementation, with its settings, and a problem.

A process of its own: xformers decides at its import whether there is CUDA.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from impls.interface import Problem
from tests.stand_in.device import stand_in
from tests.stand_in.tensors import OnDevice


@contextmanager
def xformers_on_cuda() -> Iterator[None]:
    """Within this, xformers takes this process for one with CUDA; import it within this only.

    Its flag for its own extension is set too: the attention of 0.0.35 does not use the extension.
    """
    with (
        patch("torch.version.cuda", "12.8"),
        patch("torch.backends.cuda.is_flash_attention_available", lambda: True),
    ):
        built = importlib.import_module("xformers._cpp_lib")
        with patch.object(built, "_built_with_cuda", new=True):
            fmha = importlib.import_module("xformers.ops.fmha")
            for operator in (fmha.flash._flash_fwd, fmha.flash._flash_bwd):
                operator.register_kernel("cpu")(operator._backend_fns["cuda"])
            for kernel in (fmha.cutlass.FwOp, fmha.cutlass.BwOp):  # they compare types exactly
                kernel.SUPPORTED_ATTN_BIAS_TYPES = (*kernel.SUPPORTED_ATTN_BIAS_TYPES, OnDevice)
            yield


def main(cases: list[str]) -> None:
    """Print reason and operator for each case."""
    with xformers_on_cuda():
        import impls
        from suites.agreement.checker import Checker
        from tests.contract.found import KNOWN

        found = {}
        with stand_in(capability=(9, 0), kernel_us=0.0):
            for case in cases:
                name, _, problem = case.partition(" ")
                (each,) = impls.select([name], KNOWN)
                finding = Checker(Problem.parse(problem), seed=3).check(each)
                found[case] = finding.reason, finding.operator
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
