"""REST API of the models that callers can ask for."""

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection.conf import current
from detection.registry import listing
from detection.registry.serializers import ModelListSerializer, ModelSerializer
from detection.serving import service as serving
from detection.web.serializers import ErrorSerializer


class ModelsView(APIView):
    """The models that `?model=` can name. The first answers by default; the others are loaded when they are asked."""

    @extend_schema(
        operation_id="list_models",
        tags=["Models"],
        summary="List the models that can be asked",
        responses={200: ModelListSerializer},
    )
    def get(self, _request: Request) -> Response:
        return Response(
            {
                "models": listing.models(),
                "max_resident_models": current.config().max_resident_models,
                "resident_memory_bytes": listing.resident_memory_bytes(),
            }
        )


class ModelView(APIView):
    """The model that answers."""

    @extend_schema(
        operation_id="get_model",
        tags=["Models"],
        summary="Get the model that answers by default",
        responses={200: ModelSerializer, 503: ErrorSerializer},
    )
    def get(self, _request: Request) -> Response:
        return Response(serving.model_info())
