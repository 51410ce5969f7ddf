"""Addresses of what is done with selected photos, of albums, and of names: JSON for the script, forms without it."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from detection.accounts.access import caller_of
from detection.errors import RequestError, respond_to
from detection.exports.api import streamed
from detection.gallery import albums, downloads, jobs, selection
from detection.i18n.error_messages import in_language
from detection.models import Album, BulkAction
from detection.web.json_body import read_json
from detection.web.responses import ANSWERED_ERRORS, HttpResponseSeeOther

_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


@require_POST
def act(request: HttpRequest) -> JsonResponse:
    """Begin an action on the selected photos: {"kind", "selection", and what the kind needs}; answer its state."""
    try:
        body = read_json(request.body)
        if not isinstance(body, dict):
            raise RequestError(gettext("The selection is damaged. Open the page again."))
        kind, chosen = str(body.get("kind", "")), body.get("selection")
        action = jobs.start(kind, chosen, body, caller_of(request.user))
    except ANSWERED_ERRORS as error:
        return _problem(request, error)
    return JsonResponse(action_body(action), status=201)


@require_safe
def action_state(request: HttpRequest, uuid: UUID) -> JsonResponse:
    """Answer how far an action is."""
    return JsonResponse(action_body(_action(request, uuid)))


@require_POST
def stop_action(request: HttpRequest, uuid: UUID) -> JsonResponse:
    """Stop an action; what is done stays done."""
    action = _action(request, uuid)
    jobs.stop(action)
    action.refresh_from_db()
    return JsonResponse(action_body(action))


@require_POST
def undo_action(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Bring back what an action has deleted: the script gets JSON, a form the gallery."""
    try:
        count = jobs.undo(_action(request, uuid))
    except ANSWERED_ERRORS as error:
        return _problem(request, error)
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse({"restored": count})
    messages.success(request, gettext("The photos are back."))
    return HttpResponseSeeOther(reverse("history"))


@require_POST
def download(request: HttpRequest) -> HttpResponseBase:
    """Send the selected photos as a file: `what` is photos, boxes or a format of exports, `selection` is JSON."""
    try:
        chosen = selection.parse(json.loads(request.POST.get("selection", "null")))
        detections = selection.detections_of(chosen, caller_of(request.user))
        what, with_photos = request.POST.get("what", ""), request.POST.get("photos") == "1"
        file = downloads.download_of(what, detections, with_photos=with_photos)
    except ValueError:
        return _problem(request, RequestError(gettext("The selection is damaged. Open the page again.")))
    except ANSWERED_ERRORS as error:
        return _problem(request, error)
    headers = {**_HEADERS, "Content-Disposition": f'attachment; filename="{file.file_name}"'}
    return StreamingHttpResponse(streamed(request, file.blocks), content_type=file.content_type, headers=headers)


@require_POST
def create_album(request: HttpRequest) -> HttpResponse:
    """Make an album, or keep the filters of an address as a saved view; then show it."""
    try:
        made = albums.create(
            request.POST.get("name", ""), caller_of(request.user), request.POST.get("query", "")[:4000]
        )
    except RequestError as error:
        messages.error(request, str(error))
        return HttpResponseSeeOther(reverse("history"))
    return HttpResponseSeeOther(made.get_absolute_url())


@require_POST
def rename_album(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Give an album or a saved view another name, then show it."""
    album = get_object_or_404(albums.visible_albums(caller_of(request.user)), uuid=uuid)
    try:
        name = albums.clean_name(request.POST.get("name", ""))
        # Deleted meanwhile, it has no row: then nothing is changed.
        Album.objects.filter(pk=album.pk).update(name=name)
    except RequestError as error:
        messages.error(request, str(error))
    return HttpResponseSeeOther(album.get_absolute_url())


@require_POST
def delete_album(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Delete an album or a saved view; its photos stay."""
    get_object_or_404(albums.visible_albums(caller_of(request.user)), uuid=uuid).delete()
    messages.success(request, gettext("The album was deleted. Its photos are in the gallery."))
    return HttpResponseSeeOther(reverse("history"))


def action_body(action: BulkAction) -> dict[str, Any]:
    """Return an action as JSON for the script."""
    album = action.params.get("album")
    where = {"album": f"{reverse('history')}?album={album}", "review": f"{reverse('review')}?album={album}"}
    return {
        "id": str(action.uuid),
        "kind": action.kind,
        "state": action.state,
        "total": action.total,
        "done": action.done,
        "failed": action.failed,
        "url": where.get(action.kind),
    }


def _action(request: HttpRequest, uuid: UUID) -> BulkAction:
    return get_object_or_404(jobs.visible_actions(caller_of(request.user)), uuid=uuid)


def _problem(request: HttpRequest, error: Exception) -> JsonResponse:
    status, sentence = respond_to(error, request.path)
    return JsonResponse({"error": in_language(sentence)}, status=status)
