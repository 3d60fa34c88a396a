"""What of a process an implementation has to leave as it was, since others are measured in it too.

A look at everything takes half a millisecond and stands around checks and set-up; a glance at what
moves figures most takes 5 microseconds and stands between two turns of the rounds. Caches, modules,
random numbers drawn, variables and descriptors that are new, and threads that wait for the next
call are normal, and no change.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import torch

from suites.measure import allocator
from suites.process_state import interpreter as interpreter_state
from suites.process_state import process as process_state
from suites.process_state import scheduling
from suites.process_state import threads as left_behind
from suites.process_state import torch_settings as torch_state

THREADS: Final = "threads"
DISTURBS: Final = "which would disturb those measured beside it"


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that stays as it was.

    name      what a reason calls it
    read      what it is now
    put_back  makes it what it was; None where nothing can
    told      what was done to it, in words, from what it was and what it is; empty where that is of
              no matter to others. None: "changed NAME from WAS to IS" for whatever differs
    glanced   whether it is looked at between turns, too
    at_once   whether it is put back before anything else is looked at: without it nothing could be
    """

    name: str
    read: Callable[[], Any]
    put_back: Callable[[Any], object] | None = None
    told: Callable[[Any, Any], str] | None = None
    glanced: bool = False
    at_once: bool = False

    def since(self, was: Any) -> str:
        """What was done to it since, in words; empty for nothing."""
        now = self.read()
        if now == was:
            return ""
        return self.told(was, now) if self.told else f"changed {self.name} from {was} to {now}"


class DisturbedError(Exception):
    """An implementation changed what it has to leave as it was; the message says what."""

    def __init__(self, changes: str) -> None:
        super().__init__(f"{changes}, {DISTURBS}")


class Fingerprint:
    """The process as it is when this is made.

    more  parts that are the caller's own
    """

    def __init__(self, *more: Part) -> None:
        self._was = [(part, part.read()) for part in (*PARTS, *more)]
        self._glanced = [(part, was) for part, was in self._was if part.glanced]
        self._at_once = [(part, was) for part, was in self._was if part.at_once]
        self._put_back: list[str] = []

    def put_back_at_once(self) -> None:
        """Put back what keeps this program from working at all; `changes` tells of it all the same.

        Nothing here calls one of Python's own functions, which may be anything by now.
        """
        for part, was in self._at_once:
            words = part.since(was)
            if words and part.put_back is not None:
                part.put_back(was)
                self._put_back.append(words)

    @property
    def was_crippled(self) -> bool:
        """Whether something had to be put back at once; what failed meanwhile failed of that."""
        return bool(self._put_back)

    @property
    def left_threads(self) -> bool:
        """Whether there are threads that were not there, be they at work or waiting."""
        return any(part.read() - was for part, was in self._was if part.name == THREADS)

    def changes(self) -> str:
        """What was done to the process since, in words; empty for nothing."""
        self.put_back_at_once()
        others = (part.since(was) for part, was in self._was if not part.at_once)
        return "; ".join(filter(None, (*dict.fromkeys(self._put_back), *others)))

    def look(self) -> None:
        """Raise DisturbedError when something was done to the process since."""
        if words := self.changes():
            raise DisturbedError(words)

    def glance(self) -> None:
        """Raise DisturbedError when something was done to what is glanced at."""
        self.put_back_at_once()
        if self.was_crippled:
            self.look()
        for part, was in self._glanced:
            if words := part.since(was):
                raise DisturbedError(words)

    def restore(self) -> bool:
        """Put back what was changed; whether everything is as it was."""
        changed = [(part, was) for part, was in self._was if part.since(was)]
        for part, was in changed:
            if part.put_back is not None:
                part.put_back(was)
        return not any(part.since(was) for part, was in changed)


def _put_back_threshold(was: tuple[int, int, int]) -> None:
    gc.set_threshold(*was)


