"""Django settings. All choices of an operator are read in `detection/conf/`."""

import sys
import warnings
from typing import Any

import dj_database_url
import django_stubs_ext
from csp.constants import NONE, SELF
from whitenoise.compress import Compressor

from detection import __version__
from detection.conf import BASE_DIR, PACKAGES_DIR, load_config, make_data_dir, secret_key, static_root
from detection.observability.logs import logging_config

django_stubs_ext.monkeypatch()

DETECTOR = load_config()

make_data_dir(DETECTOR)
SECRET_KEY = secret_key(DETECTOR)
DEBUG = DETECTOR.debug
ALLOWED_HOSTS = list(DETECTOR.hosts.names)
CSRF_TRUSTED_ORIGINS = list(DETECTOR.hosts.origins)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "channels",
    "csp",
    "rest_framework",
    "rest_framework.authtoken",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "detection",
]

MIDDLEWARE = [
    "detection.web.headers.OwnPagesMiddleware",
    "detection.web.middleware.Utf8Middleware",
    "detection.observability.middleware.RouteMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "detection.serving.health.ProbeMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "detection.i18n.language.LanguageMiddleware",
    "detection.web.error_pages.RefusedMiddleware",
    "detection.web.addresses.ApiAddressMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "detection.web.middleware.StorableTextMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "detection.accounts.access.LoginMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "detector_site.urls"
ASGI_APPLICATION = "detector_site.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["django.templatetags.i18n"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

# WAL allows reading while a detection is written; IMMEDIATE takes the write lock at the start of a transaction, so
# that a busy database delays it (`timeout`) instead of failing in the middle.
_SQLITE: dict[str, Any] = {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": DETECTOR.database_file,
    "OPTIONS": {
        "init_command": f"PRAGMA journal_mode=WAL; PRAGMA synchronous={'FULL' if DETECTOR.durable else 'NORMAL'};",
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
    },
}
_GIVEN: dict[str, Any] = dict(dj_database_url.parse(DETECTOR.database_url)) if DETECTOR.database_url else _SQLITE
DATABASES = {"default": {**_SQLITE, **_GIVEN} if _GIVEN["ENGINE"] == _SQLITE["ENGINE"] else _GIVEN}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# A Redis that hangs counts as unavailable. Its client polls for messages for five seconds at a time.
REDIS_TIMEOUT_S = 8.0
CHANNEL_LAYERS: dict[str, Any] = {
    "default": (
        {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [{"address": DETECTOR.redis_url, "socket_timeout": REDIS_TIMEOUT_S}]},
        }
        if DETECTOR.redis_url
        else {"BACKEND": "channels.layers.InMemoryChannelLayer"}
    )
}

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ru", "Russian")]
LOCALE_PATHS = [PACKAGES_DIR / "detection" / "locale"]
LANGUAGE_COOKIE_AGE = 365 * 24 * 3600
LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
TIME_ZONE = "UTC"
USE_TZ = True

# Django's own way to read it, at the first access, knows no request's path yet.
STATIC_URL = f"{DETECTOR.site_path}/static/"
STATIC_ROOT = static_root(DETECTOR.data_dir)
STATICFILES_DIRS = [BASE_DIR / "static"]
# `collectstatic` (run in the Docker image) gives the files hashed names, which are cached for ever; from a bare clone
# they are served unchanged.
_COLLECTED = "collectstatic" in sys.argv or (STATIC_ROOT / "staticfiles.json").is_file()
WHITENOISE_USE_FINDERS = not _COLLECTED
# Source maps are two thirds of all bytes, and only a debugger asks for them.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = (*Compressor.SKIP_COMPRESS_EXTENSIONS, "map")
warnings.filterwarnings("ignore", message="No directory at", category=UserWarning)
# WhiteNoise serves files with a synchronous iterator. Django reads them in a thread, which is right for these small
# ones, but warns about each of them.
warnings.filterwarnings("ignore", message="StreamingHttpResponse must consume synchronous iterators", category=Warning)
STORAGES = {
    "default": (
        {
            "BACKEND": "detection.photos.filesystem.PhotoFileStorage",
            "OPTIONS": {"location": DETECTOR.photo_dir, "file_permissions_mode": 0o640},
        }
        if DETECTOR.photo_store is None
        else {"BACKEND": "detection.photos.s3.PhotoObjectStorage", "OPTIONS": {"store": DETECTOR.photo_store}}
    ),
    "staticfiles": {
        "BACKEND": (
            "whitenoise.storage.CompressedManifestStaticFilesStorage"
            if _COLLECTED
            else "django.contrib.staticfiles.storage.StaticFilesStorage"
        )
    },
}

