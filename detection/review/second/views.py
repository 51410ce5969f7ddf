"""Page of second opinions: the model's objects of a reviewed photo, without what the first reviewer said."""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_POST, require_safe

from detection.accounts.access import caller_of, limits
from detection.errors import RequestError
from detection.history import counters, selectors
from detection.i18n.error_messages import sentence_of
from detection.review.second import service
from detection.review.service import reviewable, reviewer_of
from detection.web.responses import HttpResponseSeeOther

_NONE, _OTHER = "none", "other"


@require_safe
def second_opinions(request: HttpRequest) -> HttpResponseBase:
    """Show the next photo that waits for a second opinion, and the agreement so far."""
    caller, reviewer = caller_of(request.user), reviewer_of(request.user)
    detection = service.next_for(caller, reviewer)
    context = {
        "detection": detection,
        "objects": [] if detection is None else service.asked_of(detection),
        "left": service.places_for(caller, reviewer).count(),
        "known_classes": counters.class_names(limits(caller)),
        "is_known": reviewer.user_id is not None,
        "agreement": service.agreement() if limits(caller) is None else [],
    }
    return render(request, "detection/review/second.html", context)


@require_POST
def give_second_opinion(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Record what a form says of each object, and go on to the next photo."""
    caller = caller_of(request.user)
    detection = get_object_or_404(reviewable(selectors.visible_detections(caller)), uuid=uuid)
    classes = {}
    for one in service.asked_of(detection):
        chosen = request.POST.get(f"is-{one.key}", "")
        other = request.POST.get(f"class-{one.key}", "").strip()
        if chosen == _NONE:
            classes[one.key] = ""
        elif chosen == _OTHER and other:
            classes[one.key] = other
        elif chosen == "model" and one.found is not None:
            classes[one.key] = one.found.class_name
    try:
        service.record(detection, classes, reviewer_of(request.user))
    except RequestError as error:
        messages.error(request, sentence_of(error))
    else:
        messages.success(request, gettext("Your opinion is kept."))
    return HttpResponseSeeOther(reverse("second-opinions"))
