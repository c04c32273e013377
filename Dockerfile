# Image of one program: Node and what the program imports. lib/images.ts has the arguments of each program;
# `cdk deploy` passes them. By hand, from the project's folder:
#   docker build --platform linux/arm64 --build-arg PROGRAM=live --build-arg FOLDERS="adapters config domain live" \
#     --build-arg PACKAGES="kafkajs pino …" .
ARG NODE_IMAGE=public.ecr.aws/docker/library/node:24.21.0-bookworm-slim

FROM ${NODE_IMAGE} AS packages
# Dependencies of package.json that the program imports, separated by spaces.
ARG PACKAGES
# The image's processor, arm64 or amd64: the builder sets it.
ARG TARGETARCH
WORKDIR /app
COPY package.json package-lock.json ./
COPY lib/docker/keep-dependencies.mjs ./
# Packages with native code come with binaries for every platform; the image keeps those of its own, with glibc.
RUN node keep-dependencies.mjs ${PACKAGES} \
  && cpu="$(echo "$TARGETARCH" | sed s/amd64/x64/)" \
  && npm install --omit=dev --ignore-scripts --no-audit --no-fund --os=linux --cpu="$cpu" --libc=glibc \
  && rm keep-dependencies.mjs \
  && for folder in node_modules/aws-crt/dist/bin/* node_modules/onnxruntime-node/bin/*/*/*; do \
    case "$folder" in \
      */linux-"$cpu"-glibc | */linux/"$cpu") ;; \
      *) rm -rf "$folder" ;; \
    esac; \
  done

FROM ${NODE_IMAGE} AS sources
# Folders of the project that the program imports, separated by spaces.
ARG FOLDERS
# The authorities of DocumentDB, which are in no public store: an operator's commands reach it.
ARG DOCUMENTS_CA=https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem
WORKDIR /context
COPY . .
RUN mkdir /sources && cp -r --parents ${FOLDERS} /sources
ADD --chmod=0444 ${DOCUMENTS_CA} /sources/documents-ca.pem

FROM ${NODE_IMAGE}
# Folder of the program, which has main.ts.
ARG PROGRAM
# Arguments of Node.js, separated by spaces (config/node.ts).
ARG NODE_ARGUMENTS
ENV NODE_ENV=production PROGRAM=${PROGRAM} NODE_ARGUMENTS=${NODE_ARGUMENTS}
WORKDIR /app
COPY --from=packages /app/package.json ./
COPY --from=packages /app/node_modules node_modules
COPY --from=sources /sources ./
# The slim image has no store of certificate authorities. Node has its own; MQTT's client reads the system's.
RUN install -d /etc/ssl/certs \
  && node -p 'require("tls").rootCertificates.join("\n")' > /etc/ssl/certs/ca-certificates.crt
# The root file system is read-only on AWS; a program may write to /tmp alone.
RUN install -d -o node -g node -m 0700 /tmp/millrace
VOLUME /tmp
USER 1000:1000
# A request that fails is an unhandled rejection: Node then exits with 1, too.
HEALTHCHECK --interval=15s --timeout=5s --retries=3 --start-period=120s \
  CMD ["node", "-e", "process.exit(+!(await fetch(`http://127.0.0.1:${process.env.HEALTH_PORT}/health`)).ok)"]
# `exec` puts Node in the shell's place, so that it gets the signal that stops the task. A command of the program, such
# as processor/commands/recover, is run with PROGRAM and arguments of its own.
ENTRYPOINT ["/bin/sh", "-c", "exec node $NODE_ARGUMENTS $PROGRAM/main.ts \"$@\"", "sh"]