def _torch_parts() -> tuple[Part, ...]:
    return (
        Part("torch's threads", torch.get_num_threads, torch.set_num_threads, glanced=True),
        Part("torch's threads between operations", torch.get_num_interop_threads, glanced=True),
        Part("the default dtype", torch.get_default_dtype, torch.set_default_dtype, glanced=True),
        Part("the default device", torch_state.default_device, torch_state.put_back_default_device),
        Part("the seed", torch.initial_seed, torch.manual_seed, torch_state.told_seed),
        Part("grad mode", torch.is_grad_enabled, torch.set_grad_enabled, glanced=True),
        Part("inference mode", torch.is_inference_mode_enabled, glanced=True),
        *(
            Part(
                f"autocast on {device}",
                partial(torch.is_autocast_enabled, device),
                partial(torch.set_autocast_enabled, device),
                glanced=True,
            )
            for device in ("cpu", "cuda")
        ),
        Part(
            "deterministic mode",
            torch.get_deterministic_debug_mode,
            torch.set_deterministic_debug_mode,
            glanced=True,
        ),
        Part(
            "the precision of float32",
            torch_state.precision,
            torch_state.put_back_precision,
            torch_state.told_precision,
        ),
        Part(
            "sums of half precision",
            torch_state.sums,
            torch_state.put_back_sums,
            torch_state.told_sums,
        ),
        Part(
            "kernels",
            torch_state.switches,
            torch_state.put_back_switches,
            torch_state.told_switches,
            glanced=True,
        ),
        Part(
            "flushing of denormal numbers",
            torch_state.flushes_denormals,
            torch.set_flush_denormal,
            glanced=True,
        ),
        Part(
            "filling of unwritten memory",
            torch_state.fills_unwritten,
            torch_state.put_back_filling,
        ),
        Part("torch's profiler", torch_state.profiles, torch_state.put_back_profiler, glanced=True),
        Part("torch's kernels", torch_state.kernels, None, torch_state.told_kernels),
        Part("anomaly mode", torch.is_anomaly_enabled, torch.set_anomaly_enabled, glanced=True),
        Part(
            "hooks on tensors kept for gradients",
            torch_state.saved_hooks,
            torch_state.put_back_saved_hooks,
            torch_state.told_saved_hooks,
            glanced=True,
        ),
        Part("modes", torch_state.modes, None, torch_state.told_modes, glanced=True),
        Part("the CUDA device and stream", torch_state.stream, glanced=True),
        Part("functions", torch_state.names, torch_state.put_back_names, torch_state.told_names),
    )


def _process_parts() -> tuple[Part, ...]:
    state = process_state
    return (
        Part(
            "Python's own functions",
            state.functions,
            state.put_back_functions,
            state.told_functions,
            at_once=True,
        ),
        Part(
            "the system's limits",
            state.limits,
            state.put_back_limits,
            state.told_limits,
            at_once=True,
        ),
        Part("timers", state.timers, state.put_back_timers, state.told_timers, glanced=True),
        Part("hooks", state.hooks, state.put_back_hooks, state.told_hooks, glanced=True),
        Part(
            "warnings that are errors",
            state.warnings_that_fail,
            state.put_back_warnings,
            state.told_warnings,
        ),
        Part("the C library's memory", allocator.maps_large_blocks, None, allocator.told_mapping),
        Part("when garbage is collected", gc.get_threshold, _put_back_threshold),
        Part(
            "the thread switch interval",
            sys.getswitchinterval,
            sys.setswitchinterval,
            glanced=True,
        ),
        Part(
            "the recursion limit",
            sys.getrecursionlimit,
            sys.setrecursionlimit,
            state.told_recursion_limit,
            glanced=True,
        ),
        Part("the CPUs it may run on", scheduling.cpus, scheduling.put_back_cpus, glanced=True),
        Part("its niceness", scheduling.niceness, glanced=True),
        Part("its scheduling policy", scheduling.policy, scheduling.put_back_policy, glanced=True),
        Part(
            "huge pages",
            scheduling.without_huge_pages,
            scheduling.put_back_huge_pages,
            scheduling.told_huge_pages,
        ),
        Part("blocked signals", state.masked_signals, state.put_back_mask, state.told_mask),
        Part("the umask", state.permissions, state.put_back_permissions, state.told_permissions),
        Part("signal handlers", state.handlers, state.put_back_handlers, state.told_handlers),
        Part("output streams", state.streams, state.put_back_streams, state.told_streams),
        Part("variables", state.environment, state.put_back_environment, state.told_environment),
        Part("sys.path", state.path, state.put_back_path, state.told_path),
        Part("the working directory", state.folder, os.chdir),
        Part("descriptors", state.descriptors, None, state.told_descriptors),
        Part(THREADS, left_behind.threads, None, left_behind.told_threads, glanced=True),
        Part("processes", left_behind.children, None, left_behind.told_children),
    )


def _interpreter_parts() -> tuple[Part, ...]:
    state = interpreter_state
    return (
        Part(
            "rounding", state.rounding, state.put_back_rounding, state.told_rounding, glanced=True
        ),
        Part(
            "numpy's errors",
            state.errors_of_numpy,
            state.put_back_numpy,
            state.told_numpy,
            glanced=True,
        ),
        Part(
            "what collecting garbage calls",
            state.collecting,
            state.put_back_collecting,
            state.told_collecting,
            glanced=True,
        ),
        Part("modules", state.modules, state.put_back_modules, state.told_modules),
    )


PARTS: Final = (*_process_parts(), *_interpreter_parts(), *_torch_parts())
"""Everything that is looked at."""
