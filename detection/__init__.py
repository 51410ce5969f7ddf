"""Object detection in production: the Django app. `__version__` is the version of the whole project."""

__version__ = "1.0.0"
