"""What a run may use of its machine."""

import os
from pathlib import Path

import pytest

from cifar_utils import machine


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tree of control groups; this process is in outer/inner, and held to four cores."""
    monkeypatch.setattr(machine, "CGROUPS", tmp_path)
    monkeypatch.setattr(machine, "MEMBERSHIP", tmp_path / "membership")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 4, 5}, raising=False)
    (tmp_path / "membership").write_text("0::/outer/inner\n")
    (tmp_path / "outer" / "inner").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("quotas", "cores"),
    [({}, 4), ({"outer/inner": "max 100000"}, 4), ({"outer/inner": "200000 100000"}, 2),
     ({"outer": "300000 100000", "outer/inner": "max 100000"}, 3), ({"": "100000 100000"}, 1),
     ({"outer": "150000 100000"}, 1), ({"outer": "50000 100000"}, 1),
     ({"outer": "900000 100000"}, 4)],
)  # fmt: skip
def test_the_cores_that_may_be_used(groups: Path, quotas: dict[str, str], cores: int) -> None:
    for folder, quota in quotas.items():
        (groups / folder / "cpu.max").write_text(f"{quota}\n")
    assert machine.usable_cores() == cores


def test_control_groups_of_the_first_version_and_none_at_all(groups: Path) -> None:
    (groups / "membership").write_text("4:memory:/box\n3:cpu,cpuacct:/box\n")
    for name, value in (("cpu.cfs_quota_us", 200_000), ("cpu.cfs_period_us", 100_000)):
        path = groups / "cpu,cpuacct" / name  # a container's own, which it sees as the top
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{value}\n")
    (groups / "memory").mkdir()
    (groups / "memory" / "memory.limit_in_bytes").write_text("1000000\n")
    assert machine.usable_cores() == 2
    assert machine.memory_limit() == (1_000_000, str(groups / "memory/memory.limit_in_bytes"))
    (groups / "cpu,cpuacct" / "cpu.cfs_quota_us").write_text("-1\n")
    (groups / "membership").unlink()
    assert machine.usable_cores() == 4
    assert machine.memory_limit()[1] == "this machine"


def test_the_limit_of_memory_is_the_lowest(groups: Path) -> None:
    (groups / "outer" / "memory.max").write_text("2000000000\n")
    (groups / "outer" / "inner" / "memory.max").write_text("max\n")
    assert machine.memory_limit() == (2_000_000_000, str(groups / "outer" / "memory.max"))
