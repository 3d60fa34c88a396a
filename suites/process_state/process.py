"""What Python and the system hold for the whole process: read, put back, and told in words."""

from __future__ import annotations

import builtins
import contextlib
import functools
import os
import resource
import signal
import sys
import threading
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

Handlers = dict[signal.Signals, Any]
Descriptors = dict[int, tuple[int, int] | None]
Limits = dict[str, tuple[int, int]]
"""Soft and hard, by name."""

_BUILTINS: Final[dict[str, Any]] = vars(builtins)
_LIMITS: Final = {
    name: getattr(resource, name)
    for name in (
        *("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE"),
        *("RLIMIT_NPROC", "RLIMIT_STACK"),
    )
    if hasattr(resource, name)
}
"""Those that calls of others would fail of. RLIMIT_DATA is ours, around every call."""
_TIMERS: Final = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)

_SIGNALS: Final = tuple(each for each in signal.Signals if not each.name.startswith("SIGRT"))
_NAMED: Final = 3
"""Of several variables or folders so many are named."""
_LOOKED_AT: Final = 256
"""Descriptors below this are looked at."""


def functions() -> dict[str, Any]:
    """Python's own functions. Nothing of this reading, telling and putting back calls one."""
    return _BUILTINS.copy()


def put_back_functions(was: dict[str, Any]) -> None:
    """Those that were there; new names stay."""
    _BUILTINS.update(was)


def told_functions(was: dict[str, Any], now: dict[str, Any]) -> str:
    """Which were replaced or taken away; new ones are of no matter."""
    names = [name for name in was if now.get(name) is not was[name] and name != "_"]
    return f"replaced Python's own {', '.join(names[:_NAMED])}" if names else ""


def limits() -> Limits:
    """What the system lets this process have, but for the memory that each call may add."""
    return {name: resource.getrlimit(number) for name, number in _LIMITS.items()}


def put_back_limits(was: Limits) -> None:
    """As `limits` read them; a hard one that was lowered stays so for who may not raise it."""
    for name, pair in was.items():
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(_LIMITS[name], pair)


def told_limits(was: Limits, now: Limits) -> str:
    """Which were changed."""
    names = [name for name in was if now[name] != was[name]]
    return f"changed the system's limits ({', '.join(names[:_NAMED])})" if names else ""


def timers() -> tuple[bool, ...]:
    """Which of the timers that send signals are running."""
    return tuple(signal.getitimer(each)[0] > 0 for each in _TIMERS)


def put_back_timers(_: tuple[bool, ...]) -> None:
    """Stop them all: none is ours."""
    for each in _TIMERS:
        signal.setitimer(each, 0)


def told_timers(was: tuple[bool, ...], now: tuple[bool, ...]) -> str:
    """Whether one was started."""
    return "left a timer running that sends a signal" if any(now) and now != was else ""


def hooks() -> tuple[Any, ...]:
    """What is called at every line or call."""
    return sys.gettrace(), sys.getprofile(), threading.gettrace(), threading.getprofile()


def put_back_hooks(was: tuple[Any, ...]) -> None:
    """As `hooks` read them."""
    setters = sys.settrace, sys.setprofile, threading.settrace, threading.setprofile
    for setter, hook in zip(setters, was, strict=True):
        setter(hook)


def told_hooks(was: tuple[Any, ...], now: tuple[Any, ...]) -> str:
    """Whether one was set."""
    return "" if was == now else "set a trace or profile hook"


