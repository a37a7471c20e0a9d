"""What stands beside a time is of the machine, and of no user: names of files, no folders."""

import os
import platform

import pytest

from benchmarks import surroundings


@pytest.mark.parametrize(
    ("allowed", "text"),
    [({5}, "5"), ({0, 1}, "0-1"), ({8, 3, 1, 0, 2}, "0-3,8"), ({0, 2, 4, 5}, "0,2,4-5")],
)
def test_processors_that_may_be_used_are_ranges(monkeypatch, allowed, text):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: allowed, raising=False)
    assert surroundings.affinity() == text


def test_where_no_processors_can_be_asked_for_none_are_said(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert surroundings.affinity() == ""


TCMALLOC = "/there/lib/libtcmalloc.so.4"


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, ""),
        ({"PATH": "/usr/bin", "LD_LIBRARY_PATH": "/there/lib"}, ""),
        ({"LD_PRELOAD": ""}, ""),
        ({"LD_PRELOAD": TCMALLOC}, "; LD_PRELOAD=libtcmalloc.so.4"),
        ({"LD_PRELOAD": f"{TCMALLOC}:/here/b.so c.so:"}, "; LD_PRELOAD=libtcmalloc.so.4,b.so,c.so"),
        (
            {"MALLOC_TOP_PAD_": "9", "MALLOC_ARENA_MAX": "2", "LD_PRELOAD": "a.so"},
            "; LD_PRELOAD=a.so; MALLOC_ARENA_MAX=2; MALLOC_TOP_PAD_=9",
        ),
        ({"GLIBC_TUNABLES": "glibc.malloc.x=1"}, "; GLIBC_TUNABLES=glibc.malloc.x=1"),
        ({"MALLOC_TRACE": "/there/trace"}, "; MALLOC_TRACE=(a path)"),
        (
            {"MALLOC_CONF": "narenas:1,prof_prefix:/there/jeprof,tcache:true"},
            "; MALLOC_CONF=narenas:1,prof_prefix:(a path),tcache:true",
        ),
    ],
)
def test_memory_is_given_by_a_library_with_its_settings(monkeypatch, environment, words):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.39"))
    assert surroundings.malloc(environment) == f"glibc 2.39{words}"


def test_a_system_without_glibc_is_named(monkeypatch):
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert surroundings.malloc({}) == "Darwin"


def test_every_row_that_is_timed_on_a_processor_says_all_of_it(monkeypatch):
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    found = surroundings.of_processor()
    assert set(found) == {column.name for column in surroundings.COLUMNS}
    assert "MALLOC_ARENA_MAX=2" in found["malloc"].split("; ")
    assert found["affinity"] == surroundings.affinity()
    assert surroundings.surroundings("cpu")["cudnn_benchmark"] is None
    assert surroundings.surroundings("cuda:0")["cudnn_benchmark"] is True
