"""Comparison with MXNet 1.9.1 itself, in the environment of requirements-mxnet.txt and without Django:

    make oracle

or, in such an environment, from the top of the repository:

    python -m pytest -c tests/oracle/pytest.ini tests/oracle

The ini file keeps pytest away from the project's settings and from tests/conftest.py, which need Django. MXNet warns of
its own age, so warnings are no errors here. Where MXNet does not import, the whole folder is skipped.
"""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
NO_MXNET = "needs MXNet 1.9.1: run `make oracle`"


def _has_mxnet() -> bool:
    try:
        import mxnet  # noqa: F401
    except (ImportError, OSError, AttributeError):  # AttributeError: a NumPy without np.bool
        return False
    return True


if not _has_mxnet():

    class SkippedModule(pytest.Module):
        """A module that is not imported, because it imports MXNet."""

        def collect(self) -> list[pytest.Item]:
            pytest.skip(NO_MXNET, allow_module_level=True)

    def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
        """Skip every test module of this folder, with the reason."""
        return SkippedModule.from_parent(parent, path=module_path) if module_path.is_relative_to(HERE) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all tests of this folder."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.oracle)
