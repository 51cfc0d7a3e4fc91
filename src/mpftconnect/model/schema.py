"""What every type of the model shares: frozen, closed, and silent about values when it refuses one."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Model"]


class Model(BaseModel):
    """A frozen value. Unknown fields are errors; validation errors never repeat the input (rule 16)."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        defer_build=True,
        ser_json_inf_nan="strings",
    )
