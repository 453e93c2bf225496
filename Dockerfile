# Skein in a container: hub and devices are the same image, compose.yaml says which is which.
FROM node:24-slim AS build
# For better-sqlite3, where nobody has compiled it for this machine; Node's headers are in the image.
RUN apt-get update && apt-get install -y --no-install-recommends g++ make python3 && rm -rf /var/lib/apt/lists/*
ENV npm_config_nodedir=/usr/local CXXFLAGS="-include /opt/skein/scripts/object-wrap.h"
WORKDIR /opt/skein
COPY .npmrc package.json package-lock.json ./
COPY scripts scripts
RUN npm ci
COPY . .
# Sources of the addon and maps are of no use to those who only run it.
RUN npm run build \
  && npm prune --omit=dev \
  && cd node_modules/better-sqlite3 \
  && find build -type f ! -name better_sqlite3.node -delete \
  && rm -rf deps src /opt/skein/dist/*.map

FROM node:24-slim
LABEL org.opencontainers.image.title="Skein" \
  org.opencontainers.image.description="Runs scripts, services, scheduled jobs and AI agents on a fleet of small Linux machines" \
  org.opencontainers.image.licenses="Apache-2.0"
# Volumes that are mounted here for the first time take over owner and mode.
RUN ln -s /opt/skein/bin/skein /usr/local/bin/skein \
  && install -d -o node -g node -m 700 /var/lib/skein /var/lib/skein-join
COPY --from=build /opt/skein/LICENSE /opt/skein/package.json /opt/skein/
COPY --from=build /opt/skein/node_modules /opt/skein/node_modules
COPY --from=build /opt/skein/bin /opt/skein/bin
COPY --from=build /opt/skein/dist /opt/skein/dist
ENV NODE_ENV=production SKEIN_DATA=/var/lib/skein
USER node
WORKDIR /home/node
VOLUME /var/lib/skein
# MQTT, MQTT over WebSocket, HTTP, MQTT over TLS
EXPOSE 1883 8083 8080 8883 8443
ENTRYPOINT ["skein"]
CMD ["up"]
