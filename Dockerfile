# On CPUs:        docker build -t detector .
#                 docker run -p 8080:8080 -v detector-data:/data detector
# On NVIDIA GPUs: docker build -t detector-gpu --build-arg VARIANT=gpu .
#                 docker run --gpus all -e MODEL_CONTEXT_GPU=true -p 8080:8080 -v detector-data:/data detector-gpu
# Reached by another name than localhost, it wants -e ALLOWED_HOSTS=that.name too.
#
# The base is named by its tag: a digest would keep the security fixes of Debian and Python out until somebody renews it, and
# nothing here does that. For builds that can be repeated to the byte: --build-arg BASE=python:3.12-slim@sha256:...
ARG BASE=python:3.12-slim
FROM ${BASE}

ARG VARIANT=cpu

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /app

COPY requirements.txt requirements-gpu.txt requirements-remote.txt requirements-tracing.txt requirements-sources.txt ./
RUN case "$VARIANT" in \
      cpu) pip install --require-hashes -r requirements.txt ;; \
      gpu) pip install --require-hashes -r requirements-gpu.txt ;; \
      *) echo "VARIANT is '$VARIANT': build with VARIANT=cpu or VARIANT=gpu." >&2; exit 1 ;; \
    esac
# Model servers elsewhere, and traces: a few megabytes that every image may have.
RUN pip install --require-hashes -r requirements-remote.txt -r requirements-tracing.txt -r requirements-sources.txt

COPY manage.py LICENSE THIRD_PARTY_LICENSES.txt ./
COPY detector_site detector_site
COPY detection detection
COPY templates templates
COPY static static
COPY models models

# SECRET_KEY is set for this one command, or a key would be made here and be the same in every container.
RUN SECRET_KEY=of-the-build python manage.py collectstatic --noinput --ignore redoc

# What must outlive the container is in /data: photos, database, key, fetched and converted models. The user is named by
# number, for container engines that refuse to start root cannot look up names.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /data --shell /usr/sbin/nologin detector \
    && install --directory --owner=detector --group=detector --mode=750 /data
USER 10001
VOLUME /data

ENV DATA_DIR=/data \
    REST_HOST=0.0.0.0 \
    REST_PORT=8080 \
    ALLOWED_HOSTS=localhost,127.0.0.1 \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
EXPOSE 8080

# Last, for they change with every build: docker build --build-arg VERSION=1.0.0 --build-arg REVISION=$(git rev-parse HEAD)
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Detector site" \
      org.opencontainers.image.description="A trained object detector in production: a photo in, its objects out, seen and kept." \
      org.opencontainers.image.licenses="Apache-2.0 AND MIT" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-m", "detection.serving.probe"]

CMD ["python", "manage.py", "serve"]