# `detection/asgi/body_limits.py` has already refused larger bodies; photos in base64 are larger than their bytes.
DATA_UPLOAD_MAX_MEMORY_SIZE = DETECTOR.max_body_bytes * 2
# Accepted bodies stay in memory: no upload is written to disk before it is known to be a photo.
FILE_UPLOAD_MAX_MEMORY_SIZE = DETECTOR.max_body_bytes
DATA_UPLOAD_MAX_NUMBER_FILES = 10
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["detection.accounts.authentication.CallerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["detection.accounts.authentication.CallerPermission"],
    "DEFAULT_THROTTLE_CLASSES": ["detection.accounts.authentication.CallerThrottle"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["detection.web.json_body.JsonBodyParser"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "detection.web.negotiation.LenientNegotiation",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "detection.web.api_errors.api_exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Object detector",
    "DESCRIPTION": "A photo in, its objects out: class, probability and box of each.",
    "VERSION": __version__,
    "TAGS": [
        {"name": "Detection", "description": "A photo in, its objects out."},
        {"name": "History", "description": "Photos and detections that were kept."},
        {"name": "Review", "description": "What people say of a detection's objects."},
        {"name": "Export", "description": "Training data and tables."},
        {"name": "Batches", "description": "Many photos that are sent one by one and listed together."},
        {"name": "Models", "description": "What can answer."},
        {"name": "Statistics", "description": "The numbers of the dashboard."},
        {"name": "Open Inference Protocol", "description": "For clients of Triton, KServe and OpenVINO Model Server."},
        {"name": "Health", "description": "For balancers and containers."},
    ],
    # Without these, enums are named after whichever field has them alone.
    "ENUM_NAME_OVERRIDES": {
        "DetectionSource": "detection.models.Detection.Source",
        "PhotoFormat": "detection.models.Photo.Format",
        "BatchItemState": "detection.models.BatchItem.State",
        "VerdictKind": "detection.review.serializers.SENT_KINDS",
        "TilesChoice": "detection.inference.tiles.grid.CHOICES",
        "StatisticsUnit": "detection.statistics.periods.Bucket",
    },
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["detection.accounts.authentication.CallerPermission"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "detection.serving.schema.describe_probes",
        "detection.accounts.schema.describe_access",
        "detection.registry.schema.name_models",
        "detection.oip.schema.name_operations",
        "detection.web.api_docs.examples.add_examples",
    ],
    # No badge of a foreign validation service.
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "validatorUrl": None},
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        # A video file of the visitor is played from the browser's memory. It is not sent; frames of it are.
        "media-src": ["blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Below a path of a host that has other things too: addresses and cookies are of this path alone.
if DETECTOR.site_path:
    FORCE_SCRIPT_NAME = DETECTOR.site_path
    SESSION_COOKIE_PATH = CSRF_COOKIE_PATH = LANGUAGE_COOKIE_PATH = f"{DETECTOR.site_path}/"
    SPECTACULAR_SETTINGS["SERVERS"] = [{"url": DETECTOR.site_path}]

# Behind a proxy that ends TLS and reports it in X-Forwarded-Proto.
if DETECTOR.https.is_on:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_SSL_REDIRECT = True
    # Requested by container health checks, past the proxy.
    SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    LANGUAGE_COOKIE_SECURE = True
SECURE_HSTS_SECONDS = DETECTOR.https.hsts_seconds
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = DETECTOR.https.hsts_seconds > 0

# Seconds for each answer of the mail server: some make everybody wait for the first one.
EMAIL_TIMEOUT = 30
if DETECTOR.smtp is not None:
    EMAIL_HOST, EMAIL_PORT = DETECTOR.smtp.host, DETECTOR.smtp.port
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = DETECTOR.smtp.user, DETECTOR.smtp.password
    EMAIL_USE_TLS, EMAIL_USE_SSL = DETECTOR.smtp.has_starttls, DETECTOR.smtp.has_tls
    DEFAULT_FROM_EMAIL = DETECTOR.smtp.sender

LOGGING = logging_config(DETECTOR)
