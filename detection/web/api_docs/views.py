"""Page of the API's description: Swagger UI, and programs to copy."""

from typing import Any

from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.request import Request
from rest_framework.response import Response

from detection.web.api_docs.code_samples import entry_point_samples


class ApiDocsView(SpectacularSwaggerSplitView):
    """Swagger UI without inline code, below a bar that leads back to the site."""

    template_name = "detection/web/api_docs.html"

    @extend_schema(exclude=True)
    def get(self, request: Request, *given: Any, **named: Any) -> Response:
        response: Response = super().get(request, *given, **named)  # type: ignore[no-untyped-call]
        if isinstance(response.data, dict):
            response.data["code_samples"] = entry_point_samples(request._request)
        return response
