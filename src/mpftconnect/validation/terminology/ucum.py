"""The grammar of UCUM units: whether a code is one, and what dimension it has.

The Unified Code for Units of Measure, version 2.1 (Regenstrief Institute): section 2.2 for the grammar,
tables 3 to 40 for the atoms. Case-sensitive codes only, as FHIR demands. A unit that parses but whose atom is
not in the table below is *unknown*, never invalid: the table holds the atoms in clinical use, not all.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Unit", "comparable", "read_unit"]

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1, "d": -1, "c": -2, "m": -3,
    "u": -6, "n": -9, "p": -12, "f": -15, "a": -18, "z": -21, "y": -24,
}  # fmt: skip
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40}
# Base dimensions: length, time, mass, angle, temperature, charge, luminous intensity.
_BASE = ["m", "s", "g", "rad", "K", "C", "cd"]
# Metric atoms: they take prefixes. Value as (factor, in terms of).
_METRIC: dict[str, tuple[Fraction, str] | None] = {
    "m": None, "s": None, "g": None, "rad": None, "K": None, "C": None, "cd": None,
}  # fmt: skip


def _f(text: str) -> Fraction:
    return Fraction(text)


_METRIC.update(
    {
        "mol": (_f("6.0221367e23"), "1"),
        "sr": (_f("1"), "rad2"),
        "Hz": (_f("1"), "s-1"),
        "N": (_f("1"), "kg.m/s2"),
        "Pa": (_f("1"), "N/m2"),
        "J": (_f("1"), "N.m"),
        "W": (_f("1"), "J/s"),
        "A": (_f("1"), "C/s"),
        "V": (_f("1"), "J/C"),
        "F": (_f("1"), "C/V"),
        "Ohm": (_f("1"), "V/A"),
        "S": (_f("1"), "Ohm-1"),
        "Wb": (_f("1"), "V.s"),
        "T": (_f("1"), "Wb/m2"),
        "H": (_f("1"), "Wb/A"),
        "lm": (_f("1"), "cd.sr"),
        "lx": (_f("1"), "lm/m2"),
        "Bq": (_f("1"), "s-1"),
        "Gy": (_f("1"), "J/kg"),
        "Sv": (_f("1"), "J/kg"),
        "l": (_f("1"), "dm3"),
        "L": (_f("1"), "dm3"),
        "ar": (_f("100"), "m2"),
        "t": (_f("1000"), "kg"),
        "bar": (_f("100000"), "Pa"),
        "u": (_f("1.6605402e-24"), "g"),
        "eV": (_f("1.60217733e-19"), "J"),
        "pc": (_f("3.085678e16"), "m"),
        "kat": (_f("1"), "mol/s"),
        "U": (_f("1"), "umol/min"),
        "cal": (_f("4.184"), "J"),
        "cal_th": (_f("4.184"), "J"),
        "cal_IT": (_f("4.1868"), "J"),
        "dyn": (_f("1"), "g.cm/s2"),
        "erg": (_f("1"), "dyn.cm"),
        "P": (_f("1"), "dyn.s/cm2"),
        "G": (_f("0.0001"), "T"),
        "Ci": (_f("3.7e10"), "Bq"),
        "R": (_f("2.58e-4"), "C/kg"),
        "RAD": (_f("100"), "erg/g"),
        "REM": (_f("1"), "RAD"),
        "eq": (_f("1"), "mol"),
        "osm": (_f("1"), "mol"),
        "g%": (_f("1"), "g/dl"),
        "m[H2O]": (_f("9806.65"), "Pa"),
        "m[Hg]": (_f("133322"), "Pa"),
        "[iU]": (_f("1"), "[IU]"),
        "[IU]": None,
        "kat_": None,
        "B": None, "Np": None, "bit": (_f("1"), "1"), "By": (_f("8"), "bit"), "Bd": (_f("1"), "s-1"),
        "Cel": None, "mho": (_f("1"), "S"), "st": (_f("1"), "m3"), "tex": (_f("1"), "g/km"), "sb": (_f("1"), "cd/cm2"),
        "Lmb": (_f("1"), "cd/cm2"), "ph": (_f("0.0001"), "lx"), "Mx": (_f("1e-8"), "Wb"), "Ky": (_f("1"), "cm-1"),
        "Gal": (_f("1"), "cm/s2"), "Gb": None, "Bi": (_f("10"), "A"), "St": (_f("1"), "cm2/s"),
    }
)  # fmt: skip
del _METRIC["kat_"]
# Atoms without prefixes.
_PLAIN: dict[str, tuple[Fraction, str] | None] = {
    "10*": (_f("10"), "1"),
    "10^": (_f("10"), "1"),
    "%": (_f("0.01"), "1"),
    "[ppth]": (_f("0.001"), "1"),
    "[ppm]": (_f("1e-6"), "1"),
    "[ppb]": (_f("1e-9"), "1"),
    "[pptr]": (_f("1e-12"), "1"),
    "[pi]": (_f("3.1415926535897932384626433832795"), "1"),
    "min": (_f("60"), "s"),
    "h": (_f("60"), "min"),
    "d": (_f("24"), "h"),
    "wk": (_f("7"), "d"),
    "mo": (_f("30.4375"), "d"),
    "mo_s": (_f("29.53059"), "d"),
    "mo_j": (_f("30.4375"), "d"),
    "mo_g": (_f("30.436875"), "d"),
    "a": (_f("365.25"), "d"),
    "a_j": (_f("365.25"), "d"),
    "a_g": (_f("365.2425"), "d"),
    "a_t": (_f("365.24219"), "d"),
    "deg": (Fraction("3.1415926535897932") / 180, "rad"),
    "'": (Fraction(1, 60), "deg"),
    "''": (Fraction(1, 60), "'"),
    "gon": (_f("0.9"), "deg"),
    "circ": (Fraction("6.2831853071795865"), "rad"),
    "[degF]": None,
    "[degR]": (Fraction(5, 9), "K"),
    "[in_i]": (_f("2.54"), "cm"),
    "[ft_i]": (_f("12"), "[in_i]"),
    "[yd_i]": (_f("3"), "[ft_i]"),
    "[mi_i]": (_f("5280"), "[ft_i]"),
    "[nmi_i]": (_f("1852"), "m"),
    "[kn_i]": (_f("1"), "[nmi_i]/h"),
    "[sin_i]": (_f("1"), "[in_i]2"),
    "[sft_i]": (_f("1"), "[ft_i]2"),
    "[cin_i]": (_f("1"), "[in_i]3"),
    "[cft_i]": (_f("1"), "[ft_i]3"),
    "[acr_us]": (_f("4046.873"), "m2"),
    "[lb_av]": (_f("453.59237"), "g"),
    "[oz_av]": (Fraction("453.59237") / 16, "g"),
    "[dr_av]": (Fraction("453.59237") / 256, "g"),
    "[gr]": (_f("64.79891"), "mg"),
    "[stone_av]": (_f("14"), "[lb_av]"),
    "[ston_av]": (_f("2000"), "[lb_av]"),
    "[lton_av]": (_f("2240"), "[lb_av]"),
    "[lb_tr]": (_f("373.2417216"), "g"),
    "[oz_tr]": (_f("31.1034768"), "g"),
    "[lbf_av]": (_f("4.4482216152605"), "N"),
    "[psi]": (_f("6894.757293168"), "Pa"),
    "atm": (_f("101325"), "Pa"),
    "att": (_f("98066.5"), "Pa"),
    "[in_i'Hg]": (_f("3386.3788"), "Pa"),
    "[in_i'H2O]": (_f("249.08891"), "Pa"),
    "[gal_us]": (_f("231"), "[in_i]3"),
    "[qt_us]": (Fraction(1, 4), "[gal_us]"),
    "[pt_us]": (Fraction(1, 2), "[qt_us]"),
    "[cup_us]": (_f("16"), "[tbs_us]"),
    "[foz_us]": (Fraction(1, 32), "[qt_us]"),
    "[tbs_us]": (Fraction(1, 2), "[foz_us]"),
    "[tsp_us]": (Fraction(1, 3), "[tbs_us]"),
    "[fdr_us]": (Fraction(1, 8), "[foz_us]"),
    "[gal_br]": (_f("4.54609"), "l"),
    "[pt_br]": (Fraction("4.54609") / 8, "l"),
    "[foz_br]": (Fraction("4.54609") / 160, "l"),
    "[foz_m]": (_f("30"), "ml"),
    "[tbs_m]": (_f("15"), "ml"),
    "[tsp_m]": (_f("5"), "ml"),
    "[cup_m]": (_f("240"), "ml"),
    "[drp]": (_f("0.05"), "ml"),
    "[Cal]": (_f("1"), "kcal_th"),
    "[Btu]": (_f("1.05505585262"), "kJ"),
    "[HP]": (_f("745.69987158227"), "W"),
    "[hp'_X]": None, "[hp'_C]": None, "[hp'_M]": None, "[hp'_Q]": None,
    "[g]": (_f("9.80665"), "m/s2"),
    "[c]": (_f("299792458"), "m/s"),
    "[pH]": None, "[Amb'a'1'U]": None, "[anti'Xa'U]": None, "[arb'U]": None, "[APL'U]": None, "[GPL'U]": None,
    "[MPL'U]": None, "[beth'U]": None, "[BAU]": None, "[AU]": None, "[CFU]": None, "[FFU]": None, "[PFU]": None,
    "[CCID_50]": None, "[TCID_50]": None, "[EID_50]": None, "[D'ag'U]": None, "[ELU]": None, "[EU]": None,
    "[hnsf'U]": None,
    "[HPF]": (_f("1"), "1"), "[LPF]": (_f("100"), "1"), "[IR]": None, "[knk'U]": None, "[kp_C]": None, "[Lf]": None,
    "[mclg'U]": None, "[mesh_i]": None, "[MET]": None, "[PNU]": None, "[PRU]": None, "[pwr'tot]": None,
    "[smgy'U]": None,
    "[smoot]": None, "[S]": None, "[SPD]": None, "[tb'U]": None, "[todd'U]": None, "[USP'U]": None, "[dye'U]": None,
    "[Ch]": (Fraction(1, 3), "mm"), "[dptr]": None, "[diop]": (_f("1"), "m-1"), "[p'diop]": None, "[bdsk'U]": None,
    "[mu_0]": None, "[eps_0]": None, "[k]": None, "[h]": None, "[e]": None, "[m_e]": None, "[m_p]": None, "[G]": None,
    "[crd_us]": None, "[rd_us]": None, "[ft_us]": None, "[yd_us]": None, "[in_us]": None, "[mi_us]": None,
    "Ao": (_f("0.1"), "nm"), "bit_s": None, "cal_[15]": (_f("4.18580"), "J"), "cal_[20]": (_f("4.18190"), "J"),
    "cal_m": (_f("4.19002"), "J"), "Oe": None, "sph": None, "%[slope]": None,
    "B[SPL]": None, "B[V]": None, "B[mV]": None, "B[uV]": None, "B[10.nV]": None, "B[W]": None, "B[kW]": None,
    "AU": (_f("149597.870691"), "Mm"), "[ly]": (_f("1"), "[c].a_j"), "b": (_f("100"), "fm2"), "gf": (_f("1"), "g.[g]"),
    "[car_m]": (_f("0.2"), "g"), "[car_Au]": None, "[degRe]": None, "[pca]": None, "[pied]": None,
    "[mil_i]": (_f("0.001"), "[in_i]"),
    "[cicero]": None, "[didot]": None, "[pnt]": None, "[hd_i]": (_f("4"), "[in_i]"), "[cml_i]": None,
    "[oz_m]": (_f("28"), "g"),
}  # fmt: skip
# Units that measure by another function than a factor: comparable with themselves only, Celsius apart.
_ARBITRARY = {
    name for table in (_METRIC, _PLAIN) for name, value in table.items() if value is None and name not in _BASE
}
_TOKEN = re.compile(
    r"(?P<atom>10\*|10\^|(?:\[[^\[\]{}\s]+\]|[^\d\[\]{}().+/\s-])+(?:\[[^\[\]{}\s]+\])?)(?P<exponent>[+-]?\d+)?|(?P<number>\d+)"
)
# Annotations of the published lists hold spaces ("{clock time}"), so they are allowed here.
_ANNOTATION = re.compile(r"\{[\x20-\x7a\x7c\x7e]*\}")


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit: a factor, and exponents of base and arbitrary units; `known` is False if an atom is not in our table."""

    factor: Fraction
    dimension: tuple[tuple[str, int], ...]
    known: bool = True


