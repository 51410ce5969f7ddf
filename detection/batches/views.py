"""Pages of batches: the list, and one batch with its photos."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from detection.accounts.access import caller_of
from detection.batches import service as batches
from detection.batches.selectors import visible_batches
from detection.batches.states import ItemState
from detection.conf import current
from detection.models import Batch, BatchItem
from detection.registry import listing

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
class BatchRow:
    """A batch in the list of batches."""

    batch: Batch
    photos: int
    done: int
    failed: int

    @property
    def waiting(self) -> int:
        """Photos without a file."""
        return self.photos - self.done - self.failed


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
    context = {"page": page, "rows": _rows(page.object_list), "models": listing.choices(), **_limits()}
    return render(request, "detection/batches/batches.html", context)


@require_safe
def batch_page(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show one batch: its state, and each photo of it; scripts send the photos and keep it up to date."""
    batch = get_object_or_404(visible_batches(caller_of(request.user)), uuid=uuid)
    states = batches.states_of(batch)
    listed = batch.items.values_list("name", "size_bytes")
    context = {
        "batch": batch,
        "totals": batches.totals_of(states),
        "items": [
            ItemCard(name, size_bytes, str(STATE_TEXTS[BatchItem.State(state.state)]), state)
            for state, (name, size_bytes) in zip(states, listed, strict=True)
        ],
        "states": STATE_FILTERS,
        **_limits(),
    }
    return render(request, "detection/batches/batch.html", context)


def _limits() -> dict[str, object]:
    return {"max_body_bytes": current.config().max_body_bytes, "max_photos": batches.MAX_PHOTOS}


def _rows(shown: Iterable[Batch]) -> list[BatchRow]:
    """Return the rows, with the counts of all of them in one query."""
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    items = BatchItem.objects.filter(batch__in=list(shown)).order_by()
    for batch_id, state, count in items.values_list("batch_id", "state").annotate(count=Count("pk")):
        counts[batch_id][state] = count
    return [
        BatchRow(
            batch,
            counts[batch.pk].total(),
            counts[batch.pk][BatchItem.State.DONE],
            counts[batch.pk][BatchItem.State.FAILED],
        )
        for batch in shown
    ]
