"""Addresses of other servers' protocols."""

from django.urls import path

from detection.protocols.deepstack import api as deepstack
from detection.protocols.huggingface import api as huggingface
from detection.protocols.labelstudio import api as labelstudio
from detection.protocols.photoprism import api as photoprism
from detection.protocols.roboflow import api as roboflow

urlpatterns = [
    path("api/hf/<str:model>", huggingface.ObjectDetectionView.as_view(), name="hf-object-detection"),
    path("api/v1/vision/labels", photoprism.LabelsView.as_view(), name="photoprism-labels"),
    path("api/labelstudio/<str:model>/health", labelstudio.HealthView.as_view(), name="labelstudio-health"),
    path("api/labelstudio/<str:model>/setup", labelstudio.SetupView.as_view(), name="labelstudio-setup"),
    path("api/labelstudio/<str:model>/predict", labelstudio.TasksView.as_view(), name="labelstudio-predict"),
    path("api/labelstudio/<str:model>/webhook", labelstudio.WebhookView.as_view(), name="labelstudio-webhook"),
    path("info", roboflow.InfoView.as_view(), name="roboflow-info"),
    path("model/registry", roboflow.RegistryView.as_view(), name="roboflow-registry"),
    path("model/add", roboflow.AddModelView.as_view(), name="roboflow-add"),
    path("infer/object_detection", roboflow.ObjectDetectionView.as_view(), name="roboflow-infer"),
    path("v1/status/ping", deepstack.PingView.as_view(), name="deepstack-ping"),
    path("v1/status/updateavailable", deepstack.UpdateView.as_view(), name="deepstack-update"),
    path("v1/vision/detection", deepstack.DetectionView.as_view(), name="deepstack-detection"),
    path("v1/vision/custom/list", deepstack.CustomListView.as_view(), name="deepstack-models"),
    path("v1/vision/custom/<str:model>", deepstack.DetectionView.as_view(), name="deepstack-custom"),
]
