"""Review page: one photo of a queue, with forms for browsers without scripts."""

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

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
from detection.i18n.error_messages import sentence_of
from detection.inference.errors import CheckpointError
from detection.models import Detection, Verdict
from detection.registry import catalogue
from detection.review import service as review_service
from detection.review.queue import MAX_COUNTED, ORDERS, Queue
from detection.review.serializers import review_body
from detection.review.service import ConflictError, Reviewer, ReviewState, Statement, reviewer_of
from detection.web.responses import HttpResponseSeeOther

_NO_UUID = UUID(int=0)
VERDICT_TEXTS = {"": _("Open"), **dict(Verdict.Kind.choices)}


@ensure_csrf_cookie
@require_safe
def review_page(request: HttpRequest, uuid: UUID | None = None) -> HttpResponseBase:
    """Show a photo with its objects, from the queue in the query string; without an id the first of that queue."""
    caller, queue = caller_of(request.user), queue_of(request.GET)
    if uuid is None:
        uuid = next(iter(queue.after(caller, None, 1)), None)
    state = None if uuid is None else review_service.state_of(_detection(caller, uuid))
    return render(request, "detection/review/review.html", _context(caller, queue, state))


@require_POST
def record_verdict(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Record the verdict of a form, in a browser without scripts; then show the page, or the next one."""
    caller, queue = caller_of(request.user), queue_of(request.GET)
    detection = _detection(caller, uuid)
    try:
        state = _record(request.POST, detection, reviewer_of(request.user))
    except (RequestError, ConflictError) as error:
        messages.error(request, sentence_of(error))
        return HttpResponseSeeOther(_page(queue, uuid))
    if request.POST.get("say") == "done" and state.is_reviewed:
        following = queue.after(caller, uuid, 1)
        return HttpResponseSeeOther(_page(queue, following[0] if following else None))
    return HttpResponseSeeOther(_page(queue, uuid))


def queue_of(query: QueryDict) -> Queue:
    """Return the queue of a query string; unknown values give the default one."""
    order = ORDERS.get(query.get("order", ""), ORDERS["lowest"])
    return Queue(order, query.get("class", "")[: review_service.CLASS_NAME_LENGTH], query.get("reviewed") == "1")


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


def query_of(queue: Queue) -> str:
    """Return the query string of this queue; empty for the default one."""
    given = {
        "order": "" if queue.order.name == "lowest" else queue.order.name,
        "class": queue.class_name,
        "reviewed": "1" if queue.is_reviewed else "",
    }
    return urlencode({name: value for name, value in given.items() if value})


def _context(caller: Caller, queue: Queue, state: ReviewState | None) -> dict[str, Any]:
    known = counters.class_names(limits(caller))
    left = queue.count(caller)
    context = {
        "state": state,
        "queue": queue,
        "query": query_of(queue),
        "known_classes": known,
        "left": left,
        "left_text": f"{MAX_COUNTED:,}+" if left > MAX_COUNTED else f"{left:,}",
        "orders": (("lowest", gettext("Least sure first")), ("newest", gettext("Newest first"))),
    }
    if state is None:
        return context
    classes = list(dict.fromkeys([*_model_classes(), *known]))
    start = {
        "review": review_body(state),
        "classes": classes,
        "queue": {"order": queue.order.name, "class": queue.class_name, "reviewed": "1" if queue.is_reviewed else "0"},
        "query": query_of(queue),
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
    rows = [(one, VERDICT_TEXTS.get(one.kind, one.kind)) for one in state.objects]
    return context | {"start": start, "rows": rows, "classes": classes}


def _model_classes() -> tuple[str, ...]:
    try:
        return catalogue.model_classes()
    except CheckpointError:
        return ()


def _texts() -> dict[str, str]:
    """Return the texts of the script, so that they are translated with everything else."""
    return {
        "open": gettext("to review"),
        "reviewed": gettext("Reviewed"),
        "reviewedBy": gettext("Reviewed by {name}"),
        "noName": gettext("Photo without a name"),
        "wasClass": gettext("was {name}"),
        "drawn": gettext("drawn by a person"),
        "lookThere": gettext("Look at that photo"),
        "notSaved": gettext("This could not be saved: {reason} The photo is shown as the server has it."),
        "noServer": gettext("The server does not answer."),
        "nothingToUndo": gettext("There is nothing to undo."),
        "end": gettext("That was the last photo of this queue."),
        "photoMissing": gettext("The photo cannot be shown; its file is missing or damaged."),
        "newClass": gettext("New class: {name}"),
        "saveBox": gettext("Save the box"),
        "chooseClass": gettext("Which class?"),
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
        "keyObjects": gettext("The next and the previous object"),
        "keyZoom": gettext("Look closer at the object, and back"),
        "keyEscape": gettext("Leave what was begun"),
    }
