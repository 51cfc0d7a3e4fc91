"""Where a secret is: a configuration holds references, never values (rule 19)."""

from __future__ import annotations

from pydantic import Field, model_validator

from mpftconnect.model import Model

__all__ = ["SecretReference"]


class SecretReference(Model):
    """Where a secret is. Exactly one of the two; `value` is for the sandbox, which makes its own secrets."""

    env: str | None = None
    file: str | None = None
    value: str | None = Field(default=None, repr=False)

    @model_validator(mode="after")
    def _one(self) -> SecretReference:
        if sum(part is not None for part in (self.env, self.file, self.value)) != 1:
            raise ValueError('expected { env = "NAME" } or { file = "path" }')
        return self
