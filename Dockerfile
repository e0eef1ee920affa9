# Two stages: a static binary, and nothing but it. The build and health commands below are run by
# compat/docker_test.go, which needs no container engine.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=unknown
RUN CGO_ENABLED=0 go build -tags grpcnotrace -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /out/kstone ./cmd/kstone
RUN mkdir -p /out/data

FROM scratch
COPY --from=build /out/kstone /usr/local/bin/kstone
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
ENV KSTONE_HOST=0.0.0.0 KSTONE_NO_AUTH=true KSTONE_DB=/data/kstone.keystone
VOLUME /data
EXPOSE 8000 50051
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=5s --start-period=2s --retries=3 CMD ["/usr/local/bin/kstone", "health", "http://127.0.0.1:8000"]
ENTRYPOINT ["/usr/local/bin/kstone"]
CMD ["serve"]
