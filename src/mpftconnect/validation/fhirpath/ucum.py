"""As much of UCUM as comparing quantities needs: a unit's expression to its size in base units.

The table holds the units met in health data, not all of UCUM. A unit that is not in it is not guessed at: quantities of
such units compare only where their units are written alike.

Source:
    The Unified Code for Units of Measure, version 2.1: 2 "Grammar of Units and Unit Terms", tables 1 to 16 (the
    conversion factors are facts of metrology).
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple, TypeAlias

__all__ = ["LONGEST_UNIT", "Size", "size_of"]

Dimensions: TypeAlias = tuple[tuple[str, int], ...]

LONGEST_UNIT = 120


class Size(NamedTuple):
    """`factor` times base units raised to `dimensions` (sorted, none with power 0)."""

    factor: Decimal
    dimensions: Dimensions


_PREFIXES = {
    "Y": 24,
    "Z": 21,
    "E": 18,
    "P": 15,
    "T": 12,
    "G": 9,
    "M": 6,
    "k": 3,
    "h": 2,
    "da": 1,
    "d": -1,
    "c": -2,
    "m": -3,
    "u": -6,
    "n": -9,
    "p": -12,
    "f": -15,
    "a": -18,
    "z": -21,
    "y": -24,
}
# Unit: (may take a prefix, factor, definition in other units). A unit without definition is its own dimension:
# base units, and arbitrary units such as [iU], which UCUM makes comparable with nothing else (24 to 26).
_UNITS: dict[str, tuple[bool, str, str]] = {
    **dict.fromkeys(("m", "s", "g", "K", "C", "cd", "rad"), (True, "1", "")),
    **dict.fromkeys(("[iU]", "[IU]"), (True, "1", "international unit")),
    **dict.fromkeys(
        ("[arb'U]", "[USP'U]", "[CFU]", "[CCID_50]", "[TCID_50]", "[PFU]", "[ELU]", "[AU]"), (False, "1", "")
    ),
    **dict.fromkeys(("Cel", "[degF]", "[pH]", "B", "Np", "[hnsf'U]"), (False, "1", "")),
    "10*": (False, "10", "1"),
    "10^": (False, "10", "1"),
    "%": (False, "0.01", "1"),
    "[ppth]": (False, "0.001", "1"),
    "[ppm]": (False, "0.000001", "1"),
    "[ppb]": (False, "0.000000001", "1"),
    "[pi]": (False, "3.1415926535897932384626433832795028841971693993751", "1"),
    "mol": (True, "602213670000000000000000", "1"),
    "eq": (True, "1", "mol"),
    "osm": (True, "1", "mol"),
    "sr": (True, "1", "rad2"),
    "Hz": (True, "1", "s-1"),
    "N": (True, "1", "kg.m/s2"),
    "Pa": (True, "1", "N/m2"),
    "J": (True, "1", "N.m"),
    "W": (True, "1", "J/s"),
    "A": (True, "1", "C/s"),
    "V": (True, "1", "J/C"),
    "F": (True, "1", "C/V"),
    "Ohm": (True, "1", "V/A"),
    "S": (True, "1", "Ohm-1"),
    "Wb": (True, "1", "V.s"),
    "T": (True, "1", "Wb/m2"),
    "H": (True, "1", "Wb/A"),
    "lm": (True, "1", "cd.sr"),
    "lx": (True, "1", "lm/m2"),
    "Bq": (True, "1", "s-1"),
    "Gy": (True, "1", "J/kg"),
    "Sv": (True, "1", "J/kg"),
    "kat": (True, "1", "mol/s"),
    "U": (True, "1", "umol/min"),
    "l": (True, "1", "dm3"),
    "L": (True, "1", "dm3"),
    "ar": (True, "100", "m2"),
    "t": (True, "1000", "kg"),
    "bar": (True, "100000", "Pa"),
    "u": (True, "0.00000000000000000000000166053906660", "g"),
    "eV": (True, "0.0000000000000000001602176634", "J"),
    "dyn": (True, "1", "g.cm/s2"),
    "P": (True, "1", "dyn.s/cm2"),
    "Ci": (True, "37000000000", "Bq"),
    "RAD": (True, "0.01", "Gy"),
    "REM": (True, "0.01", "Sv"),
    "deg": (False, "0.0174532925199432957692369076848861271344", "rad"),
    "min": (False, "60", "s"),
    "h": (False, "60", "min"),
    "d": (False, "24", "h"),
    "wk": (False, "7", "d"),
    "a": (False, "365.25", "d"),
    "a_j": (False, "365.25", "d"),
    "a_g": (False, "365.2425", "d"),
    "a_t": (False, "365.24219", "d"),
    "mo": (False, "30.4375", "d"),
    "mo_j": (False, "30.4375", "d"),
    "mo_g": (False, "30.436875", "d"),
    "mo_s": (False, "29.53059", "d"),
    "cal": (True, "4.184", "J"),
    "[Cal]": (False, "1", "kcal"),
    "atm": (False, "101325", "Pa"),
    "m[Hg]": (True, "133322", "Pa"),
    "m[H2O]": (True, "9806.65", "Pa"),
    "[in_i]": (False, "2.54", "cm"),
    "[in_us]": (False, "2.54000508001016", "cm"),
    "[ft_i]": (False, "12", "[in_i]"),
    "[yd_i]": (False, "3", "[ft_i]"),
    "[mi_i]": (False, "5280", "[ft_i]"),
    "[sin_i]": (False, "1", "[in_i]2"),
    "[sft_i]": (False, "1", "[ft_i]2"),
    "[cin_i]": (False, "1", "[in_i]3"),
    "[gr]": (False, "64.79891", "mg"),
    "[lb_av]": (False, "7000", "[gr]"),
    "[oz_av]": (False, "437.5", "[gr]"),
    "[stone_av]": (False, "14", "[lb_av]"),
    "[gal_us]": (False, "231", "[in_i]3"),
    "[qt_us]": (False, "0.25", "[gal_us]"),
    "[pt_us]": (False, "0.5", "[qt_us]"),
    "[foz_us]": (False, "0.0625", "[pt_us]"),
    "[tbs_us]": (False, "0.5", "[foz_us]"),
    "[tsp_us]": (False, "0.1666666666666666666666666667", "[foz_us]"),
    "[cup_us]": (False, "16", "[tbs_us]"),
    "[gal_br]": (False, "4.54609", "l"),
    "[pt_br]": (False, "0.56826125", "l"),
    "[foz_br]": (False, "28.4130625", "ml"),
    "[drp]": (False, "0.05", "ml"),
    "[Ch]": (False, "0.3333333333333333333333333333", "mm"),
}
_ATOM = re.compile(
    r"(?P<atom>(?:[^0-9./(){}\[\]\s+-]|\[[^\]]+\]|10[*^])+)(?P<power>[+-]?\d{1,2})?|(?P<number>\d{1,30})", re.ASCII
)
_NOTE = re.compile(r"\{[\x21-\x7a|~]*\}", re.ASCII)


@lru_cache(maxsize=2048)
def size_of(unit: str) -> Size | None:
    """The size of a unit, or None where it is not UCUM or not in the table.

    >>> size_of("kg/m2") == size_of("mg/mm2")._replace(factor=Decimal(1000))
    True
    >>> size_of("day of rest") is None
    True
    """
    if not unit or len(unit) > LONGEST_UNIT:
        return None
    reader = _Reader(unit)
    size = reader.term(0)
    return size if size is not None and reader.at == len(unit) else None


class _Reader:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def term(self, depth: int) -> Size | None:
        total: Size | None = None
        divide = False
        if self._takes("/"):
            total, divide = Size(Decimal(1), ()), True
        while True:
            part = self._component(depth)
            if part is None:
                return None
            if divide:
                part = _raised(part, -1)
            total = part if total is None else _product(total, part)
            if self._takes("."):
                divide = False
            elif self._takes("/"):
                divide = True
            else:
                return total

    def _takes(self, character: str) -> bool:
        if self.text.startswith(character, self.at):
            self.at += len(character)
            return True
        return False

    def _component(self, depth: int) -> Size | None:
        if depth > 8:
            return None
        note = _NOTE.match(self.text, self.at)
        if note is not None:
            self.at = note.end()
            return Size(Decimal(1), ())
        if self._takes("("):
            inner = self.term(depth + 1)
            return inner if self._takes(")") else None
        found = _ATOM.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        if found["number"]:
            size: Size | None = Size(Decimal(found["number"]), ())
        else:
            size = _atom(found["atom"])
            if size is not None and found["power"]:
                size = _raised(size, int(found["power"]))
        note = _NOTE.match(self.text, self.at)
        if note is not None:
            self.at = note.end()
        return size


@lru_cache(maxsize=1024)
def _atom(name: str) -> Size | None:
    known = _UNITS.get(name)
    if known is not None:
        return _defined(name, known)
    for length in (2, 1):
        prefix, rest = name[:length], name[length:]
        if prefix in _PREFIXES and rest in _UNITS and _UNITS[rest][0]:
            size = _defined(rest, _UNITS[rest])
            return Size(size.factor.scaleb(_PREFIXES[prefix]), size.dimensions)
    return None


def _defined(name: str, known: tuple[bool, str, str]) -> Size:
    _, factor, definition = known
    if definition in ("", "international unit"):
        return Size(Decimal(factor), ((definition or name, 1),))
    size = Size(Decimal(1), ()) if definition == "1" else size_of(definition)
    if size is None:
        raise LookupError(f"the table defines {name} by a unit that it lacks")
    return Size(Decimal(factor) * size.factor, size.dimensions)


def _product(left: Size, right: Size) -> Size:
    powers = dict(left.dimensions)
    for name, power in right.dimensions:
        powers[name] = powers.get(name, 0) + power
    return Size(left.factor * right.factor, tuple(sorted((name, power) for name, power in powers.items() if power)))


def _raised(size: Size, power: int) -> Size:
    return Size(size.factor**power, tuple((name, each * power) for name, each in size.dimensions if each * power))
