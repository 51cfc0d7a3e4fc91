"""Rules of whole resources that no StructureDefinition states."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mpftconnect.validation.places import Place
from mpftconnect.validation.rules.bundle import bundle_rules
from mpftconnect.validation.rules.contained import contained_rules
from mpftconnect.validation.rules.definitions import DEFINITION_RULES
from mpftconnect.validation.rules.publication import publication_rules
from mpftconnect.validation.rules.questionnaire_response import questionnaire_response_rules
from mpftconnect.validation.rules.terminology_resources import code_system_rules, value_set_rules

if TYPE_CHECKING:
    from mpftconnect.validation.check.run import Run

__all__ = ["RESOURCE_RULES"]

Rule = Callable[[dict[str, Any], Place, "Run"], None]

RESOURCE_RULES: dict[str, tuple[Rule, ...]] = {
    "*": (contained_rules, publication_rules),
    "Bundle": (bundle_rules,),
    "QuestionnaireResponse": (questionnaire_response_rules,),
    "CodeSystem": (code_system_rules,),
    "ValueSet": (value_set_rules,),
    **DEFINITION_RULES,
}
