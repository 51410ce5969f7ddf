"""Description of the machine."""

from pathlib import Path

from bench.machine import read_cpu, this_machine


def test_the_flags_that_matter_are_read(tmp_path: Path) -> None:
    cpu_info = tmp_path / "cpuinfo"
    cpu_info.write_text(
        "processor : 0\nmodel name\t: Some CPU 9\nflags\t\t: fpu avx2 avx512_vnni sse\n\nprocessor : 1\n"
    )

    assert read_cpu(cpu_info) == ("Some CPU 9", ("avx2", "avx512_vnni"))


def test_a_machine_that_is_no_linux_has_no_flags(tmp_path: Path) -> None:
    name, flags = read_cpu(tmp_path / "missing")

    assert flags == ()
    assert isinstance(name, str)


def test_this_machine_is_described() -> None:
    machine = this_machine()

    assert machine.cores >= 1
    assert machine.memory_gib > 0
    assert "numpy" in machine.packages
    assert f"{machine.cores} cores" in str(machine)
