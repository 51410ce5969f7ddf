"""Settings of versions before, and what takes the place of each.

A server that is updated with one of them still set does not start: a setting that nobody reads any more would change
what the server does without a word. An entry may go two versions after its setting.
"""

from collections.abc import Iterator, Mapping

from detection.conf.reading import Problem

FORMER = "detection.E005"
# What to do, with the value that is set in the place of {}.
FORMER_SETTINGS = {
    "REMOTE_MODEL": "Add model={} to the query of REMOTE_URL: http://HOST:PORT?model={}.",
    "REMOTE_TIMEOUT": "Add timeout={} to the query of REMOTE_URL: http://HOST:PORT?timeout={}.",
    "REMOTE_CONNECTIONS": "Add connections={} to the query of REMOTE_URL: http://HOST:PORT?connections={}.",
    "REMOTE_BATCH": "Add batch={} to the query of REMOTE_URL: http://HOST:PORT?batch={}.",
    "RETENTION_DAYS": "Add days:{} to RETENTION: RETENTION=days:{}.",
    "RETENTION_COUNT": "Add count:{} to RETENTION: RETENTION=count:{}.",
    "MIN_FREE_BYTES": "Add free:{} to RETENTION: RETENTION=free:{}.",
    "THROTTLE_USER": "Add user:{} to THROTTLE: THROTTLE=user:{}.",
    "THROTTLE_ANON": "Add address:{} to THROTTLE: THROTTLE=address:{}.",
    "SHADOW_SHARE": "Add :{} to SHADOW_MODEL: SHADOW_MODEL=NAME:{}.",
    "CSRF_TRUSTED_ORIGINS": "Add {} to ALLOWED_HOSTS, in place of the name: ALLOWED_HOSTS={}.",
    "HSTS_SECONDS": "Set HTTPS=hsts:{} in place of HTTPS=true.",
    "LOG_FORMAT": "Add {} to LOGGING: LOGGING={}.",
    "LOG_LEVEL": "Add {} to LOGGING: LOGGING={}.",
}


def former_settings(environ: Mapping[str, str]) -> Iterator[Problem]:
    """Return a problem for each former setting that still has a value."""
    for name, value in environ.items():
        if value and name in FORMER_SETTINGS:
            instead = FORMER_SETTINGS[name].replace("{}", value)
            yield Problem(FORMER, f"{name} is set, but is no setting any more.", f"{instead} Then unset {name}.")
