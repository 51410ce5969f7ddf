"""Share links: made and revoked in pages of their makers, opened by anybody who has the address.

What a link opens is one photo or the photos of one album, their classes, probabilities and boxes: no name of a file,
no place, time, model or person, and no way to anything else.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, BinaryIO
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import EmptyPage, Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from detection.accounts import throttling
from detection.accounts.access import caller_of, visible_to
from detection.errors import RequestError, headers_for, respond_to
from detection.history import presentation
from detection.history.annotations import shown_objects, with_verdicts
from detection.history.selectors import visible_detections
from detection.i18n.error_messages import in_language
from detection.models import Album, Detection, ShareLink
from detection.photos import rendering
from detection.photos import store as photo_store
from detection.sharing import service
from detection.web.files import PICTURE_HEADERS, file_response
from detection.web.responses import ANSWERED_ERRORS, HttpResponseSeeOther

PAGE_SIZE = 60
# For the log, in the place of the address.
_PLACE = "a share link"
_MOST_DIGITS = 9
# The address is a secret: no other site is told it, no search engine lists it, nothing on the way keeps it.
_HEADERS = {
    "Referrer-Policy": "no-referrer",
    "X-Robots-Tag": "noindex, nofollow, noimageindex",
    "Cache-Control": "private, no-store",
}
# A grid that is gone back to does not load anew; a link that has ended shows nothing for longer than this.
_KEPT = {"Cache-Control": "private, max-age=300"}


def _made_by(target_of: Callable[[HttpRequest, UUID], Detection | Album]) -> Callable[..., HttpResponse]:
    """Return the view that makes a link to what `target_of` finds."""

    @require_POST
    def make(request: HttpRequest, uuid: UUID) -> HttpResponse:
        target, caller = target_of(request, uuid), caller_of(request.user)
        try:
            throttling.take(caller, request.META.get("REMOTE_ADDR", ""))
            link, secret = service.create(target, _days(request), caller)
        except ANSWERED_ERRORS as error:
            messages.error(request, in_language(respond_to(error, _PLACE)[1]))
            return HttpResponseSeeOther(target.get_absolute_url())
        address = request.build_absolute_uri(reverse("shared", args=[secret]))
        context = {"link": link, "address": address, "target": target}
        # Shown in this answer alone: a redirect would have to keep the secret somewhere.
        answer = render(request, "detection/sharing/made.html", context, status=201)
        answer["Cache-Control"] = "private, no-store"
        return answer

    return make


def _detection(request: HttpRequest, uuid: UUID) -> Detection:
    return get_object_or_404(visible_detections(caller_of(request.user)).select_related("photo"), uuid=uuid)


def _album(request: HttpRequest, uuid: UUID) -> Album:
    return get_object_or_404(visible_to(caller_of(request.user), Album.objects.all()), uuid=uuid)


share_detection = _made_by(_detection)
share_album = _made_by(_album)


@require_POST
def revoke_link(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """End a link now, then show the page that the form was on."""
    link = get_object_or_404(service.visible_links(caller_of(request.user)), uuid=uuid)
    service.revoke(link)
    messages.success(request, gettext("The link was revoked. Whoever opens it is told so."))
    return HttpResponseSeeOther(_back(request, link))


def _opened(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """Return a view of the address of a link: it gets the link, or visitors are told why there is none."""

    @wraps(view)
    def opened(request: HttpRequest, secret: str, **named: Any) -> HttpResponseBase:
        more: dict[str, str] = {}
        try:
            answer = view(request, _found(request, secret), **named)
        except service.LinkEndedError:
            answer = _refusal(request, 410, gettext("This link has ended, or was revoked. Ask its sender for another."))
        except (service.NoSuchLinkError, Http404):
            answer = _refusal(
                request, 404, gettext("There is nothing behind this link. Check that all of it was copied.")
            )
        except ANSWERED_ERRORS as error:
            status, sentence = respond_to(error, _PLACE)
            answer = _refusal(request, status, in_language(sentence))
            more = headers_for(status, error)
        for name, value in {**_HEADERS, **more}.items():
            answer.headers.setdefault(name, value)
        return answer

    return login_not_required(require_safe(opened))


def _found(request: HttpRequest, secret: str) -> ShareLink:
    """Return the link of a secret; a wrong one is counted, whatever was asked of it.

    Raises NoSuchLinkError, LinkEndedError and ThrottledError.
    """
    try:
        return service.find(secret)
    except service.NoSuchLinkError:
        _take(request)
        raise


@_opened
def shared(request: HttpRequest, link: ShareLink) -> HttpResponse:
    """Show the photo of a link, or a page of its album."""
    _take(request)
    detections = service.detections_of(link)
    if link.album is None:
        detection = _complete(detections).first()
        if detection is None:
            raise service.LinkEndedError
        return render(request, "detection/sharing/photo.html", _photo_context(detection))
    try:
        page = Paginator(_complete(detections), PAGE_SIZE).page(_page_number(request))
    except EmptyPage as error:
        raise Http404 from error
    cards = [presentation.Card(one, presentation.summary(shown_objects(one))) for one in page.object_list]
    return render(request, "detection/sharing/album.html", {"album": link.album, "cards": cards, "page": page})


@_opened
def shared_photo(request: HttpRequest, link: ShareLink, uuid: UUID) -> HttpResponse:
    """Show one photo of a link's album."""
    _take(request)
    detection = get_object_or_404(_complete(service.detections_of(link)), uuid=uuid)
    return render(request, "detection/sharing/photo.html", {**_photo_context(detection), "album": link.album})


