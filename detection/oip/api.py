"""REST API of `/v2`, the Open Inference Protocol, so that clients of Triton, KServe and OpenVINO Model Server work
unchanged.
"""

from typing import Any

from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection import __version__
from detection.accounts.access import caller_of
from detection.errors import RequestError, error_body, headers_for
from detection.oip import service as oip
from detection.oip.answers import open_sink, write_answer
from detection.oip.messages import HEADER_LENGTH, MessageError, read_request
from detection.serving import health
from detection.web.files import file_response
from detection.web.serializers import ErrorSerializer

SERVER = {"name": "detector-site", "version": __version__, "extensions": ["binary_tensor_data"]}


class OipTensorSerializer(serializers.Serializer[Any]):
    """An input or an output, for the API's description."""

    name = serializers.CharField()
    datatype = serializers.ChoiceField(["BYTES", "UINT8", "INT32", "INT64", "FP32"])
    shape = serializers.ListField(child=serializers.IntegerField())


class OipInputSerializer(OipTensorSerializer):
    """An input with its values, for the API's description."""

    data = serializers.ListField(  # type: ignore[assignment]  # the protocol's name; DRF has it for something else
        child=serializers.JSONField(), required=False, help_text="Base64 texts of files, or numbers from 0 to 255."
    )


class OipOutputSerializer(OipTensorSerializer):
    """An output with its values, for the API's description."""

    data = serializers.ListField(  # type: ignore[assignment]  # as above
        child=serializers.JSONField(), required=False
    )


class OipInferenceRequestSerializer(serializers.Serializer[Any]):
    """An inference request, for the API's description."""

    id = serializers.CharField(required=False, max_length=200)
    inputs = OipInputSerializer(many=True, help_text="One: `image` (BYTES, files of photos), or `image_rgb` (UINT8).")


class OipInferenceAnswerSerializer(serializers.Serializer[Any]):
    """The answer to an inference request, for the API's description."""

    model_name = serializers.CharField()
    model_version = serializers.CharField()
    id = serializers.CharField(required=False)
    outputs = OipOutputSerializer(many=True)


class OipServerSerializer(serializers.Serializer[Any]):
    """Server metadata, for the API's description."""

    name = serializers.CharField()
    version = serializers.CharField()
    extensions = serializers.ListField(child=serializers.CharField())


class OipModelSerializer(serializers.Serializer[Any]):
    """A model, for the API's description."""

    name = serializers.CharField()
    versions = serializers.ListField(child=serializers.CharField())
    platform = serializers.CharField()
    inputs = OipTensorSerializer(many=True)
    outputs = OipTensorSerializer(many=True)


class OipLiveSerializer(serializers.Serializer[Any]):
    """Alive, for the API's description."""

    live = serializers.BooleanField()


class OipReadySerializer(serializers.Serializer[Any]):
    """Ready, for the API's description."""

    ready = serializers.BooleanField()


_NO_MODEL = OpenApiResponse(ErrorSerializer, description="There is no such model, or not in this version.")
_LATER = OpenApiResponse(ErrorSerializer, description="Not ready, or overloaded; try later.")


class ServerView(APIView):
    """Name and version of the server, and its extensions of the protocol."""

    @extend_schema(
        operation_id="get_oip_server",
        tags=["Open Inference Protocol"],
        summary="Get name, version and extensions of the server",
        responses={200: OipServerSerializer},
    )
    def get(self, _request: Request) -> Response:
        return Response(SERVER)


class _HealthView(APIView):
    """Health check without a token, like /healthz and /readyz."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()


class LiveView(_HealthView):
    """The process answers."""

    @extend_schema(
        operation_id="check_oip_liveness",
        tags=["Open Inference Protocol"],
        summary="Check that the process answers",
        auth=[],
        responses={200: OipLiveSerializer},
    )
    def get(self, _request: Request) -> Response:
        return Response({"live": True})


class ReadyView(_HealthView):
    """Photos can be answered now."""

    @extend_schema(
        operation_id="check_oip_readiness",
        tags=["Open Inference Protocol"],
        summary="Check that photos can be answered",
        auth=[],
        responses={200: OipReadySerializer, 503: _LATER},
    )
    def get(self, _request: Request) -> Response:
        return _readiness({"ready": True})


class OipModelView(APIView):
    """A model's inputs and outputs: files (`image`) give detections, pixels (`image_rgb`) the network's outputs."""

    @extend_schema(responses={200: OipModelSerializer, 404: _NO_MODEL, 503: _LATER})
    def get(self, _request: Request, model: str, version: str | None = None) -> Response:
        return Response(oip.metadata(oip.model_of(model, version)))


class OipModelReadyView(APIView):
    """Readiness of a model."""

    @extend_schema(responses={200: OipReadySerializer, 404: _NO_MODEL, 503: _LATER})
    def get(self, _request: Request, model: str, version: str | None = None) -> Response:
        oip.model_of(model, version)
        return _readiness({"name": model, "ready": True})


class OipInferView(APIView):
    """Infer: files of photos in, detections out; or pixels in, the network's outputs out."""

    @extend_schema(
        parameters=[
            OpenApiParameter(
                HEADER_LENGTH,
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="The length of the JSON, where tensors follow it in binary.",
            )
        ],
        request={
            "application/json": OipInferenceRequestSerializer,
            "application/octet-stream": {"type": "string", "format": "binary"},
        },
        responses={
            200: OipInferenceAnswerSerializer,
            400: OpenApiResponse(ErrorSerializer, description="The request or one of its photos cannot be used."),
            404: _NO_MODEL,
            413: OpenApiResponse(ErrorSerializer, description="Too many bytes or pixels."),
            429: OpenApiResponse(ErrorSerializer, description="Too many requests."),
            503: _LATER,
        },
    )
    def post(self, request: Request, model: str, version: str | None = None) -> HttpResponseBase:
        detector = oip.model_of(model, version)
        try:
            asked = read_request(request.body, request.headers.get(HEADER_LENGTH))
            reference = oip.reference_of(detector, model, version)
            with oip.memory_for(detector, asked):
                tensors = oip.infer(detector, reference, asked, caller_of(request.user).user_id)
                sink = open_sink(tensors)
                header_length = write_answer(model, oip.version_of(detector.network), asked, tensors, sink)
        except MessageError as error:
            raise RequestError(str(error)) from error
        if header_length is None:
            return file_response(sink, "application/json", {})
        return file_response(sink, "application/octet-stream", {HEADER_LENGTH: str(header_length)})


def _readiness(body: dict[str, Any]) -> Response:
    problem = health.problem()
    return Response(error_body(problem), status=503, headers=headers_for(503)) if problem else Response(body)
