"""Addresses of the app: pages, API, health checks."""

from django.conf import settings
from django.contrib.auth.views import LogoutView
from django.urls import path
from drf_spectacular.views import SpectacularAPIView

from detection.accounts import token_views
from detection.accounts.views import LoginView
from detection.batches import views as batches_views
from detection.batches.api import BatchesView, BatchPhotoView, BatchView
from detection.compare import sets as compare_sets
from detection.compare import views as compare_views
from detection.compare import vote_views
from detection.demo import views as demo_views
from detection.exports.api import ExportView
from detection.gallery import bulk_views
from detection.gallery import views as gallery_views
from detection.history import views as history_views
from detection.history.api import AnnotatedView, DetectionListView, DetectionView, PhotoView, ThumbnailView
from detection.i18n.language import ScriptTexts, switch_language
from detection.observability.views import metrics_page
from detection.oip.api import LiveView, OipInferView, OipModelReadyView, OipModelView, ReadyView, ServerView
from detection.predict import views as predict_views
from detection.predict.api import EntryPointView, PredictView
from detection.protocols.urls import urlpatterns as protocols
from detection.registry.api import ModelsView, ModelView
from detection.review import views as review_views
from detection.review.api import ReviewQueueView, ReviewView, UndoView
from detection.review.second import views as second_views
from detection.serving import health
from detection.sharing import views as sharing_views
from detection.statistics import views as statistics_views
from detection.statistics.api import StatisticsTableView, StatisticsView
from detection.web.api_docs.views import ApiDocsView
from detection.web.manifest import favicon, manifest

pages = [
    path("login/", LoginView.as_view(), name="login"),
    path("logout/", LogoutView.as_view(), name="logout"),
    path("account/", token_views.account, name="account"),
    path("account/tokens/", token_views.create_token, name="token-create"),
    path("account/tokens/<uuid:uuid>/rename/", token_views.rename_token, name="token-rename"),
    path("account/tokens/<uuid:uuid>/revoke/", token_views.revoke_token, name="token-revoke"),
    path("account/tokens/earlier/revoke/", token_views.revoke_earlier_token, name="token-revoke-earlier"),
    path("language/", switch_language, name="language"),
    path("app.webmanifest", manifest, name="web-app"),
    path("favicon.ico", favicon, name="favicon"),
    path("texts.js", ScriptTexts.as_view(), name="script-texts"),
    path("", predict_views.home, name="home"),
    path("live/", predict_views.live, name="live"),
    path("history/", gallery_views.gallery, name="history"),
    path("history/photos/", gallery_views.photos, name="gallery-photos"),
    path("history/actions/", bulk_views.act, name="gallery-act"),
    path("history/actions/<uuid:uuid>/", bulk_views.action_state, name="gallery-action"),
    path("history/actions/<uuid:uuid>/stop/", bulk_views.stop_action, name="gallery-action-stop"),
    path("history/actions/<uuid:uuid>/undo/", bulk_views.undo_action, name="gallery-action-undo"),
    path("history/download/", bulk_views.download, name="gallery-download"),
    path("albums/", bulk_views.create_album, name="album-create"),
    path("albums/<uuid:uuid>/rename/", bulk_views.rename_album, name="album-rename"),
    path("albums/<uuid:uuid>/delete/", bulk_views.delete_album, name="album-delete"),
    path("batches/", batches_views.batch_list, name="batch-list"),
    path("batches/<uuid:uuid>/", batches_views.batch_page, name="batch-page"),
    path("batches/<uuid:uuid>/rename/", batches_views.rename_batch, name="batch-rename"),
    path("batches/<uuid:uuid>/delete/", batches_views.delete_batch, name="batch-delete"),
    path("demo/load/", demo_views.load, name="demo-load"),
    path("demo/remove/", demo_views.remove, name="demo-remove"),
    path("review/", review_views.review_page, name="review"),
    path("review/second/", second_views.second_opinions, name="second-opinions"),
    path("review/second/<uuid:uuid>/", second_views.give_second_opinion, name="second-opinion"),
    path("review/<uuid:uuid>/", review_views.review_page, name="review-page"),
    path("review/<uuid:uuid>/say", review_views.record_verdict, name="review-say"),
    path("dashboard/", statistics_views.dashboard, name="dashboard"),
    path("dashboard/objects/", statistics_views.objects, name="dashboard-objects"),
    path("detections/<uuid:uuid>/", history_views.detection_page, name="detection-page"),
    path("detections/<uuid:uuid>/delete/", history_views.delete_detection, name="detection-delete"),
    path("detections/<uuid:uuid>/ask/", compare_views.ask, name="detection-ask"),
    path("compare/", compare_sets.compare, name="compare"),
    path("compare/vote/", vote_views.vote_page, name="compare-vote"),
    path("compare/vote/pair/", vote_views.vote_pair, name="compare-vote-pair"),
    path("compare/vote/cast/", vote_views.cast, name="compare-vote-cast"),
    path("compare/<uuid:a>/<uuid:b>/", compare_views.pair_page, name="compare-pair"),
    path("compare/<uuid:a>/<uuid:b>/answers/", compare_views.pair_answers, name="compare-answers"),
    path("detections/<uuid:uuid>/restore/", gallery_views.restore_detection, name="detection-restore"),
    path("detections/<uuid:uuid>/share/", sharing_views.share_detection, name="detection-share"),
    path("albums/<uuid:uuid>/share/", sharing_views.share_album, name="album-share"),
    path("links/<uuid:uuid>/revoke/", sharing_views.revoke_link, name="link-revoke"),
    path("shared/<str:secret>/", sharing_views.shared, name="shared"),
    path("shared/<str:secret>/<uuid:uuid>/", sharing_views.shared_photo, name="shared-photo"),
    path("shared/<str:secret>/<uuid:uuid>/<str:kind>", sharing_views.shared_picture, name="shared-picture"),
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
    path("api/docs/", ApiDocsView.as_view(), name="docs"),
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
    *protocols,
    path(entry_point, EntryPointView.as_view(), name="entry-point"),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", metrics_page, name="metrics"),
    path("readyz", health.readyz, name="readyz"),
]
