"""Measures the time until the service is ready: the first start converts and compiles, the second reads the cache."""

import shutil
from collections.abc import Sequence
from functools import partial
from statistics import median

from bench import models, part
from bench.alternate import alternate
from bench.models import Model
from bench.part import Context
from bench.report import Claim, Report, Table, number
from bench.servers import our_server

_WANTED_S = 3.0


def measure(context: Context) -> None:
    """Measure both models, where they are on this machine; from the start of the process to a 200 of /readyz."""
    rows = []
    for name in models.NAMES:
        try:
            model = models.model(name, context.folder)
        except models.ModelMissingError as error:
            context.report.notes.append(str(error))
            continue
        starts = {"first": partial(_ready_s, context, model, fresh=True), "second": partial(_ready_s, context, model)}
        _ready_s(context, model)
        found = alternate(starts, context.options.rounds, tell=context.teller(name))
        first, second = (median(found[kind]) for kind in ("first", "second"))
        rows.append([name, number(first), number(second)])
        context.report.results[name] = {"first_s": first, "second_s": second}
        if name == models.EMBEDDED:
            context.report.claims.append(Claim("embedded model, second start", second, _WANTED_S, " s", at_most=True))
    context.report.tables.append(Table("Seconds until ready", ["", "first start", "second start"], rows))


def _ready_s(context: Context, model: Model, *, fresh: bool = False) -> float:
    folder = context.folder / model.name / ("fresh" if fresh else "kept")
    if fresh:
        shutil.rmtree(folder, ignore_errors=True)
    with our_server(folder, model.environment) as server:
        return server.ready_s


def main(arguments: Sequence[str] | None = None) -> Report:
    """Run this part with the arguments given, or those of the command line."""
    return part.run("startup", __doc__ or "", measure, rounds=3, arguments=arguments)


if __name__ == "__main__":
    main()
