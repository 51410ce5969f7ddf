"""Review page: one photo of a queue, with forms for browsers without scripts."""

import json
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.csrf import ensure_csrf_cookie
from django.views.decorators.http import require_POST, require_safe

from detection.accounts.access import Caller, caller_of, limits
from detection.errors import RequestError
from detection.history import counters, selectors
from detection.history.annotations import weaker_of
from detection.i18n.error_messages import sentence_of
from detection.inference.detector import KEPT_PROBABILITY
from detection.inference.errors import CheckpointError
from detection.models import Detection, Verdict
from detection.registry import catalogue
from detection.review import service as review_service
from detection.review.idempotency import step_key, take_once
from detection.review.queue import MAX_COUNTED, Place, Queue
from detection.review.queues.listed import LOWEST
from detection.review.queues.measuring import MEASURE, progress_texts
from detection.review.queues.registry import KINDS
from detection.review.second.service import places_for
from detection.review.serializers import place_body, review_body
from detection.review.service import ConflictError, Reviewer, ReviewState, Statement, reviewer_of
from detection.web.responses import HttpResponseSeeOther

_NO_UUID = UUID(int=0)
VERDICT_TEXTS = {"": _("Open"), **dict(Verdict.Kind.choices)}


@ensure_csrf_cookie
@require_safe
def review_page(request: HttpRequest, uuid: UUID | None = None) -> HttpResponseBase:
    """Show a photo with its objects, from the queue in the query string; without an id the first of that queue."""
    caller, queue = caller_of(request.user), queue_of(request.GET)
    reviewer_id = reviewer_of(request.user).user_id
    place = next(iter(queue.after(caller, None, 1, reviewer_id)), None) if uuid is None else queue.place_of(uuid)
    if place is not None:
        uuid = place.detection
    state = None if uuid is None else review_service.state_of(_detection(caller, uuid))
    context = _context(caller, queue, state, place, reviewer_of(request.user), is_blind=request.GET.get("blind") == "1")
    return render(request, "detection/review/review.html", context)


