"""Queue of the measuring sample (`learning/sampling.py`): objects drawn by chance, each to be judged on its own."""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, QuerySet
from django.utils.text import format_lazy
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from detection.history.selectors import ModelKey
from detection.i18n.class_titles import class_title
from detection.inference.types import Thresholds
from detection.learning import sampling
from detection.learning.estimate import Share
from detection.learning.sampling import Progress
from detection.models import OperatingPoint, QueuePlace, Sample, SampledObject
from detection.program import PROGRAM
from detection.review.queues.kinds import Answered, of_places
from detection.statistics.figures.words import percent_text


def _rows(class_name: str) -> QuerySet[QueuePlace]:
    places = QueuePlace.objects.filter(queue=sampling.QUEUE)
    if not class_name:
        return places
    drawn = SampledObject.objects.filter(found__detection=OuterRef("detection"), found__class_name=class_name)
    return places.filter(Exists(drawn))


def _asked(place: QueuePlace) -> Sequence[int]:
    return list(place.facts["objects"])


def _reason(place: QueuePlace) -> str:
    return ngettext(
        "%(count)s object of this photo was drawn by chance for measuring. Judge it, even if it is hardly visible.",
        "%(count)s objects of this photo were drawn by chance for measuring. Judge each, even if hardly visible.",
        len(place.facts["objects"]),
    ) % {"count": len(place.facts["objects"])}


def _is_done(place: QueuePlace, answered: Answered) -> bool:
    return {str(rank) for rank in place.facts["objects"]} <= answered.judged


MEASURE = of_places(
    sampling.QUEUE,
    _("Measuring sample"),
    _("Objects drawn by chance in each class and probability: their verdicts tell the precision of all photos."),
    _reason,
    empty=format_lazy(
        _("Draw one with “{program} operating_point sample”, or in the admin under Measuring samples."), program=PROGRAM
    ),
    rows=_rows,
    asked=_asked,
    is_done=_is_done,
)


def progress_texts(model: ModelKey, default_threshold: float) -> list[str]:
    """Return what is known by a model's newest sample, and what the verdicts that are left would add, in sentences,
    first of all classes together; none without a sample. default_threshold: where no operating point is active.
    """
    sample = sampling.newest_of(model)
    if sample is None:
        return []
    return [_sentence(one) for one in sampling.progress(sample, _thresholds(sample, default_threshold))]


def _thresholds(sample: Sample, default_threshold: float) -> Thresholds:
    point = OperatingPoint.objects.filter(
        model_name=sample.model_name, model_version=sample.model_version, is_active=True
    ).first()
    return Thresholds(default_threshold) if point is None else point.thresholds()


def _sentence(one: Progress) -> str:
    if one.class_name is None:
        name = gettext("Reported objects")
    else:
        title = class_title(one.class_name) if one.class_name else gettext("Other classes")
        name = gettext("%(class)s above %(threshold)s") % {"class": title, "threshold": f"{one.threshold:.2f}"}
    left = ngettext("%(count)s verdict", "%(count)s verdicts", one.left) % {"count": one.left}
    if one.precision is None:
        width = percent_text((one.then.high - one.then.low) / 2)
        sentence = gettext("%(name)s: nothing is judged yet. %(left)s would tell the precision to about ± %(width)s.")
        return sentence % {"name": name, "left": left, "width": width}
    said = {
        "name": name,
        "precision": percent_text(one.precision.value),
        "interval": _interval(one.precision),
        "judged": ngettext("%(count)s verdict", "%(count)s verdicts", one.judged) % {"count": one.judged},
        "left": left,
        "then": _interval(one.then),
    }
    if not one.left:
        return gettext("%(name)s: %(precision)s are right (%(interval)s), by %(judged)s.") % said
    return (
        gettext(
            "%(name)s: %(precision)s are right (%(interval)s), by %(judged)s. %(left)s more would narrow that to about "
            "%(then)s."
        )
        % said
    )


def _interval(share: Share) -> str:
    return gettext("%(low)s to %(high)s") % {"low": percent_text(share.low), "high": percent_text(share.high)}
