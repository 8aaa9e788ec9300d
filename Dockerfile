# docker build -t curate .
# docker run --rm -v "$PWD:/data" -v curate-cache:/home/curate/.cache curate run corpus/ -o curated
#
# The volume `curate-cache` keeps kernels compiled for the machine: without it every container compiles them again.
FROM python:3.12-slim AS build
WORKDIR /source
COPY pyproject.toml README.md LICENSE NOTICE ./
COPY src src
RUN pip install --no-cache-dir --prefix=/installed .

FROM python:3.12-slim
COPY --from=build /installed /usr/local
RUN useradd --create-home --uid 1000 curate && install -d -o curate /data /home/curate/.cache
USER curate
WORKDIR /data
ENTRYPOINT ["curate"]
CMD ["--help"]
