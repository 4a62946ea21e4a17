# The image of the server: one static binary and nothing else, no shell either.
#
#   docker build -t registry.example.com/mollyguard:v0.1.0 .
#   podman build -t registry.example.com/mollyguard:v0.1.0 .
#
# The cache mounts need BuildKit (Docker's default) or Buildah; that the caches may
# be empty costs nothing but time. Both images can be replaced, by a mirror of yours
# or by a digest.
ARG BUILDER=docker.io/library/golang:1.26
ARG RUNTIME=gcr.io/distroless/static:nonroot

# Compiled on the builder's own platform for whichever is asked for.
FROM --platform=$BUILDPLATFORM ${BUILDER} AS build
ARG TARGETOS
ARG TARGETARCH
# The version that the binary tells comes from .git, which is why that is part of
# the context. Where it is not a whole repository, as in a linked worktree:
# --build-arg GOFLAGS=-buildvcs=false
ARG GOFLAGS
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/go/pkg/mod \
    --mount=type=cache,target=/root/.cache/go-build \
    CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH \
    go build -trimpath -ldflags '-s -w' -o /out/mollyguard ./cmd/mollyguard

FROM ${RUNTIME}
COPY --from=build /out/mollyguard /mollyguard
# By number: runAsNonRoot cannot tell from a name.
USER 65532:65532
EXPOSE 8443 8080 9443
ENTRYPOINT ["/mollyguard"]
