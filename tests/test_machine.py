"""What a process may use: limits of containers count, as the kernel writes them."""

import os

import psutil
import pytest

from curate.process import machine

WHOLE = psutil.virtual_memory().total


def contain(own, files, folder, monkeypatch):
    """Have this process be in groups with these files."""
    for name, said in files.items():
        file = folder / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(said)
    (folder / "own").write_text(own)
    monkeypatch.setattr(machine, "_GROUPS", folder / "groups")
    monkeypatch.setattr(machine, "_OWN", folder / "own")


@pytest.mark.parametrize(
    ("own", "files", "cores", "memory"),
    [
        ("0::/\n", {"cpu.max": "max 100000", "memory.max": "max"}, os.cpu_count(), WHOLE),
        ("0::/\n", {"cpu.max": "50000 100000", "memory.max": "1000000"}, 1, 1_000_000),
        ("0::/pod/one\n", {"cpu.max": "max 100000", "pod/memory.max": "7000", "pod/one/memory.max": "max"}, None, 7000),
        ("0::/pod/one\n", {"pod/one/cpu.max": "max 100000", "pod/cpu.max": "100000 100000"}, 1, WHOLE),
        ("4:memory:/docker/x\n3:cpu,cpuacct:/\n", {"memory/memory.limit_in_bytes": "9000\n"}, None, 9000),
        ("3:cpu,x:/\n", {"cpu,x/cpu.cfs_quota_us": "9", "cpu,x/cpu.cfs_period_us": "10"}, 1, WHOLE),
        ("3:cpu,x:/\n", {"cpu,x/cpu.cfs_quota_us": "-1", "cpu,x/cpu.cfs_period_us": "9"}, None, WHOLE),
    ],
)  # fmt: skip
def test_limits_of_a_container_count(own, files, cores, memory, tmp_path, monkeypatch):
    contain(own, files, tmp_path, monkeypatch)
    assert machine.cores() == (min(cores, len(os.sched_getaffinity(0))) if cores else len(os.sched_getaffinity(0)))
    assert machine.all_memory() == memory
    assert machine.free_memory() <= memory


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        (
            "0::/a\n",
            {"a/memory.max": "9000", "a/memory.current": "7000", "a/memory.stat": "anon 1\ninactive_file 500"},
            2500,
        ),
        ("0::/a\n", {"a/memory.max": "9000", "a/memory.current": "9500", "a/memory.stat": "anon 9500"}, 0),
        (
            "4:memory:/\n",
            {
                "memory/memory.limit_in_bytes": "9000",
                "memory/memory.usage_in_bytes": "8000",
                "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 3000\n",
            },
            4000,
        ),
    ],
)
def test_what_a_container_took_is_not_free(own, files, free, tmp_path, monkeypatch):
    contain(own, files, tmp_path, monkeypatch)
    assert machine.free_memory() == free


def test_without_control_groups_there_is_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_OWN", tmp_path / "none")
    assert machine.all_memory() == WHOLE
