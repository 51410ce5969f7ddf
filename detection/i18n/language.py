"""The language of the pages: that of the switch in their footer, else the one that the browser prefers.

Programs are answered in English, whatever they prefer: they compare sentences, and log them.
"""

from typing import Any

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponseBase
from django.middleware.locale import LocaleMiddleware
from django.utils import translation
from django.utils.decorators import method_decorator
from django.utils.translation import gettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import conditional_page
from django.views.i18n import JavaScriptCatalog, set_language

from detection.conf.current import config
from detection.i18n.class_titles import CLASS_CONTEXT, CLASS_TITLES
from detection.i18n.error_messages import SENTENCES

# How gettext writes a message that has a context; `js/common/i18n.js` looks for the second one.
_CONTEXT_END = "\x04"
_SENTENCE_CONTEXT = "sentence"

# The switch, which the page of the login has too.
switch_language = login_not_required(set_language)


def is_for_programs(request: HttpRequest) -> bool:
    """Whether an address is one of the API."""
    return request.path.startswith(("/api/", "/v2/")) or request.path in {"/v2", config().rest_entry_point}


class LanguageMiddleware(LocaleMiddleware):
    """Django's own, for pages."""

    def process_request(self, request: HttpRequest) -> None:
        """Choose the language in which the request is answered."""
        if is_for_programs(request):
            translation.activate(settings.LANGUAGE_CODE)
            request.LANGUAGE_CODE = settings.LANGUAGE_CODE
        else:
            super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        """Say which language it is, where there was a choice."""
        return response if is_for_programs(request) else super().process_response(request, response)


# Asked for anew with each page, and sent anew only when it has changed: the address is the same for all languages.
@method_decorator([login_not_required, cache_control(no_cache=True), conditional_page], name="dispatch")
class ScriptTexts(JavaScriptCatalog):
    """The texts of the scripts in the language of the request, and what servers say and scripts show."""

    packages = ["detection"]

    def get_catalog(self) -> dict[str, Any]:
        """With names of classes and sentences of errors, which scripts get from the API in English."""
        titles = {f"{CLASS_CONTEXT}{_CONTEXT_END}{name}": str(title) for name, title in CLASS_TITLES.items()}
        sentences = {f"{_SENTENCE_CONTEXT}{_CONTEXT_END}{sentence}": gettext(sentence) for sentence in SENTENCES}
        catalog: dict[str, Any] = super().get_catalog()
        return catalog | titles | sentences