def masked_signals() -> frozenset[int]:
    """Those that do not reach this thread."""
    return frozenset(signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def put_back_mask(was: frozenset[int]) -> None:
    """As `masked_signals` read them."""
    signal.pthread_sigmask(signal.SIG_SETMASK, was)


def told_mask(was: frozenset[int], now: frozenset[int]) -> str:
    """Whether signals were held back, or let through."""
    return "" if was == now else "changed which signals are blocked"


def permissions() -> int:
    """What files are made without; to be read it has to be set."""
    was = os.umask(0o077)
    os.umask(was)
    return was


def put_back_permissions(was: int) -> None:
    """As `permissions` read it."""
    os.umask(was)


def told_permissions(was: int, now: int) -> str:
    """From what to what."""
    return "" if was == now else f"changed the umask from {was:03o} to {now:03o}"


def warnings_that_fail() -> tuple[Any, ...]:
    """The filters that make errors of warnings."""
    return tuple(each for each in warnings.filters if each[0] == "error")


def put_back_warnings(was: Sequence[Any]) -> None:
    """Take out those that came since."""
    kept = [each for each in warnings.filters if each[0] != "error" or each in was]
    warnings.filters[:] = kept  # type: ignore[index] # a list at run time
    with warnings.catch_warnings():
        pass  # leaving this has Python look at its filters anew


def told_warnings(was: Sequence[Any], now: Sequence[Any]) -> str:
    """Whether some came; others that warn would fail."""
    return "made errors of warnings" if set(now) - set(was) else ""


def told_recursion_limit(was: int, now: int) -> str:
    """From what to what; a higher one is of no matter, and torch's compiler sets it."""
    return f"lowered the recursion limit from {was} to {now}" if now < was else ""


def handlers() -> Handlers:
    """What is called at signals."""
    return {each: signal.getsignal(each) for each in _SIGNALS}


def put_back_handlers(was: Handlers) -> None:
    """As `handlers` read them; one that was not set by Python stays."""
    for each, handler in was.items():
        if handler is not None and signal.getsignal(each) != handler:
            signal.signal(each, handler)


def told_handlers(was: Handlers, now: Handlers) -> str:
    """Whose were changed."""
    changed = [each.name for each in was if now[each] != was[each]]
    return f"changed the handler of {', '.join(changed)}" if changed else ""


def streams() -> tuple[Any, ...]:
    """Where Python prints, and whether that is closed."""
    both = sys.stdout, sys.stderr
    return (*both, *(getattr(each, "closed", False) for each in both))


def put_back_streams(was: tuple[Any, ...]) -> None:
    """As `streams` read them."""
    sys.stdout, sys.stderr = was[:2]


def told_streams(was: tuple[Any, ...], now: tuple[Any, ...]) -> str:
    """Which of them."""
    names = ("sys.stdout", "sys.stderr") * 2
    changed = {name for name, a, b in zip(names, was, now, strict=True) if a is not b}
    return f"replaced or closed {', '.join(sorted(changed))}" if changed else ""


def environment() -> dict[str, str]:
    """The variables."""
    return dict(os.environ)


def put_back_environment(was: Mapping[str, str]) -> None:
    """Those that were there; new ones stay."""
    os.environ.update(was)


def told_environment(was: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Which were changed or taken away; new ones are of no matter."""
    changed = sorted(name for name, value in was.items() if now.get(name) != value)
    return f"changed the environment ({', '.join(changed[:_NAMED])})" if changed else ""


def path() -> list[str]:
    """Where modules are looked for."""
    return list(sys.path)


def put_back_path(was: Sequence[str]) -> None:
    """What was there, and what is new after it."""
    sys.path[:] = [*was, *(each for each in sys.path if each not in was)]


def told_path(was: Sequence[str], now: Sequence[str]) -> str:
    """What was taken out; new folders are of no matter."""
    lost = [each for each in was if each not in now]
    return f"took {', '.join(map(repr, lost[:_NAMED]))} out of sys.path" if lost else ""


def folder() -> str:
    """The working directory."""
    try:
        return str(Path.cwd())
    except OSError:
        return "one that is gone"


def descriptors() -> Descriptors:
    """What stands behind those that were open at the first look: the pipes to the parent."""
    return {each: _identity(each) for each in _own_descriptors()}


def told_descriptors(was: Descriptors, now: Descriptors) -> str:
    """Which were closed or stand for something else; new ones are of no matter."""
    changed = [str(each) for each in was if now[each] != was[each]]
    return f"closed or replaced descriptors {', '.join(changed)}" if changed else ""


@functools.cache
def _own_descriptors() -> tuple[int, ...]:
    return tuple(each for each in range(_LOOKED_AT) if _identity(each) is not None)


def _identity(descriptor: int) -> tuple[int, int] | None:
    try:
        found = os.fstat(descriptor)
    except OSError:
        return None
    return found.st_dev, found.st_ino
