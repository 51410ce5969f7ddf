"""ASGI application: HTTP, WebSocket and lifespan, for any ASGI server; `manage.py serve` is the tested one."""

import os
from typing import cast

import django
from asgiref.typing import ASGI3Application
from channels.routing import ProtocolTypeRouter
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "detector_site.settings")
# Before the modules below: they import tables and settings.
django.setup(set_prefix=False)

from detection.accounts.access import caller_of_request  # noqa: E402
from detection.asgi.api_keys import ApiKeys  # noqa: E402
from detection.asgi.body_limits import BodyLimit, KnownLength  # noqa: E402
from detection.asgi.cors import Cors  # noqa: E402
from detection.asgi.django_threads import ThreadedHandler  # noqa: E402
from detection.asgi.memory_budget import MemoryBudget  # noqa: E402
from detection.asgi.site_path import SitePath, with_site_path  # noqa: E402
from detection.asgi.strangers import Strangers  # noqa: E402
from detection.asgi.turns import CallersTurns  # noqa: E402
from detection.asgi.websocket_origin import OriginCheck  # noqa: E402
from detection.batches.consumers import BATCH_SOCKETS, BatchConsumer  # noqa: E402
from detection.i18n.language import PROGRAMS, PROGRAMS_ALONE  # noqa: E402
from detection.inference.hardware import usable_cores  # noqa: E402
from detection.observability.middleware import RequestMetricsMiddleware  # noqa: E402
from detection.predict.consumers import PredictConsumer  # noqa: E402
from detection.predict.fast_path import FastPath  # noqa: E402
from detection.predict.live import LiveConsumer  # noqa: E402
from detection.protocols import BASE64_PREFIXES, PREFIXES  # noqa: E402
from detection.protocols.errors import shaped  # noqa: E402
from detector_site.lifespan import Lifespan  # noqa: E402

# Of one caller in Django at the same time, while others come.
_LEAST_TURNS = 4


def _build(budget: MemoryBudget) -> ASGI3Application:
    config = settings.DETECTOR
    turns = max(_LEAST_TURNS, 2 * usable_cores())
    pages = with_site_path(cast("ASGI3Application", ThreadedHandler(most_idle=turns)), config.site_path)
    entries = {f"{path}{end}" for path in (config.rest_entry_point.rstrip("/"), "/api/predict") for end in ("", "/")}
    shared = CallersTurns(pages, turns, config.request_timeout_s, shaped)
    known = Strangers(shared, "/api/", lambda: config.needs_login, shaped)
    http = FastPath(KnownLength(known), entries - {"/"}, settings.ALLOWED_HOSTS)
    consumers = {
        "/ws/predict": PredictConsumer.as_asgi(),
        "/ws/live": LiveConsumer.as_asgi(),
        BATCH_SOCKETS: BatchConsumer.as_asgi(),
    }
    trusted = settings.CSRF_TRUSTED_ORIGINS
    sockets = OriginCheck(consumers, settings.ALLOWED_HOSTS, trusted)
    router = ProtocolTypeRouter({"http": http, "websocket": sockets, "lifespan": Lifespan()})
    identify = caller_of_request if config.needs_login else None
    limited = BodyLimit(
        router,
        config.max_body_bytes,
        config.upload_timeout_s,
        budget,
        trusted_origins=trusted,
        identify=identify,
        base64_prefixes=BASE64_PREFIXES,
        shape=shaped,
    )
    measured = RequestMetricsMiddleware(limited)
    keyed = ApiKeys(measured, PREFIXES, config.upload_timeout_s, lambda: config.needs_login)
    outer: ASGI3Application = keyed
    if config.cors_origins:
        outer = Cors(keyed, config.cors_origins, (*PROGRAMS, *PROGRAMS_ALONE, config.rest_entry_point))
    return SitePath(outer, config.site_path) if config.site_path else outer


# One for the process: messages of WebSockets count in it too (`manage.py serve`).
memory_budget = MemoryBudget(settings.DETECTOR.body_budget_bytes)
application = _build(memory_budget)
