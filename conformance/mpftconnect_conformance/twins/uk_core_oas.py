"""The OpenAPI document of the UK Core twin, and the faults of it.

Source: OpenAPI Specification 3.0.3; NHS England, API policies and best practice (versions, status, sandbox, notice).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["DISCOVERY", "OAS_FAULTS", "oas"]

Table = dict[str, Any]

_MEDIA = "application/fhir+json"
DISCOVERY: Table = {
    "issuer": "https://sign-in.example",
    "token_endpoint": "https://sign-in.example/token",
    "grant_types_supported": ["client_credentials"],
    "capabilities": ["client-confidential-asymmetric"],
}


def oas(types: list[str]) -> Table:
    """What the twin publishes of itself.

    Args:
        types: Resource types that are searched by patient.
    """
    searches = {f"/{type_}": {"get": _search(type_)} for type_ in types}
    searches["/Flag"]["get"] |= {"deprecated": True}
    searches["/Flag"]["get"]["responses"]["200"]["headers"] = {
        "Deprecation": {"schema": {"type": "string"}},
        "Sunset": {"schema": {"type": "string"}},
    }
    return {
        "openapi": "3.0.3",
        "info": {
            "title": "UK Core twin",
            "version": "1.0.0",
            "description": "A twin with made-up people. The sandbox answers the scenarios full and sparse. Change log: "
            "1.0.0, first version. An operation is marked as deprecated 12 months before it goes.",
        },
        "servers": [{"url": "https://sandbox.example/fhir", "description": "sandbox"}],
        "security": [{"oauth": ["read"]}],
        "paths": {
            "/metadata": {"get": _operation("capabilities", "What is offered", "CapabilityStatement", [])},
            **searches,
        },
        "components": {
            "securitySchemes": {
                "oauth": {
                    "type": "oauth2",
                    "flows": {
                        "clientCredentials": {
                            "tokenUrl": "https://sign-in.example/token",
                            "scopes": {"read": "reads records"},
                        }
                    },
                }
            },
            "schemas": {
                "CapabilityStatement": _resource("CapabilityStatement", "fhirVersion"),
                "OperationOutcome": _resource("OperationOutcome", "issue"),
                "Bundle": {
                    **_resource("Bundle", "type", "total"),
                    "properties": {
                        "resourceType": {"enum": ["Bundle"]},
                        "total": {"type": "integer", "minimum": 0},
                        "entry": {"type": "array", "items": {"type": "object", "required": ["resource"]}},
                    },
                },
            },
        },
    }


def _resource(type_: str, *required: str) -> Table:
    return {
        "type": "object",
        "required": ["resourceType", *required],
        "properties": {"resourceType": {"type": "string", "enum": [type_]}},
    }


def _search(type_: str) -> Table:
    patient = {
        "name": "patient",
        "in": "query",
        "required": True,
        "schema": {"type": "string", "pattern": "^[a-z-]{1,20}$"},
        "example": "uk-core-full",
    }
    return _operation(f"search{type_}", f"{type_} of a person", "Bundle", [patient])


def _operation(id_: str, summary: str, schema: str, parameters: list[Table]) -> Table:
    def said(description: str, name: str, **more: Any) -> Table:
        content = {"schema": {"$ref": f"#/components/schemas/{name}"}, **more}
        return {"description": description, "content": {f"{_MEDIA}; fhirVersion=4.0": content}}

    example: Table = {"resourceType": schema, "fhirVersion": "4.0.1", "type": "searchset", "total": 0}
    limit = said("too many requests", "OperationOutcome")
    limit["headers"] = {"Retry-After": {"schema": {"type": "integer"}}}
    return {
        "operationId": id_,
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": said("as asked", schema, example=example),
            "429": limit,
            "4XX": said("refused", "OperationOutcome"),
        },
    }


# The faults: each changes the document as it is sent.


def _invalid(root: Table) -> None:
    root["paths"]["/Condition"]["get"].pop("responses")


def _version_unsaid(root: Table) -> None:
    root["info"]["version"] = "latest"


def _example_broken(root: Table) -> None:
    content = root["paths"]["/Condition"]["get"]["responses"]["200"]["content"]
    next(iter(content.values()))["example"]["total"] = "none"


def _sandbox_unnamed(root: Table) -> None:
    root["servers"] = [{"url": "https://api.example/fhir"}]


def _limit_unsaid(root: Table) -> None:
    root["paths"]["/Condition"]["get"]["responses"].pop("429")


def _sunset_unsaid(root: Table) -> None:
    root["paths"]["/Flag"]["get"]["responses"]["200"].pop("headers")


def _function_missing(root: Table) -> None:
    root["paths"].pop("/Condition")


def _scheme_missing(root: Table) -> None:
    root["components"].pop("securitySchemes")


def _parameter_untyped(root: Table) -> None:
    root["paths"]["/Condition"]["get"]["parameters"][0].pop("schema")


def _flow_without_token(root: Table) -> None:
    root["components"]["securitySchemes"]["oauth"]["flows"]["clientCredentials"].pop("tokenUrl")


OAS_FAULTS: dict[str, Callable[[Table], None]] = {
    "oas-invalid": _invalid,
    "oas-parameter-untyped": _parameter_untyped,
    "oas-flow-without-token": _flow_without_token,
    "oas-version-unsaid": _version_unsaid,
    "oas-example-broken": _example_broken,
    "oas-sandbox-unnamed": _sandbox_unnamed,
    "oas-limit-unsaid": _limit_unsaid,
    "oas-sunset-unsaid": _sunset_unsaid,
    "oas-function-missing": _function_missing,
    "oas-scheme-missing": _scheme_missing,
}
