from __future__ import annotations

import os
import platform
import subprocess
import sys

import psutil
import pytest

from suites.engine.local_session import ROOT, Session
from suites.engine.protocol import Wait
from suites.engine.watch import Watch
from suites.measure.allocator import ALLOCATORS, settings

FAULTS_OF_A_CALL = """
import resource
def call():
    bytearray(b"x") * (48 << 20)
for _ in range(3):
    call()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(4):
    call()
print((resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) / 4)
"""
RESIDENT_WITH_HOLES = """
import ctypes, os
from suites.measure.allocator import give_back

def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

c = ctypes.CDLL(None)
c.malloc.restype = c.memset.restype = ctypes.c_void_p
pointers = []
for _ in range(1024):
    large, small = (ctypes.c_void_p(c.malloc(ctypes.c_size_t(n))) for n in (64 << 10, 64))
    c.memset(large, 1, ctypes.c_size_t(64 << 10))
    pointers.append(large)
for each in pointers:
    c.free(each)
print(resident())
give_back(1 << 30)
print(resident())
give_back(1 << 20)
print(resident())
"""
PAGES = (48 << 20) // os.sysconf("SC_PAGE_SIZE")


def faults_under(allocator: str) -> float:
    """Page faults per call of a fresh process that touches 48 MiB in each and frees them."""
    own = {name: v for name, v in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS_OF_A_CALL]
    environment = {**own, **settings(allocator)}
    out = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return float(out.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the variables are glibc's")
def test_memory_that_is_retained_does_not_fault_again() -> None:
    # Huge pages fault once for 512 small ones, so the default's count has no fixed lower end.
    default, retained = faults_under("default"), faults_under("retain")
    assert default > retained
    assert retained < PAGES / 1000


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another library keeps its own way")
def test_what_is_free_between_blocks_is_given_back_where_it_is_much() -> None:
    command = [sys.executable, "-c", RESIDENT_WITH_HOLES]
    out = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    held, little, much = map(int, out.stdout.split())
    assert abs(little - held) < 1 << 20
    assert held - much > 60 << 20


def test_the_default_leaves_the_environment_as_the_user_has_set_it() -> None:
    assert settings("default") == {}


def test_every_allocator_has_settings() -> None:
    assert [bool(settings(name)) for name in ALLOCATORS] == [False, True]


def test_another_allocator_is_refused_in_words() -> None:
    with pytest.raises(
        ValueError, match="unknown allocator 'jemalloc'; expected one of default, retain"
    ):
        settings("jemalloc")


def test_a_session_may_open_as_many_files_as_the_system_allows() -> None:
    with Session(Watch(60.0, 1 << 30), threads=1) as session:
        assert session.ask(Wait(), lambda _: None) is None
        soft, hard = psutil.Process(session._process.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert soft == hard
