# One image for every service: `relance <service> [--only http|work]`, `relance migrate`, `relance topics`.
FROM python:3.13-slim-bookworm AS packages
WORKDIR /build
COPY requirements.lock ./
RUN python -m venv /opt/relance \
    && /opt/relance/bin/pip install --no-cache-dir --no-deps --only-binary :all: --require-hashes -r requirements.lock

FROM python:3.13-slim-bookworm
ENV PATH=/opt/relance/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    RELANCE_STATE=/state
RUN groupadd --system --gid 10001 relance \
    && useradd --system --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin relance \
    && install --directory --owner=relance --group=relance /state
COPY --from=packages /opt/relance /opt/relance
WORKDIR /app
COPY libs ./libs
COPY services ./services
RUN python -m compileall -q libs services /opt/relance/lib
USER 10001
ENTRYPOINT ["python", "-m", "libs.common.cli"]
CMD ["--help"]
