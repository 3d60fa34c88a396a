"""The limits of a plain function, found by trial, as plain data."""

from __future__ import annotations

from collections import Counter
from typing import Any

from impls.interface import Limits
from suites.discover.discovery import DeviceFinding, Discovery
from suites.discover.source import decorator_source, non_default_fields


def of_limits(found: Discovery) -> dict[str, Any]:
    """The limits of a plain function, found by trial.

    devices   for each: the base, what was tried for one, and the features that do not hold
    limits    fields that differ from the default Limits; a range is [first, last, step]
    paste     the Python of them; empty without a base that agrees
    wrong     problems within its claims that were not computed correctly in the trials
    verified  problems of the suite within these limits by status; null: it agrees with its claims
    """
    verified = found.verified
    return {
        "implementation": found.name,
        "devices": [_device(finding) for finding in found.devices],
        "limits": [_limits(each) for each in found.limits],
        "paste": decorator_source(found.limits) if found.limits else "",
        "wrong": found.wrong,
        "verified": None if verified is None else dict(Counter(each.status for each in verified)),
    }


def _device(finding: DeviceFinding) -> dict[str, Any]:
    return {
        "device": finding.device,
        "base": None if finding.base is None else str(finding.base),
        "tried": {str(problem): fault for problem, fault in finding.tried.items()},
        "lacking": [
            {
                "field": each.feature.field,
                "value": each.feature.value,
                "problem": str(each.problem),
                "reason": each.reason,
            }
            for each in finding.unsupported
        ],
    }


def _limits(limits: Limits) -> dict[str, Any]:
    return {
        name: [value[0], value[-1], value.step] if isinstance(value, range) else value
        for name, value in non_default_fields(limits).items()
    }