@require_POST
def record_verdict(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Record the verdict of a form, in a browser without scripts; then show the page, or the next one."""
    caller, queue = caller_of(request.user), queue_of(request.GET)
    detection = _detection(caller, uuid)
    try:
        state = _record_once(request.POST, detection, reviewer_of(request.user))
    except (RequestError, ConflictError) as error:
        messages.error(request, sentence_of(error))
        return HttpResponseSeeOther(_page(queue, uuid))
    if request.POST.get("say") == "done" and state.is_reviewed:
        following = queue.after(caller, uuid, 1, reviewer_of(request.user).user_id)
        return HttpResponseSeeOther(_page(queue, following[0].detection if following else None))
    return HttpResponseSeeOther(_page(queue, uuid))


def queue_of(query: QueryDict) -> Queue:
    """Return the queue of a query string; unknown values give the default one."""
    order = KINDS.get(query.get("order", ""), LOWEST)
    class_name = query.get("class", "")[: review_service.CLASS_NAME_LENGTH]
    return Queue(order, class_name, query.get("reviewed") == "1", _as_uuid(query.get("album", "")))


def _as_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _record_once(form: QueryDict, detection: Detection, reviewer: Reviewer) -> ReviewState:
    """Record a form, once if its button was pressed twice.

    Each form of a page as it was shown is a step of its own, under the key of that page.
    """
    page_key = form.get("key")
    sent = {name: form.getlist(name) for name in ("say", "version", "object", "class")}
    key = step_key(json.dumps([page_key, sent]), reviewer, {"form": str(detection.uuid)}) if page_key else None
    return take_once(key, detection, lambda: _record(form, detection, reviewer))[0]


def _record(form: QueryDict, detection: Detection, reviewer: Reviewer) -> ReviewState:
    what, raw = form.get("say", ""), form.get("version", "")
    if not (raw.isascii() and raw.isdigit()):
        raise RequestError(gettext("The form is damaged. Open the page again."))
    version = int(raw[:9])
    if what == "undo":
        return review_service.undo(detection, version, reviewer)
    if what in {"done", "reopen"}:
        return review_service.judge(detection, version, (), reviewer, reviewed=what == "done")
    statement = Statement(form.get("object", ""), what, form.get("class") or None)
    return review_service.judge(detection, version, [statement], reviewer)


def _detection(caller: Caller, uuid: UUID) -> Detection:
    detections = selectors.visible_detections(caller)
    return get_object_or_404(review_service.reviewable(detections), uuid=uuid)


def _page(queue: Queue, uuid: UUID | None) -> str:
    address = reverse("review") if uuid is None else reverse("review-page", args=[uuid])
    query = query_of(queue)
    return f"{address}?{query}" if query else address


def query_of(queue: Queue, *, is_blind: bool = False) -> str:
    """Return the query string of this queue; empty for the default one. is_blind: what the model found is hidden."""
    given = {
        "order": "" if queue.order == LOWEST else queue.order.name,
        "class": queue.class_name,
        "reviewed": "1" if queue.is_reviewed else "",
        "album": str(queue.album or ""),
        "blind": "1" if is_blind else "",
    }
    return urlencode({name: value for name, value in given.items() if value})


def _context(
    caller: Caller,
    queue: Queue,
    state: ReviewState | None,
    place: Place | None,
    reviewer: Reviewer,
    *,
    is_blind: bool,
) -> dict[str, Any]:
    known = counters.class_names(limits(caller))
    left = queue.count(caller)
    context = {
        "state": state,
        "queue": queue,
        "query": query_of(queue, is_blind=is_blind),
        "is_blind": is_blind,
        "known_classes": known,
        "left": left,
        "left_text": f"{MAX_COUNTED:,}+" if left > MAX_COUNTED else f"{left:,}",
        "lowest_floor": KEPT_PROBABILITY,
        "kinds": KINDS.values(),
        "place": place,
        "has_second": places_for(caller, reviewer).exists(),
        "progress": _progress(state) if queue.order == MEASURE and limits(caller) is None else [],
    }
    if state is None:
        return context
    classes = list(dict.fromkeys([*_model_classes(), *known]))
    start = {
        "review": review_body(state),
        "place": place_body(place or Place(state.detection.uuid, "")),
        "classes": classes,
        "queue": {
            "order": queue.order.name,
            "class": queue.class_name,
            "reviewed": "1" if queue.is_reviewed else "0",
            **({"album": str(queue.album)} if queue.album else {}),
        },
        "query": query_of(queue, is_blind=is_blind),
        "isBlind": is_blind,
        "user": reviewer.name,
        "urls": {
            "photo": reverse("detection-photo", args=[_NO_UUID]),
            "review": reverse("detection-review", args=[_NO_UUID]),
            "undo": reverse("detection-review-undo", args=[_NO_UUID]),
            "page": reverse("review-page", args=[_NO_UUID]),
            "detection": reverse("detection-page", args=[_NO_UUID]),
            "queue": reverse("review-queue"),
        },
        "texts": {**_texts(), "verdicts": {str(kind): str(text) for kind, text in VERDICT_TEXTS.items()}},
    }
    asked = () if place is None else place.asked
    objects = (*state.objects, *(one for one in weaker_of(state.detection) if one.key in asked))
    rows = [(one, VERDICT_TEXTS.get(one.kind, one.kind), one.key in asked) for one in objects]
    return context | {"start": start, "rows": rows, "classes": classes, "form_key": uuid4()}


def _progress(state: ReviewState | None) -> list[str]:
    """Return what the measuring sample tells in sentences: that of the shown photo's model, else of the default one.

    For those who see all photos: a sample is drawn from everybody's.
    """
    try:
        default = catalogue.default_model()
        if state is None or (state.detection.model_name, state.detection.model_version) == default:
            return progress_texts(default, catalogue.default_threshold())
    except CheckpointError:
        pass
    if state is None:
        return []
    shown = state.detection
    return progress_texts((shown.model_name, shown.model_version), shown.threshold)


def _model_classes() -> tuple[str, ...]:
    try:
        return catalogue.model_classes()
    except CheckpointError:
        return ()


def _texts() -> dict[str, str]:
    """Return the texts of the script, so that they are translated with everything else."""
    return {
        "reviewed": gettext("Reviewed"),
        "reviewedBy": gettext("Reviewed by {name}"),
        "noName": gettext("Photo without a name"),
        "wasClass": gettext("was {name}"),
        "drawn": gettext("drawn by a person"),
        "notSaved": gettext("This could not be saved: {reason} The photo is shown as the server has it."),
        "noServer": gettext("The server does not answer."),
        "photoMissing": gettext("The photo cannot be shown; its file is missing or damaged."),
        "newClass": gettext("New class: {name}"),
        "keyConfirm": gettext("Confirm the object"),
        "keyReject": gettext("Reject it: there is no such object"),
        "keyRelabel": gettext("Relabel it: type the class, then Enter"),
        "keyEdit": gettext("Correct its box: arrows move it, Shift and arrows size it, Enter saves"),
        "keyDraw": gettext("Draw an object that was missed"),
        "keyUndo": gettext("Undo"),
        "keyDone": gettext("Done with the photo: confirm what is left, and go on"),
        "keyReopen": gettext("Open a finished photo again"),
        "keyNext": gettext("The next photo, without a verdict"),
        "keyPrevious": gettext("The photo before"),
        "keyZoom": gettext("Look closer at the object, and back"),
        "keyEscape": gettext("Cancel"),
    }
