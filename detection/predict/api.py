"""REST API of predictions: a photo in, its objects out."""

from dataclasses import replace

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection.accounts.access import caller_of
from detection.errors import RequestError
from detection.predict import service as predict_service
from detection.predict.request import (
    DESCRIBED_TYPES,
    FILE_NAME_HEADER,
    FORM_OPTIONS,
    FORM_TYPE,
    answer_headers,
    file_name,
    media_type,
    require_photo,
    upload_from,
)
from detection.predict.serializers import PredictUploadSerializer
from detection.web.query import MODEL_PARAMETER, THRESHOLD_PARAMETER, TILES_PARAMETER, refuse_unknown
from detection.web.serializers import ErrorSerializer, PredictionSerializer, prediction_body

CSRF_FIELD = "csrfmiddlewaretoken"
_PHOTO_BODY = {"type": "string", "format": "binary"}


class PredictView(APIView):
    """Find the objects in a photo. The body is the photo itself, or a form with the file field `image`.

    The bytes say what a photo is: JPEG, PNG, WebP, HEIC, AVIF, TIFF, BMP, GIF (its first picture) or JPEG 2000.
    """

    parser_classes = (MultiPartParser,)

    @extend_schema(
        operation_id="predict",
        tags=["Detection"],
        summary="Find the objects in a photo",
        parameters=[
            THRESHOLD_PARAMETER,
            MODEL_PARAMETER,
            TILES_PARAMETER,
            OpenApiParameter("store", OpenApiTypes.BOOL, description="0 keeps no history of this photo."),
            OpenApiParameter(
                FILE_NAME_HEADER,
                OpenApiTypes.STR,
                OpenApiParameter.HEADER,
                description="The photo's name, percent-encoded, to find it again in the history.",
            ),
        ],
        request={
            **dict.fromkeys(DESCRIBED_TYPES, _PHOTO_BODY),
            "multipart/form-data": PredictUploadSerializer,
        },
        responses={
            200: OpenApiResponse(
                PredictionSerializer,
                description="Objects, most probable first. `X-Detection-Id` names the stored detection, "
                "`X-Model` the model, `Server-Timing` tells the milliseconds per stage. `X-Tiles` are columns and rows "
                "of the tiles, where there were any. `X-Photo-Incomplete` is the "
                "share of its rows that a cut-off photo had; whole photos have none.",
            ),
            400: OpenApiResponse(ErrorSerializer, description="The photo or a parameter cannot be used."),
            401: OpenApiResponse(ErrorSerializer, description="ACCESS=login, and no token that is valid."),
            404: OpenApiResponse(ErrorSerializer, description="There is no such model."),
            413: OpenApiResponse(ErrorSerializer, description="Too many bytes or pixels."),
            429: OpenApiResponse(
                ErrorSerializer, description="Too many requests; `Retry-After` says when to come back."
            ),
            503: OpenApiResponse(
                ErrorSerializer, description="Overloaded, or the history cannot be written; try later."
            ),
        },
    )
    def post(self, request: Request) -> Response:
        data, form_name = _photo_of(request)
        wishes = {**_options_of_form(request), **request.query_params.dict()}
        upload = upload_from(data, wishes, file_name(request.headers.get(FILE_NAME_HEADER)) or form_name)
        answer = predict_service.detect(replace(upload, owner_id=caller_of(request.user).user_id))
        return Response(
            prediction_body(answer.objects), headers=answer_headers(answer), content_type="application/json"
        )


@extend_schema_view(
    post=extend_schema(
        operation_id="predict_at_entry_point",
        tags=["Detection"],
        summary="Find the objects in a photo, at the address of the 2019 service",
    )
)
class EntryPointView(PredictView):
    """The same at REST_ENTRY_POINT, the address of the 2019 service."""


def _photo_of(request: Request) -> tuple[bytes, str]:
    """Return the photo's bytes and its name. Raises InvalidContentError and RequestError."""
    if not _is_form(request):
        require_photo(request.content_type or "", request.body)
        return request.body, ""
    files = request.FILES.getlist("image")
    if not files:
        raise RequestError("The form has no file in its field `image`. Put the photo there.")
    if len(files) > 1:
        raise RequestError(
            f"The form has {len(files)} files in its field `image`, and one photo is answered. "
            "Send each in a request of its own, or many as a batch to /api/batches/."
        )
    return files[0].read(), files[0].name


def _is_form(request: Request) -> bool:
    return media_type(request.content_type or "") == FORM_TYPE


def _options_of_form(request: Request) -> dict[str, str]:
    """Return the fields of a form beside its photo, which the query string may hold too; nothing if the body is the
    photo.
    """
    if not _is_form(request):
        return {}
    given = request.POST.dict()
    refuse_unknown([*given, *request.FILES], ("image", *sorted(FORM_OPTIONS), CSRF_FIELD))
    return {name: str(given[name]) for name in FORM_OPTIONS & given.keys()}
