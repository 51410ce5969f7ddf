"""REST API of the statistics: all of them as JSON, each table as CSV."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from detection.accounts.access import caller_of, limits
from detection.models import Detection
from detection.statistics.forms import ScopeForm
from detection.statistics.periods import DEFAULT_LENGTH, LENGTHS, MOST_DAYS, Bucket
from detection.statistics.queries import Scope
from detection.statistics.tables import TABLES
from detection.web.query import refuse_unknown
from detection.web.serializers import ErrorSerializer

_PARAMETERS = [
    OpenApiParameter(
        "period",
        OpenApiTypes.STR,
        enum=list(LENGTHS),
        description=f"The last so many days; {DEFAULT_LENGTH} if left out.",
    ),
    OpenApiParameter("date_from", OpenApiTypes.DATE, description="A day in UTC. Days take precedence over `period`."),
    OpenApiParameter("date_to", OpenApiTypes.DATE, description="A day in UTC, included."),
    OpenApiParameter("source", OpenApiTypes.STR, enum=Detection.Source.values),
    OpenApiParameter("model", OpenApiTypes.STR, description="Detections by the model of this name."),
    OpenApiParameter(
        "blind", OpenApiTypes.BOOL, description="1: photos alone whose reviewers did not see the model's boxes first."
    ),
]
_BAD_FILTER = OpenApiResponse(ErrorSerializer, description="A filter cannot be used.")


class PhotosOfDaySerializer(serializers.Serializer[Any]):
    """Photos of a day or a month."""

    date = serializers.DateField(help_text="The day, or the first one of the month.")
    photos = serializers.IntegerField()
    nothing_found = serializers.IntegerField(help_text="Those in which nothing was found.")


class _OfClassSerializer(serializers.Serializer[Any]):
    objects = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        """Add `class`, which is a keyword of Python."""
        return {**super().get_fields(), "class": serializers.CharField()}


class ObjectsOfClassSerializer(_OfClassSerializer):
    """Objects of a class."""


class ObjectsOfDaySerializer(_OfClassSerializer):
    """Reported objects of a class on a day or in a month."""

    date = serializers.DateField(help_text="The day, or the first one of the month.")


class ScoreBinSerializer(serializers.Serializer[Any]):
    """Reported objects with a probability in a twentieth."""

    to = serializers.FloatField(help_text="Not included, but for 1.")
    objects = serializers.IntegerField()

    def get_fields(self) -> dict[str, Any]:
        """Add `from`, which is a keyword of Python."""
        return {**super().get_fields(), "from": serializers.FloatField()}


class PrecisionSerializer(serializers.Serializer[Any]):
    """The verdicts on the reported objects of a class: confirmed and corrected ones are right."""

    confirmed = serializers.IntegerField()
    corrected = serializers.IntegerField(help_text="The class is right, the box was mended.")
    rejected = serializers.IntegerField()
    relabelled = serializers.IntegerField()
    precision = serializers.FloatField(help_text="The share of the judged objects that is right.")
    precision_low = serializers.FloatField(help_text="Lower end of the 95 % interval (Wilson).")
    precision_high = serializers.FloatField(help_text="Upper end.")

    def get_fields(self) -> dict[str, Any]:
        """Add `class`, which is a keyword of Python."""
        return {**super().get_fields(), "class": serializers.CharField()}


class ConfusionSerializer(serializers.Serializer[Any]):
    """Objects that people gave another class than the model."""

    model_class = serializers.CharField()
    reviewed_class = serializers.CharField()
    objects = serializers.IntegerField()


class StatisticsSerializer(serializers.Serializer[Any]):
    """All numbers of a part of the history, for the API's description."""

    date_from = serializers.DateField(allow_null=True, help_text="null: no bound.")
    date_to = serializers.DateField(allow_null=True)
    by = serializers.ChoiceField(list(Bucket), help_text=f"What a `date` stands for: months beyond {MOST_DAYS} days.")
    photos = PhotosOfDaySerializer(many=True)
    objects = ObjectsOfDaySerializer(many=True)
    classes = ObjectsOfClassSerializer(many=True)
    scores = ScoreBinSerializer(many=True)
    precision = PrecisionSerializer(many=True)
    confusion = ConfusionSerializer(many=True)
    missed = ObjectsOfClassSerializer(many=True, help_text="Objects that the model missed and people drew.")


class StatisticsView(APIView):
    """The numbers of the dashboard."""

    @extend_schema(
        operation_id="get_statistics",
        tags=["Statistics"],
        summary="Get the numbers of the dashboard",
        parameters=_PARAMETERS,
        responses={200: StatisticsSerializer, 400: _BAD_FILTER},
    )
    def get(self, request: Request) -> Response:
        scope = _scope(request)
        tables: Mapping[str, Any] = {name: table.objects(scope) for name, table in TABLES.items()}
        return Response({"date_from": scope.first, "date_to": scope.last, "by": scope.bucket, **tables})


class StatisticsTableView(APIView):
    """One table of the numbers, for spreadsheets."""

    @extend_schema(
        operation_id="get_statistics_table",
        tags=["Statistics"],
        summary="Get one table of numbers as CSV",
        parameters=[
            OpenApiParameter("table", OpenApiTypes.STR, OpenApiParameter.PATH, enum=list(TABLES)),
            *_PARAMETERS,
        ],
        responses={
            (200, "text/csv"): OpenApiTypes.BINARY,
            400: _BAD_FILTER,
            404: OpenApiResponse(ErrorSerializer, description="There is no such table."),
        },
    )
    def get(self, request: Request, table: str) -> HttpResponse:
        if table not in TABLES:
            raise NotFound(f"There is no table {table!r}. Use one of {', '.join(TABLES)}.")
        return HttpResponse(
            TABLES[table].csv(_scope(request)),
            content_type="text/csv; charset=utf-8",
            headers={
                "Cache-Control": "no-store",
                "X-Content-Type-Options": "nosniff",
                "Content-Disposition": f'attachment; filename="{table}.csv"',
            },
        )


def _scope(request: Request) -> Scope:
    form = ScopeForm(request.query_params)
    refuse_unknown(request.query_params, form.fields)
    if not form.is_valid():
        raise ValidationError({name: [str(error) for error in errors] for name, errors in form.errors.items()})
    return form.scope(limits(caller_of(request.user)))
