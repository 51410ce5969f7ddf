# On CPUs:        docker build -t detector .
#                 docker run -p 8080:8080 -v detector-data:/data detector
# On NVIDIA GPUs: docker build -t detector-gpu --build-arg VARIANT=gpu .
#                 docker run --gpus all -e MODEL_CONTEXT_GPU=true -p 8080:8080 -v detector-data:/data detector-gpu
# Reached by another name than localhost, it wants -e ALLOWED_HOSTS=that.name too.
FROM python:3.12-slim

ARG VARIANT=cpu

ENV PYTHONUNBUFFERED=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_ROOT_USER_ACTION=ignore

WORKDIR /app

COPY requirements.txt requirements-gpu.txt requirements-remote.txt requirements-tracing.txt ./
RUN case "$VARIANT" in \
      cpu) pip install -r requirements.txt ;; \
      gpu) pip install -r requirements-gpu.txt ;; \
      *) echo "VARIANT is '$VARIANT': build with VARIANT=cpu or VARIANT=gpu." >&2; exit 1 ;; \
    esac
# Model servers elsewhere, and traces: a few megabytes that every image may have.
RUN pip install -r requirements-remote.txt -r requirements-tracing.txt

COPY manage.py ./
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

HEALTHCHECK --interval=30s --timeout=5s --start-period=90s --retries=3 \
    CMD ["python", "-m", "detection.serving.probe"]

CMD ["python", "manage.py", "serve"]
