"""Addresses of the app: pages, API, health checks."""

from django.conf import settings
from django.contrib.auth.views import LogoutView
from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from detection.accounts.views import LoginView
from detection.batches import views as batches_views
from detection.batches.api import BatchesView, BatchPhotoView, BatchView
from detection.exports.api import ExportView
from detection.history import views as history_views
from detection.history.api import AnnotatedView, DetectionListView, DetectionView, PhotoView, ThumbnailView
from detection.i18n.language import ScriptTexts, switch_language
from detection.observability.views import metrics_page
from detection.oip.api import LiveView, OipInferView, OipModelReadyView, OipModelView, ReadyView, ServerView
from detection.predict import views as predict_views
from detection.predict.api import EntryPointView, PredictView
from detection.registry.api import ModelsView, ModelView
from detection.review import views as review_views
from detection.review.api import ReviewQueueView, ReviewView, UndoView
from detection.serving import health
from detection.statistics import views as statistics_views
from detection.statistics.api import StatisticsTableView, StatisticsView
from detection.web.manifest import favicon, manifest

pages = [
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("language/", switch_language, name="language"),
    path("app.webmanifest", manifest, name="web-app"),
    path("favicon.ico", favicon, name="favicon"),
    path("texts.js", ScriptTexts.as_view(), name="script-texts"),
    path("", predict_views.home, name="home"),
    path("live/", predict_views.live, name="live"),
    path("history/", history_views.history, name="history"),
    path("batches/", batches_views.batch_list, name="batch-list"),
    path("batches/<uuid:uuid>/", batches_views.batch_page, name="batch-page"),
    path("batches/<uuid:uuid>/delete/", batches_views.delete_batch, name="batch-delete"),
    path("review/", review_views.review_page, name="review"),
    path("review/<uuid:uuid>/", review_views.review_page, name="review-page"),
    path("review/<uuid:uuid>/say", review_views.record_verdict, name="review-say"),
    path("dashboard/", statistics_views.dashboard, name="dashboard"),
    path("detections/<uuid:uuid>/", history_views.detection_page, name="detection-page"),
    path("detections/<uuid:uuid>/delete/", history_views.delete_detection, name="detection-delete"),
    path("detections/<uuid:uuid>/restore/", history_views.restore_detection, name="detection-restore"),
]

api = [
    path("api/predict", PredictView.as_view(), name="predict"),
    path("api/models", ModelsView.as_view(), name="models"),
    path("api/model", ModelView.as_view(), name="model"),
    path("api/detections/", DetectionListView.as_view(), name="detections"),
    path("api/detections/<uuid:detection_id>/", DetectionView.as_view(), name="detection"),
    path("api/detections/<uuid:detection_id>/photo", PhotoView.as_view(), name="detection-photo"),
    path("api/detections/<uuid:detection_id>/annotated", AnnotatedView.as_view(), name="detection-annotated"),
    path("api/detections/<uuid:detection_id>/thumbnail", ThumbnailView.as_view(), name="detection-thumbnail"),
    path("api/detections/<uuid:detection_id>/review", ReviewView.as_view(), name="detection-review"),
    path("api/detections/<uuid:detection_id>/review/undo", UndoView.as_view(), name="detection-review-undo"),
    path("api/review/queue", ReviewQueueView.as_view(), name="review-queue"),
    path("api/batches/", BatchesView.as_view(), name="batches"),
    path("api/batches/<uuid:batch_id>/", BatchView.as_view(), name="batch"),
    path("api/batches/<uuid:batch_id>/photos/<int:position>", BatchPhotoView.as_view(), name="batch-photo"),
    path("api/statistics/", StatisticsView.as_view(), name="statistics"),
    path("api/statistics/<str:table>.csv", StatisticsTableView.as_view(), name="statistics-table"),
    path("api/export", ExportView.as_view(), name="export"),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(template_name="detection/web/api_docs.html"), name="docs"),
]

# The Open Inference Protocol prescribes its addresses.
oip = [
    path("v2", ServerView.as_view(), name="oip-server"),
    path("v2/health/live", LiveView.as_view(), name="oip-live"),
    path("v2/health/ready", ReadyView.as_view(), name="oip-ready"),
]
for _version, _name in (("", ""), ("/versions/<str:version>", "-version")):
    _model = f"v2/models/<str:model>{_version}"
    oip += [
        path(_model, OipModelView.as_view(), name=f"oip-model{_name}"),
        path(f"{_model}/ready", OipModelReadyView.as_view(), name=f"oip-model-ready{_name}"),
        path(f"{_model}/infer", OipInferView.as_view(), name=f"oip-infer{_name}"),
    ]

# The address of the 2019 service; where it equals the API's own, that one comes first.
entry_point = settings.DETECTOR.rest_entry_point.removeprefix("/")

urlpatterns = [
    *pages,
    *api,
    *oip,
    path(entry_point, EntryPointView.as_view(), name="entry-point"),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", metrics_page, name="metrics"),
    path("readyz", health.readyz, name="readyz"),
]
