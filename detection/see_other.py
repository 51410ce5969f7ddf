"""The answer to a form that was sent."""

from django.http import HttpResponseRedirect


class HttpResponseSeeOther(HttpResponseRedirect):
    """After a POST: look at the result with GET (RFC 9110, section 15.4.4)."""

    status_code = 303
