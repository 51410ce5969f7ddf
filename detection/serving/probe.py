"""Health check of the Docker image, `python -m detection.serving.probe`: exit code 0 where the server is ready, else 1.

It imports no Django, because it runs every few seconds beside the server.
"""

import http.client
import sys

from detection.conf import Config, load_config

TIMEOUT_S = 4.0
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what the server may listen on, not what we do


def problem(config: Config, timeout_s: float = TIMEOUT_S) -> str:
    """Return why the server is not ready, as a sentence; empty where it is ready."""
    host = config.rest_host.strip("[]")
    address = ANY_ADDRESS.get(host, host)
    connection = http.client.HTTPConnection(address, config.rest_port, timeout=timeout_s)
    try:
        connection.request("GET", "/readyz", headers={"Host": _allowed_host(config)})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException) as error:
        return f"Nothing answers on {address}:{config.rest_port} ({error}). Is the server running?"
    finally:
        connection.close()
    if response.status != http.client.OK:
        return f"The server answers /readyz with {response.status} {response.reason}: its log says why."
    return ""


def _allowed_host(config: Config) -> str:
    """Return a Host header that ALLOWED_HOSTS allows: `*` allows any, `.example.org` also example.org itself."""
    return next(iter(config.hosts.names), "localhost").lstrip("*.") or "localhost"


if __name__ == "__main__":
    sys.exit(problem(load_config()) or 0)
