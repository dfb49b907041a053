# Three stages: one with npm builds; in the next, the Node of the image keeps what it compiled, so that a start takes a
# third less CPU; the last has nothing but Node and the gateway.

# What is built is the same with any Node, on any machine; unlike 26, Node 24 needs no library (libatomic1) beyond those
# of every Debian image.
FROM --platform=$BUILDPLATFORM node:24-trixie-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY scripts ./scripts
COPY src ./src
COPY emulator ./emulator
RUN npm run build && rm -rf dist/bundle/*.map dist/bundle/.compiled

FROM gcr.io/distroless/nodejs26-debian13:nonroot AS compiled
USER 0
COPY --from=build /build/scripts/compile.mjs /build/
COPY --from=build /build/dist/bundle /app/
RUN ["/nodejs/bin/node", "/build/compile.mjs", "/app"]

# The newest line of Node with long-term support. No shell, no package manager; `nonroot` is the user 65532.
FROM gcr.io/distroless/nodejs26-debian13:nonroot
LABEL org.opencontainers.image.title="dynamics-gateway" \
      org.opencontainers.image.description="Calls the Microsoft Dynamics 365 Web API for your apps" \
      org.opencontainers.image.licenses="MIT"
# Few arenas, trimmed early: memory that a burst took goes back to the machine.
ENV NODE_ENV=production MALLOC_ARENA_MAX=2 MALLOC_TRIM_THRESHOLD_=131072
WORKDIR /app
COPY --from=compiled /app ./
USER 65532:65532

# HOST stays at loopback: that is right beside an app that shares the network of this container. To be reached through
# a published port or a Service, set HOST=0.0.0.0 together with TRUST_NETWORK=true, or with callers in a settings file.
EXPOSE 8080
# Asks /-/readyz over a bare socket, which costs little more than to start Node (0.03 s of CPU). Docker only shows what it
# finds, so every 30 s is enough; in the start period it asks every 5 s.
HEALTHCHECK --interval=30s --timeout=3s --start-period=15s CMD ["/nodejs/bin/node", "/app/gateway.js", "healthcheck"]

# Node itself is process 1, so SIGTERM reaches it.
ENTRYPOINT ["/nodejs/bin/node", "/app/gateway.js"]
CMD ["serve"]
