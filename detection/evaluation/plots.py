"""Plots precision-recall curves, where matplotlib is installed."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

from detection.evaluation.annotations import DatasetError
from detection.evaluation.voc_metrics import Curve, all_point_ap

_COLUMNS = 4
_PANEL_INCHES = 3.0
_DPI = 120


def require_matplotlib() -> None:
    """Raise DatasetError that says what to install."""
    if importlib.util.find_spec("matplotlib") is None:
        raise DatasetError("Plots need matplotlib: pip install matplotlib, or leave --plots out.")


def plot_curves(curves: Mapping[str, Curve], title: str, path: Path) -> None:
    """Write a PNG with one panel for each class that occurs, with its AP at IoU 0.5 (all points)."""
    from matplotlib.figure import Figure

    shown = {name: curve for name, curve in curves.items() if curve.objects}
    rows = max(1, -(-len(shown) // _COLUMNS))
    figure = Figure(figsize=(_COLUMNS * _PANEL_INCHES, rows * _PANEL_INCHES + 0.5), layout="constrained")
    figure.suptitle(title)
    for index, (name, curve) in enumerate(shown.items(), 1):
        panel = figure.add_subplot(rows, _COLUMNS, index)
        panel.step([0, *curve.recalls], [1, *curve.precisions], where="pre")
        panel.set(xlim=(0, 1.02), ylim=(0, 1.05), xlabel="recall", ylabel="precision")
        panel.set_title(f"{name}, AP {all_point_ap(curve):.2f}, {curve.objects} objects", fontsize=9)
        panel.grid(alpha=0.3)
    figure.savefig(path, dpi=_DPI)
