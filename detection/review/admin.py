"""Review in the admin: the verdicts on each object, with author and time, and actions on many detections at once."""

from collections import Counter
from collections.abc import Callable

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from detection.errors import RequestError
from detection.i18n.class_titles import class_title
from detection.i18n.error_messages import sentence_of
from detection.models import Detection, Verdict
from detection.review import service as review_service
from detection.review.service import ConflictError, Reviewer, ReviewState, reviewer_of
from detection.web.admin import ReadOnlyAdmin

MAX_AT_ONCE = 500
_DONE, _CONFLICT, _SAME = "done", "conflict", "same"
_Step = Callable[[Detection, int, Reviewer], ReviewState]


class VerdictInline(ReadOnlyAdmin, admin.TabularInline[Verdict, Detection]):
    """Verdicts, step by step; the last one of an object is in force."""

    model = Verdict
    verbose_name_plural = _("What people said")
    fields = ("number", "about", "what", "class_title", "place", "by", "at", "taken_back")
    readonly_fields = fields
    can_delete = False
    show_change_link = False
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Verdict]:
        """Return the verdicts with their objects."""
        return super().get_queryset(request).select_related("found")

    @admin.display(description=_("Step"))
    def number(self, verdict: Verdict) -> str:
        """Return the version of the review that it made."""
        return str(verdict.step)

    @admin.display(description=_("Object"))
    def about(self, verdict: Verdict) -> str:
        """Return the model's object, or the number of the drawn one."""
        if verdict.found is not None:
            return f"{class_title(verdict.found.class_name)} {verdict.found.probability:.2f}"
        if verdict.added_number is not None:
            return gettext("Drawn no. %(number)s") % {"number": verdict.added_number}
        return gettext("The whole photo")

    @admin.display(description=_("Verdict"))
    def what(self, verdict: Verdict) -> str:
        """Return the kind in words."""
        return str(verdict.get_kind_display())

    @admin.display(description=_("Class"))
    def class_title(self, verdict: Verdict) -> str:
        """Return the class of the object after it."""
        return class_title(verdict.class_name)

    @admin.display(description=_("Box"))
    def place(self, verdict: Verdict) -> str:
        """Return the box in pixels of the upright photo."""
        box = verdict.box
        return f"{box.x}, {box.y}, {box.width} \N{MULTIPLICATION SIGN} {box.height}" if box.width else ""

    @admin.display(description=_("Reviewer"))
    def by(self, verdict: Verdict) -> str:
        """Return the author, also when the account is deleted."""
        return verdict.reviewer_name or gettext("Somebody")

    @admin.display(description=_("Time"))
    def at(self, verdict: Verdict) -> str:
        """Return the time, in the server's time zone."""
        return str(localize(localtime(verdict.created_at)))

    @admin.display(description=_("Takes back step"))
    def taken_back(self, verdict: Verdict) -> str:
        """Return the step that this one undid."""
        return "" if verdict.undoes is None else str(verdict.undoes)


def verdict_in_force(newest: Verdict | None) -> str:
    """Describe the verdict in force on an object, with author and time. newest: the last verdict on it."""
    if newest is None or newest.kind == Verdict.Kind.CLEARED:
        return gettext("Open")
    text = str(newest.get_kind_display())
    if newest.kind == Verdict.Kind.RELABELLED:
        text += f": {class_title(newest.class_name)}"
    when = localize(localtime(newest.created_at))
    return f"{text}, {newest.reviewer_name or gettext('Somebody')}, {when}"


