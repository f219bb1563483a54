# Both programs in a small image that runs as nobody in particular. By itself it is a replica of the reference server over a
# store in memory; compose/docker-compose.yml runs two over Redis. `docker run --entrypoint saasbench … run …` is the other.

FROM rust:1.90.0-bookworm AS build
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --profile dist --locked -p saasbench -p tenancy --bins \
    && mkdir /out \
    && cp target/dist/saasbench target/dist/tenancy-server /out/

FROM debian:12.9-slim
# Authorities for https:// targets.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /out/ /usr/local/bin/
COPY scenarios/ /saasbench/scenarios/
COPY saasbench.toml /saasbench/
RUN useradd --system --uid 10001 --no-create-home saasbench && mkdir /saasbench/runs && chown saasbench /saasbench/runs
WORKDIR /saasbench
USER 10001
ENV TENANCY_LISTEN=0.0.0.0:8005
EXPOSE 8005
# It asks itself where it listens: the image needs no HTTP client.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 CMD ["tenancy-server", "--healthcheck"]
ENTRYPOINT ["tenancy-server"]
