# Serves a model over HTTP. It is built from the wheel alone; that of `make wheel` has a model inside:
#     make wheel && docker build -t ner-head .
#     docker run -p 8000:8000 ner-head
# Another model, as a bundle (docs/bundles.md):
#     docker run -p 8000:8000 -v ./my-model:/model:ro ner-head --model /model
FROM python:3.11-slim

RUN useradd --create-home --uid 10001 ner
COPY dist/*.whl /tmp/dist/
# without a GPU, an index of torch's wheels for CPUs makes the image some GB smaller (--build-arg PIP_EXTRA_INDEX_URL=...)
ARG PIP_EXTRA_INDEX_URL
RUN set -- /tmp/dist/*.whl && test $# = 1 && pip install --no-cache-dir "$1[serve]"

USER ner
WORKDIR /home/ner
ENV HF_HUB_OFFLINE=1 NUMBA_CACHE_DIR=/tmp/numba
EXPOSE 8000
# the model takes some seconds to load
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/health', timeout=3)"]
# docker stop sends SIGTERM: requests under way are finished; give them time with `--stop-timeout 90`
ENTRYPOINT ["ner-head", "serve", "--host", "0.0.0.0", "--port", "8000"]
