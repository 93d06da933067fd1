# syntax=docker/dockerfile:1
# hack/image writes what is in the image; it builds the images of a release, too. The platform of the build is this machine's; Go compiles for
# the image's.
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY . .
ARG TARGETOS TARGETARCH VERSION COMMIT
RUN --mount=type=cache,target=/go/pkg/mod --mount=type=cache,target=/root/.cache/go-build \
    go -C hack/image build -o ../../bin/image . && \
    bin/image -files bin/files -platforms "$TARGETOS/$TARGETARCH" -version "$VERSION" -commit "$COMMIT"

FROM scratch
ARG VERSION COMMIT
COPY --from=build /src/bin/files /
ENV PATH=/ko-app SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
LABEL org.opencontainers.image.title=bellhop org.opencontainers.image.source=https://github.com/gophernetes/bellhop org.opencontainers.image.licenses=Apache-2.0 org.opencontainers.image.version=$VERSION org.opencontainers.image.revision=$COMMIT
USER 65532:65532
ENTRYPOINT ["/ko-app/bellhop"]
