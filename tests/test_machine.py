"""What a process may use: limits of containers count, as the kernel writes them."""

import os

import psutil
import pytest

from curate.process import machine

WHOLE = psutil.virtual_memory().total


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
    for name, said in files.items():
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(said)
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(machine, "_GROUPS", tmp_path / "groups")
    monkeypatch.setattr(machine, "_OWN", tmp_path / "own")
    assert machine.cores() == (min(cores, len(os.sched_getaffinity(0))) if cores else len(os.sched_getaffinity(0)))
    assert machine.all_memory() == memory
    assert machine.free_memory() <= memory


def test_without_control_groups_there_is_the_machine(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "_OWN", tmp_path / "none")
    assert machine.all_memory() == WHOLE
