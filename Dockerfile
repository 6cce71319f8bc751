# The binary, built and run on Debian.
FROM rust:1.95-slim-bookworm AS build
RUN apt-get update && apt-get install -y --no-install-recommends \
    g++ libssl-dev make perl pkg-config zlib1g-dev && rm -rf /var/lib/apt/lists/*
WORKDIR /drawdown
COPY . .
RUN cargo build --release --locked -p drawdown && cp target/release/drawdown /usr/local/bin/

FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends \
    ca-certificates curl fonts-noto-cjk fonts-noto-core libssl3 zlib1g && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 10001 drawdown && install -d -o drawdown /var/lib/drawdown
COPY --from=build /usr/local/bin/drawdown /usr/local/bin/drawdown
USER drawdown
WORKDIR /var/lib/drawdown
VOLUME /var/lib/drawdown
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s \
    CMD curl --fail --silent http://127.0.0.1:8080/healthz || exit 1
ENTRYPOINT ["drawdown"]
CMD ["--help"]
