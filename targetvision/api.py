"""The JSON API: its operations are the apps' own, its ways are the same for all."""

from __future__ import annotations

import json
import re
from typing import Any

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema
from ninja.operation import Operation
from ninja.security import HttpBearer, SessionAuth

import metadata.api
import metadata.api_exports
import metadata.api_publish
import metadata.api_review
import metadata.api_search
import smugmug.api
from targetvision import problems
from targetvision.api_docs import DocsPage

DESCRIPTION = """\
Sync SmugMug libraries, have their photos described, decide on the words, search them, and take them out again. A \
program sends a token, made under Settings, as “Authorization: Bearer”; it sees and does what the token's person sees \
and does on the pages, until the token is revoked: the next request is answered with 401, and runs that were started \
go on. A browser's session is taken too, and needs the CSRF token as X-CSRFToken for a change. A change takes JSON. \
Long work is answered with 202 and a job, whose status tells the rest. What goes wrong is told as \
application/problem+json (RFC 9457), with one sentence in “detail”."""


class Bearer(HttpBearer):
    """A person's token, which TokenMiddleware has looked up; it comes first, for what every change has to heed."""

    def __call__(self, request: HttpRequest) -> Any:
        sends = request.method != "GET" and request.META.get("CONTENT_LENGTH") not in (None, "", "0")
        # Before the body is looked at: a form's would be read in the search for the CSRF token, and be gone.
        if sends and request.content_type != "application/json":
            raise problems.ProblemError(415, problems.SENTENCES[415])
        return self.authenticate(request, "")

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        return getattr(request, "api_token", None)


class Session(SessionAuth):
    """The session of a signed-in person; with the CSRF token where something is changed."""


class Api(NinjaAPI):
    """Ninja's, with the names of our functions as names of the operations."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._schemas: dict[str, OpenAPISchema] = {}

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__

    def get_openapi_schema(
        self, *, path_prefix: str | None = None, path_params: dict[str, Any] | None = None
    ) -> OpenAPISchema:
        """Ninja's, with problems of their own media type, and without what it has taken apart into parameters; made
        once for each place that the API is at, since that takes a second."""
        prefix = self.get_root_path(path_params or {}) if path_prefix is None else path_prefix
        if prefix not in self._schemas:
            self._schemas[prefix] = self._schema(prefix)
        return self._schemas[prefix]

    def _schema(self, prefix: str) -> OpenAPISchema:
        schema = super().get_openapi_schema(path_prefix=prefix)
        named = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(schema)))
        shapes = schema["components"]["schemas"]
        schema["components"]["schemas"] = {name: shape for name, shape in shapes.items() if name in named}
        for path in schema["paths"].values():
            for operation in path.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400:
                        response["content"] = {problems.MEDIA_TYPE: response["content"]["application/json"]}
                    if int(status) == 429:
                        response["headers"] = {
                            "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds."}
                        }
        return schema


api = Api(
    title="TargetVision",
    version="1.0.0",
    description=DESCRIPTION,
    urls_namespace="api",
    auth=[Bearer(), Session()],
    docs=DocsPage(),
)
problems.handle(api)
api.add_router("/smugmug", smugmug.api.router)
api.add_router("/smugmug", metadata.api.photos_router)
api.add_router("/processing", metadata.api.router)
api.add_router("/review", metadata.api_review.router)
api.add_router("/search", metadata.api_search.router)
api.add_router("/exports", metadata.api_exports.router)
api.add_router("/publish", metadata.api_publish.router)
