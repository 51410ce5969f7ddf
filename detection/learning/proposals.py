"""Proposals of operating points for the models of this installation."""

from collections.abc import Mapping

from detection.conf import current
from detection.inference.model_files import ModelSource, card_threshold, name_and_version
from detection.learning import points, sampling
from detection.learning.estimate import Evidence
from detection.learning.evidence import from_verdicts
from detection.learning.goals import Goal
from detection.models import OperatingPoint
from detection.program import PROGRAM
from detection.registry.catalogue import default_source, find_model

VERDICTS, SAMPLE = "verdicts", "sample"


def source_of(reference: str = "") -> ModelSource:
    """Return a model by NAME or NAME@VERSION, the default one for "". Raises CheckpointError."""
    return find_model(reference) if reference else default_source()


def propose_from_verdicts(
    name: str, goal: Goal, reference: str = "", least: int = points.LEAST_VERDICTS, evidence_of: str = ""
) -> OperatingPoint:
    """Propose a point from people's verdicts. evidence_of: SAMPLE for those on the model's newest measuring sample,
    VERDICTS for all; "" for the sample where some of it is judged. Raises the errors of `source_of` and
    `points.propose`.
    """
    source = source_of(reference)
    evidence, evidence_name = evidence_for(name_and_version(source), evidence_of)
    return propose(source, name, goal, evidence, evidence_name=evidence_name, least=least)


def evidence_for(model: tuple[str, str], evidence_of: str = "") -> tuple[Mapping[str, Evidence], str]:
    """Return the evidence of a model's name and version by class, and what it is called. evidence_of: as in
    `propose_from_verdicts`. Raises OperatingPointError where nothing of the sample that is asked for is judged.
    """
    sample = None if evidence_of == VERDICTS else sampling.newest_of(model)
    known = None if sample is None else sampling.evidence_of_sample(sample)
    if sample is not None and known is not None and known.judged:
        said = f"{sample}: {known.judged} of {known.drawn} objects judged, of {sample.photos} photos"
        return known.evidence, said
    if evidence_of == SAMPLE:
        raise points.OperatingPointError(
            f"No object of a measuring sample of {'@'.join(model).rstrip('@')} is judged. Draw one with `{PROGRAM} "
            "operating_point sample`, and judge it in Review under “Measuring sample”."
        )
    return from_verdicts(*model), VERDICTS


def propose(
    source: ModelSource, name: str, goal: Goal, evidence: Mapping[str, Evidence], *, evidence_name: str, least: int
) -> OperatingPoint:
    """Propose a point from evidence. Raises CheckpointError, and the errors of `points.propose`."""
    configured = current.config().probability_more
    return points.propose(
        name_and_version(source),
        name,
        goal,
        evidence,
        source=evidence_name,
        own_threshold=card_threshold(source) if configured is None else configured,
        least=least,
    )
