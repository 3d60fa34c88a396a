"""A program that checks `xformers` on the stand-in: problems as arguments, findings as JSON.

A process of its own: xformers decides at its import whether there is CUDA.
"""

from __future__ import annotations

import json
import sys

from impls.interface import Implementation, Problem
from tests.stand_in.device import stand_in
from tests.stand_in.kernels import xformers_on_cuda


def main(texts: list[str]) -> None:
    """Print reason and operator for each problem."""
    with xformers_on_cuda():
        from suites.agreement.checker import Checker
        from tests.contract.found import KNOWN

        with stand_in(capability=(9, 0), kernel_us=0.0):
            each, found = KNOWN["xformers"], {}
            assert isinstance(each, Implementation)
            for text in texts:
                finding = Checker(Problem.parse(text), seed=3).check(each)
                found[text] = finding.reason, finding.operator
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1:])