@_opened
def shared_picture(request: HttpRequest, link: ShareLink, uuid: UUID, kind: str) -> HttpResponseBase:
    """Send a photo of a link: `annotated`, with its boxes; `photo`, as it is; `thumbnail`, small."""
    detection = get_object_or_404(_complete(service.detections_of(link)), uuid=uuid)
    try:
        body, content_type, suffix = _picture(detection, kind)
    except FileNotFoundError as error:
        raise Http404 from error
    disposition = "attachment" if request.GET.get("download") == "1" else "inline"
    headers = {**PICTURE_HEADERS, **_KEPT, "Content-Disposition": f'{disposition}; filename="{kind}.{suffix}"'}
    return file_response(body, content_type, headers)


def _picture(detection: Detection, kind: str) -> tuple[bytes | BinaryIO, str, str]:
    """Return a picture, its media type and the ending of its name. Raises FileNotFoundError and Http404."""
    if kind == "photo":
        body, photo_format = rendering.displayed(detection.photo)
        return body, photo_store.CONTENT_TYPES[photo_format], photo_store.SUFFIXES[photo_format]
    if kind == "annotated":
        return rendering.annotated(detection, shown_objects(detection)).jpeg, "image/jpeg", "jpg"
    if kind == "thumbnail":
        return rendering.thumbnail(detection).jpeg, "image/jpeg", "jpg"
    raise Http404


def _complete(detections: QuerySet[Detection]) -> QuerySet[Detection]:
    return with_verdicts(detections.select_related("photo"))


def _photo_context(detection: Detection) -> dict[str, Any]:
    """Return what a visitor may see of a detection."""
    # What says more of the photo (its name, its time, the model) is not handed to the template.
    result = presentation.result_context(detection, None, "")
    return {
        "uuid": detection.uuid,
        "width": detection.photo.width,
        "height": detection.photo.height,
        "title": result["title"],
        "objects": result["objects"],
        "summary": presentation.summary(shown_objects(detection)),
    }


def _take(request: HttpRequest) -> None:
    """Count a page for its caller. Its pictures are not counted, as elsewhere. Raises ThrottledError."""
    throttling.take(caller_of(request.user), request.META.get("REMOTE_ADDR", ""))


def _refusal(request: HttpRequest, status: int, sentence: str) -> HttpResponse:
    return render(request, "detection/sharing/refusal.html", {"code": status, "sentence": sentence}, status=status)


def _days(request: HttpRequest) -> int:
    """Return the days of the form. Raises RequestError."""
    text = request.POST.get("days", str(service.DEFAULT_DAYS)).strip()
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(service.MAX_DAYS))):
        raise RequestError(gettext("Choose 1 to %(most)s days.") % {"most": service.MAX_DAYS})
    return int(text)


def _page_number(request: HttpRequest) -> int:
    text = request.GET.get("page", "1")
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise Http404
    return int(text)


def _back(request: HttpRequest, link: ShareLink) -> str:
    """Return the page that a form names, if it is one of this site; else what the link shows."""
    asked = request.POST.get("next", "")
    if url_has_allowed_host_and_scheme(asked, None) and not urlsplit(asked).netloc:
        return asked
    target: Detection | Album | None = link.detection or link.album
    return reverse("history") if target is None else target.get_absolute_url()
