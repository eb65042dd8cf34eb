# glibc, not Alpine: uWebSockets.js has no build for musl. Node 22, which runs the sources as they are.
FROM node:22.23.2-bookworm-slim AS packages
WORKDIR /app
COPY package.json package-lock.json ./
# uWebSockets.js comes with its binaries for every platform and Node, 130 MB of them; one is used. No package needs its
# install script: their binaries come as packages too, and the watchlist is built below.
RUN npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && find node_modules/uWebSockets.js/dist/bin -type f \
    ! -name "uws_$(node -p '[process.platform, process.arch, process.versions.modules].join("_")').node" -delete

FROM node:22.23.2-bookworm-slim AS watchlist
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY scripts ./scripts
COPY src ./src
RUN node scripts/build.ts web

FROM node:22.23.2-bookworm-slim
ENV NODE_ENV=production
# In a container, 127.0.0.1 is reached by nobody. The admin port stays there, where the health check asks; TICKGATE_ADMIN_HOST=0.0.0.0
# opens it to balancers and Prometheus, with a token (TICKGATE_ADMIN_TOKEN).
ENV TICKGATE_HOST=0.0.0.0
ENV TICKGATE_PORT=8080
ENV TICKGATE_ADMIN_PORT=9090
WORKDIR /app
COPY --from=packages /app/node_modules ./node_modules
COPY package.json ./
COPY --from=watchlist /app/dist ./dist
COPY bin ./bin
COPY src ./src
USER node
EXPOSE 8080 9090
# Whether it lives; whether it is ready is the balancer's question (/readyz). The certificate is one for other names.
HEALTHCHECK --interval=5s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "process.env.NODE_TLS_REJECT_UNAUTHORIZED = 0; fetch(`${process.env.TICKGATE_TLS_CERT ? 'https' : 'http'}://127.0.0.1:${process.env.TICKGATE_ADMIN_PORT}/healthz`).then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
# Unready, then goodbye to every client, then the end.
STOPSIGNAL SIGTERM
ENTRYPOINT ["node", "bin/tickgate.js"]
CMD ["all"]
