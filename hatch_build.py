"""Compiles the mapping of HL7 v2 with mypyc, for a wheel that asks for it: HATCH_BUILD_HOOK_ENABLE_CUSTOM=true.

What is compiled is the source as it stands, and nothing else of the package is. A wheel without it is the reference.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path, PurePosixPath
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

# All of one group, so that calls among them are direct ones. Modules of data, and those of dataclasses, gain nothing.
_MODULES = (
    "datatypes",
    "draft",
    "facts",
    "families",
    "leaves",
    "making",
    "orders",
    "patients",
    "results",
    "values",
    "visits",
    "ways",
    "work",
)
_FOLDER = PurePosixPath("mpftconnect/hl7v2/mapping")


class CompiledMapping(BuildHookInterface[Any]):
    """Adds the extension modules beside their sources, and marks the wheel as one of this platform."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if self.target_name != "wheel" or version == "editable":
            return
        # Imported here: they are there only in a build that asked for them.
        from mypyc.build import mypycify
        from setuptools import Distribution

        built = Path(mkdtemp(prefix="mpftconnect-mypyc-"))
        with contextlib.chdir(Path(self.root) / "src"):
            extensions = mypycify(
                [
                    "--config-file=",
                    f"--cache-dir={built / 'cache'}",
                    "--follow-imports=silent",
                    "--ignore-missing-imports",
                    f"{_FOLDER.parent}/references.py",
                    *(f"{_FOLDER}/{name}.py" for name in _MODULES),
                ],
                opt_level="3",
                target_dir=str(built / "c"),
            )
            command = Distribution({"name": "mpftconnect", "ext_modules": extensions}).get_command_obj("build_ext")
            command.build_lib, command.build_temp = str(built / "lib"), str(built / "tmp")
            command.ensure_finalized()
            command.run()
        lib = built / "lib"
        for module in lib.rglob(f"*{'.pyd' if os.name == 'nt' else '.so'}"):
            build_data["force_include"][str(module)] = module.relative_to(lib).as_posix()
        build_data["pure_python"] = False
        build_data["infer_tag"] = True
