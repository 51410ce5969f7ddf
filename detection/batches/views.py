"""Pages of batches: the list, and one batch with its photos."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from detection.accounts.access import caller_of
from detection.batches import service as batches
from detection.batches.selectors import rows_of, visible_batches
from detection.batches.states import ItemState
from detection.conf import current
from detection.models import Batch, BatchItem
from detection.registry import listing
from detection.web.forms import TILES_TEXTS
from detection.web.responses import ANSWERED_ERRORS, HttpResponseSeeOther, render_with_error
from detection.web.text import as_text

PAGE_SIZE = 50
STATE_TEXTS = {
    BatchItem.State.WAITING: _("Waiting for its file"),
    BatchItem.State.DONE: _("Done"),
    BatchItem.State.FAILED: _("Failed"),
}
STATE_FILTERS = (
    ("all", _("All")),
    ("waiting", _("Waiting")),
    ("detecting", _("Detecting")),
    ("done", _("Done")),
    ("failed", _("Failed")),
)


@dataclass(frozen=True, slots=True)
class ItemCard:
    """Photo of a batch, as its page shows it."""

    name: str
    size_bytes: int
    state_text: str
    item: ItemState

    @property
    def file_name(self) -> str:
        """The name without the folders."""
        return self.name.rpartition("/")[2]


@require_safe
def batch_list(request: HttpRequest) -> HttpResponse:
    """Show all batches, newest first."""
    page = Paginator(visible_batches(caller_of(request.user)), PAGE_SIZE).get_page(request.GET.get("page"))
    context = {
        "page": page,
        "rows": rows_of(page.object_list),
        "models": listing.choices(),
        "tiles": TILES_TEXTS.items(),
        **_limits(),
    }
    return render(request, "detection/batches/batches.html", context)


@require_safe
def batch_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show one batch: its state, and each photo of it; scripts send the photos and keep it up to date."""
    return _render_batch(request, get_object_or_404(visible_batches(caller_of(request.user)), uuid=uuid))


@require_POST
def delete_batch(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Delete the list of a batch, then show the others; its detections stay in the history."""
    batch = get_object_or_404(visible_batches(caller_of(request.user)), uuid=uuid)
    try:
        batches.delete(batch)
    except ANSWERED_ERRORS as error:
        return _render_batch(request, batch, error)
    messages.success(request, gettext("The list was deleted. Its detections are in the history."))
    return HttpResponseSeeOther(reverse("batch-list"))


@require_POST
def rename_batch(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Give a batch another name, then show it; an empty one changes nothing."""
    batch = get_object_or_404(visible_batches(caller_of(request.user)), uuid=uuid)
    if name := as_text(request.POST.get("name", "")).strip():
        # Deleted meanwhile, it has no row: then nothing is changed.
        Batch.objects.filter(pk=batch.pk).update(name=name)
    return HttpResponseSeeOther(batch.get_absolute_url())


def _render_batch(request: HttpRequest, batch: Batch, error: Exception | None = None) -> HttpResponse:
    states = batches.states_of(batch)
    listed = batch.items.values_list("name", "size_bytes")
    context = {
        "batch": batch,
        "batch_tiles": TILES_TEXTS.get(batch.tiles, ""),
        "totals": batches.totals_of(states),
        "items": [
            ItemCard(name, size_bytes, str(STATE_TEXTS[BatchItem.State(state.state)]), state)
            for state, (name, size_bytes) in zip(states, listed, strict=True)
        ],
        "states": STATE_FILTERS,
        **_limits(),
    }
    return render_with_error(request, "detection/batches/batch.html", context, error)


def _limits() -> dict[str, object]:
    return {"max_body_bytes": current.config().max_body_bytes, "max_photos": batches.MAX_PHOTOS}