class _Wrong(Exception):
    pass


@functools.lru_cache(maxsize=4096)
def read_unit(code: str) -> Unit | None:
    """The unit of a UCUM code; None if the text is not of the grammar.

    >>> read_unit("mmol/L") == read_unit("mmol/l"), read_unit("10*9/L") is not None, read_unit("mm Hg")
    (True, True, None)
    """
    if not code or len(code) > 200 or any(ord(c) < 32 or ord(c) > 126 for c in code):
        return None
    try:
        reader = _Reader(code)
        unit = reader.main()
    except (_Wrong, RecursionError, OverflowError):
        return None
    return unit


def comparable(left: Unit, right: Unit) -> bool | None:
    """Whether two units measure the same kind of quantity; None if an atom is unknown."""
    if not (left.known and right.known):
        return None
    return left.dimension == right.dimension


def _times(a: Unit, b: Unit, sign: int) -> Unit:
    powers = dict(a.dimension)
    for name, power in b.dimension:
        powers[name] = powers.get(name, 0) + sign * power
    factor = a.factor * b.factor if sign > 0 else a.factor / b.factor
    return Unit(factor, tuple(sorted((n, p) for n, p in powers.items() if p)), a.known and b.known)


_ONE = Unit(Fraction(1), ())


class _Reader:
    def __init__(self, code: str) -> None:
        self.code = code
        self.at = 0

    def main(self) -> Unit:
        if self.code[self.at] == "/":
            self.at += 1
            unit = _times(_ONE, self.term(0), -1)
        else:
            unit = self.term(0)
        if self.at != len(self.code):
            raise _Wrong
        return unit

    def term(self, depth: int) -> Unit:
        if depth > 20:
            raise _Wrong
        unit = self.component(depth)
        while self.at < len(self.code) and self.code[self.at] in "./":
            sign = 1 if self.code[self.at] == "." else -1
            self.at += 1
            unit = _times(unit, self.component(depth), sign)
        return unit

    def component(self, depth: int) -> Unit:
        code = self.code
        if self.at >= len(code):
            raise _Wrong
        if code[self.at] == "(":
            self.at += 1
            unit = self.term(depth + 1)
            if code[self.at : self.at + 1] != ")":
                raise _Wrong
            self.at += 1
            note = _ANNOTATION.match(code, self.at)
            self.at = note.end() if note else self.at
            return unit
        note = _ANNOTATION.match(code, self.at)
        if note:
            self.at = note.end()
            return _ONE
        token = _TOKEN.match(code, self.at)
        if token is None:
            raise _Wrong
        self.at = token.end()
        if token["number"]:
            number = Fraction(int(token["number"]))
            if not number:
                raise _Wrong
            unit = Unit(number, ())
        else:
            unit = _atom(token["atom"])
            power = int(token["exponent"]) if token["exponent"] else 1
            if abs(power) > 50:
                raise _Wrong
            base = unit
            unit = Unit(base.factor**power, tuple((n, p * power) for n, p in base.dimension), base.known)
        note = _ANNOTATION.match(code, self.at)
        if note:
            self.at = note.end()
        return unit


@functools.lru_cache(maxsize=1024)
def _atom(name: str) -> Unit:
    for table in (_METRIC, _PLAIN):
        if name in table:
            return _defined(name, table[name])
    for prefix, power in {**_PREFIXES, **_BINARY}.items():
        rest = name[len(prefix) :]
        if name.startswith(prefix) and rest in _METRIC:
            unit = _defined(rest, _METRIC[rest])
            scale = Fraction(2) ** power if prefix in _BINARY else Fraction(10) ** power
            return Unit(unit.factor * scale, unit.dimension, unit.known)
    if name.startswith("[") and name.endswith("]"):
        return Unit(Fraction(1), ((name, 1),), known=False)
    raise _Wrong


def _defined(name: str, definition: tuple[Fraction, str] | None) -> Unit:
    if definition is None:
        return Unit(Fraction(1), ((name, 1),))
    factor, of = definition
    base = _Reader(of).main() if of != "1" else _ONE
    return Unit(base.factor * factor, base.dimension, base.known)
