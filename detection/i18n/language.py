"""Language of the pages: the choice of the switch in their footer, else the browser's preference.

Programs are answered in English, whatever their preference: they compare and log messages.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.decorators import method_decorator
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page
from django.views.i18n import JavaScriptCatalog, set_language

from detection.conf.current import config
from detection.i18n.class_titles import CLASS_CONTEXT, CLASS_TITLES
from detection.i18n.error_messages import translated_messages

# gettext's separator between context and message; `js/common/i18n.js` uses the second one.
_CONTEXT_END = "\x04"
_SENTENCE_CONTEXT = "sentence"

# The switch, which the login page has too.
switch_language = login_not_required(set_language)


# The API, the Open Inference Protocol, and other servers' protocols (`detection/protocols/`).
PROGRAMS = ("/api/", "/v1/", "/v2/", "/infer/", "/model/")
PROGRAMS_ALONE = frozenset({"/v2", "/info"})


def is_for_programs(request: HttpRequest) -> bool:
    """Return whether an address is for programs: its answers are JSON in English, its errors too."""
    path = request.path_info
    return path.startswith(PROGRAMS) or path in PROGRAMS_ALONE or path == config().rest_entry_point


class LanguageMiddleware(LocaleMiddleware):
    """Django's middleware, for pages only."""

    def process_request(self, request: HttpRequest) -> None:
        """Activate the language of the response."""
        if is_for_programs(request):
            translation.activate(settings.LANGUAGE_CODE)
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE
        else:
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Set the headers of the language, where there was a choice."""
        return response if is_for_programs(request) else super().process_response(request, response)


# Revalidated for each page, and sent again only after a change: the address is the same for all languages.
@method_decorator([login_not_required, cache_control(no_cache=True), conditional_page], name="dispatch")
class ScriptTexts(JavaScriptCatalog):
    """Catalogue of the scripts' texts in the language of the request, including server messages that scripts show."""

    packages = ["detection"]

    def get_catalog(self) -> dict[str, Any]:
        """Return the catalogue with names of classes and error messages, which scripts get from the API in English."""
        titles = {f"{CLASS_CONTEXT}{_CONTEXT_END}{name}": str(title) for name, title in CLASS_TITLES.items()}
        sentences = {
            f"{_SENTENCE_CONTEXT}{_CONTEXT_END}{english}": text for english, text in translated_messages().items()
        }
        catalog: dict[str, Any] = super().get_catalog()
        return catalog | titles | sentences
