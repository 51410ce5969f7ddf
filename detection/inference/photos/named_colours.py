"""Colour profiles of what a file says in numbers: primaries, white and curve, as PNGs do without an ICC profile."""

import struct

import numpy as np
from numpy.typing import NDArray

Chromaticities = tuple[float, float, float, float, float, float, float, float]
# White, red, green and blue, x and y of each, by their numbers in ITU-T H.273.
_D65 = (0.3127, 0.3290)
PRIMARIES: dict[int, Chromaticities] = {
    1: (*_D65, 0.64, 0.33, 0.30, 0.60, 0.15, 0.06),
    9: (*_D65, 0.708, 0.292, 0.170, 0.797, 0.131, 0.046),
    12: (*_D65, 0.680, 0.320, 0.265, 0.690, 0.150, 0.060),
}
SRGB_CURVE = 13
_CURVE_POINTS = 1024
_D50 = np.array([0.9642, 1.0, 0.8249])
# Of cones' answers (Bradford), as in ICC profiles.
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
_MIN_Y, _MIN_DETERMINANT = 1e-3, 1e-4


def icc_profile(chromaticities: Chromaticities, gamma: float | None) -> bytes | None:
    """Return an ICC profile (ICC.1:2001-04) of primaries and a curve, sRGB's for None; None for impossible ones."""
    matrix = _to_d50(chromaticities)
    if matrix is None:
        return None
    curve = b"curv\0\0\0\0" + struct.pack(f">I{_CURVE_POINTS}H", _CURVE_POINTS, *_curve(gamma))
    tags = {b"wtpt": _xyz(_D50)}
    for name, column in zip((b"r", b"g", b"b"), matrix.T, strict=True):
        tags[name + b"XYZ"], tags[name + b"TRC"] = _xyz(column), curve
    table, bodies, offset = b"", b"", 128 + 4 + 12 * len(tags)
    for name, body in tags.items():
        table += name + struct.pack(">II", offset + len(bodies), len(body))
        bodies += body + bytes(-len(body) % 4)
    head = struct.pack(
        ">I4x4s4s4s4s12x4s28x", offset + len(bodies), b"\x02\x40\0\0", b"mntr", b"RGB ", b"XYZ ", b"acsp"
    )
    return (head + _xyz(_D50)[8:]).ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + bodies


def _to_d50(chromaticities: Chromaticities) -> NDArray[np.float64] | None:
    """Return the matrix from linear values to XYZ under D50."""
    pairs = np.array(chromaticities).reshape(4, 2)
    if pairs[:, 1].min() < _MIN_Y:
        return None
    white, *primaries = (np.array([x / y, 1.0, (1 - x - y) / y]) for x, y in pairs)
    columns = np.stack(primaries, axis=1)
    if abs(np.linalg.det(columns)) < _MIN_DETERMINANT:
        return None
    matrix = columns * np.linalg.solve(columns, white)
    scale = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ white))
    adapted: NDArray[np.float64] = np.linalg.inv(_BRADFORD) @ scale @ _BRADFORD @ matrix
    return adapted if np.abs(adapted).max() < 2 else None  # noqa: PLR2004


def _curve(gamma: float | None) -> list[int]:
    values = np.linspace(0, 1, _CURVE_POINTS)
    if gamma is None:
        linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004
    else:
        linear = values**gamma
    return [int(value) for value in (linear * 65535).round()]


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ \0\0\0\0" + struct.pack(">3i", *(round(float(value) * 65536) for value in values))
