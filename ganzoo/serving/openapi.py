"""The OpenAPI document, made of the routes."""

import re
from collections.abc import Sequence

from ganzoo.serving.endpoints import Endpoint
from ganzoo.version import __version__

_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {"error": {"type": "string"}, "hint": {"type": ["string", "null"]}},
}


def document(endpoints: Sequence[Endpoint], keyed: bool) -> dict[str, object]:
    """OpenAPI 3.1.

    Args:
        endpoints: of the server.
        keyed: whether all but the free ones need an API key.
    """
    paths: dict[str, dict[str, object]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint, keyed)
    schemes = {"bearer": {"type": "http", "scheme": "bearer"}}
    return {
        "openapi": "3.1.0",
        "info": {"title": "ganzoo", "version": __version__},
        "servers": [{"url": "."}],  # relative to this document: right behind any prefix
        "paths": paths,
        "components": {"schemas": {"Error": _ERROR}} | ({"securitySchemes": schemes} if keyed else {}),
    }


def _operation(endpoint: Endpoint, keyed: bool) -> dict[str, object]:
    named = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", endpoint.path)
    ]
    asked = [
        {"name": name, "in": "query", "required": name in endpoint.required, "schema": schema}
        for name, schema in endpoint.query.items()
    ]
    failed = {
        "description": "what went wrong",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    operation: dict[str, object] = {
        "summary": endpoint.summary,
        "parameters": named + asked,
        "responses": {
            "200": {"description": endpoint.summary, "content": {kind: {} for kind in endpoint.media_types}},
            "default": failed,
        },
    }
    if endpoint.body:
        operation["requestBody"] = {"required": True, "content": {kind: {} for kind in endpoint.body}}
    if keyed and not endpoint.free:
        operation["security"] = [{"bearer": []}]
    return operation
