"""What `import mpftconnect` costs in a fresh interpreter."""

from __future__ import annotations

from result import Goal, Result
from size import Size
from timing import Samples, fresh_process

__all__ = ["run"]

_PEER = "import pydantic + import requests"
_WORKS = {
    "bare": "mark('done')",
    _PEER: "import pydantic, requests\nmark('done')",
    "import mpftconnect": "import mpftconnect\nmark('done')",
    "from mpftconnect import AccessContext, connect": "from mpftconnect import AccessContext, connect\nmark('done')",
    "import of every public name": "from mpftconnect import *\nmark('done')",
}


def run(size: Size) -> list[Result]:
    taken: dict[str, list[dict[str, float]]] = {name: [] for name in _WORKS}
    for _ in range(size.processes + 1):
        for name, code in _WORKS.items():
            taken[name].append(fresh_process(code))
    results = []
    # The first of each is left out: it may have had to compile.
    for mark, words in (("done", "wall"), ("done.cpu", "CPU")):
        samples = {name: Samples(tuple(marks[mark] for marks in runs[1:])) for name, runs in taken.items()}
        bare, peer = samples["bare"].least, samples[_PEER].least
        for name in list(_WORKS)[2:]:
            own = samples[name]
            goal = None if name.startswith("import of every") else Goal("ratio", 2.0)
            results += [
                Result(f"{name}, {words}", own.least * 1e3, "ms", _PEER, peer * 1e3, own.spread, goal),
                Result(
                    f"{name}, {words}, net of the bare interpreter",
                    (own.least - bare) * 1e3,
                    "ms",
                    _PEER,
                    (peer - bare) * 1e3,
                    own.spread,
                    goal,
                ),
            ]
    return results