class ReviewActions:
    """Actions on the chosen detections; each is one step of a review, which can be undone like any other."""

    def has_review_permission(self, request: HttpRequest) -> bool:
        """Return whether the user may add verdicts."""
        return bool(request.user.has_perm("detection.add_verdict"))

    @admin.display(description=_("Review"))
    def review_state(self, detection: Detection) -> SafeString:
        """Show the state of the review, and hidden its version: an action must not override unseen changes."""
        review = getattr(detection, "review", None)
        state = gettext("Reviewed") if review is not None and review.is_reviewed else gettext("Open")
        seen = f"{detection.pk}-{0 if review is None else review.version}"
        by = review.reviewer_name if review is not None else ""
        return format_html('{}<input type="hidden" name="seen" value="{}">', f"{state}: {by}" if by else state, seen)

    @admin.action(description=_("Confirm all open objects"), permissions=["review"])
    def confirm_all(self, request: HttpRequest, queryset: QuerySet[Detection]) -> None:
        """Confirm all open objects and finish the reviews."""
        self._take(request, queryset, review_service.confirm_all, ends=True)

    @admin.action(description=_("Reject all open objects"), permissions=["review"])
    def reject_all(self, request: HttpRequest, queryset: QuerySet[Detection]) -> None:
        """Reject all open objects and finish the reviews."""
        self._take(request, queryset, review_service.reject_all, ends=True)

    @admin.action(description=_("Open the reviews again"), permissions=["review"])
    def reopen(self, request: HttpRequest, queryset: QuerySet[Detection]) -> None:
        """Reopen the reviews."""
        self._take(request, queryset, review_service.reopen, ends=False)

    @admin.action(description=_("Undo my last step"), permissions=["review"])
    def undo(self, request: HttpRequest, queryset: QuerySet[Detection]) -> None:
        """Undo the newest step of each review, if it is one's own."""
        self._take(request, queryset, review_service.undo, ends=None)

    def _take(self, request: HttpRequest, queryset: QuerySet[Detection], step: _Step, *, ends: bool | None) -> None:
        """Take a step in each review and report the outcomes. ends: whether reviews are finished after it."""
        chosen = list(queryset.values_list("pk", flat=True)[: MAX_AT_ONCE + 1])
        if len(chosen) > MAX_AT_ONCE:
            text = gettext("At most %(count)s detections go into one step. Choose fewer.") % {"count": MAX_AT_ONCE}
            messages.error(request, text)
            return
        seen, reviewer = _seen(request.POST), reviewer_of(request.user)
        outcomes: Counter[str] = Counter()
        for detection in review_service.reviewable(Detection.objects.filter(pk__in=chosen)):
            state = review_service.state_of(detection)
            version = seen.get(detection.pk, state.version)
            outcomes[_outcome(state, reviewer, version, step, ends=ends)] += 1
        _report(request, outcomes)


def _seen(form: QueryDict) -> dict[int, int]:
    """Return the versions that the list has shown, by detection."""
    found = {}
    for text in form.getlist("seen"):
        number, _separator, version = text.partition("-")
        if number.isascii() and number.isdigit() and version.isascii() and version.isdigit():
            found[int(number[:18])] = int(version[:9])
    return found


def _outcome(state: ReviewState, reviewer: Reviewer, version: int, step: _Step, *, ends: bool | None) -> str:
    """Take a step; return its outcome, the reason if it was refused."""
    if state.version == version and state.is_reviewed == ends and not (ends and state.open_objects):
        return _SAME
    try:
        step(state.detection, version, reviewer)
    except ConflictError:
        return _CONFLICT
    except RequestError as error:
        return sentence_of(error)
    return _DONE


def _report(request: HttpRequest, outcomes: Counter[str]) -> None:
    """Show one message for each outcome, with its count."""
    done, conflicts, same = (outcomes.pop(kind, 0) for kind in (_DONE, _CONFLICT, _SAME))
    if done:
        text = ngettext(
            "%(count)s review was changed. “Undo my last step” takes it back.",
            "%(count)s reviews were changed. “Undo my last step” takes it back.",
            done,
        )
        messages.success(request, text % {"count": done})
    if conflicts:
        text = ngettext(
            "%(count)s review was left as it is: somebody has changed it after this list was shown. Look at it again.",
            "%(count)s reviews were left as they are: somebody has changed them after this list was shown. Look at "
            "them again.",
            conflicts,
        )
        messages.warning(request, text % {"count": conflicts})
    if same:
        text = ngettext("%(count)s review was so already.", "%(count)s reviews were so already.", same)
        messages.info(request, text % {"count": same})
    for sentence, count in outcomes.items():
        messages.error(request, f"{count} \N{MULTIPLICATION SIGN} {sentence}")
