# The images of Sluice. The operator and the proxies are one image; the backends of the examples are another:
#   docker build --tag sluice:0.1.0 .
#   docker build --tag sluice-examples:0.1.0 --target examples .
# What is copied is held against test/cluster/image-contents.ts by a test.

FROM node:26.10.0-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts

FROM packages AS all-packages
RUN npm ci --ignore-scripts

FROM node:26.10.0-slim AS base
ENV NODE_ENV=production
WORKDIR /app
COPY --from=packages /app/node_modules node_modules
# No name is needed for it, and nothing is written: the root file system may be read-only.
USER 65532:65532

FROM base AS examples
COPY --from=all-packages /app/node_modules/ws node_modules/ws
COPY package.json LICENSE ./
COPY examples examples
ENTRYPOINT ["node"]

FROM base AS sluice
COPY package.json LICENSE ./
COPY bin bin
COPY cli cli
COPY crds crds
COPY kubernetes kubernetes
COPY operator operator
COPY proxy proxy
ENTRYPOINT ["node", "/app/bin/sluice.mjs"]
