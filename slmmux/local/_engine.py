"""The process in which llama.cpp lives: one model, one server, gone when whoever started it is gone.

It is run as a script and imports nothing of this package. It is told what to serve in one line of JSON on standard
input (a key must not stand in a list of processes), answers with one line on standard output, and then waits for
standard input to end: that is how it notices that its parent is gone, however that came about.

Why a process and not a thread of the parent: llama.cpp's own way down hangs now and then in the version tried (a
server that is stopped before it took its first task), aborts the process on some errors, and does not survive a fork.
None of that can be repaired from Python inside one process; a process can simply be ended.
"""

import json
import os
import sys
from importlib import import_module
from typing import Any

__all__ = ["main"]


def parameters(xllamacpp: Any, spec: dict[str, Any]) -> Any:
    """Return llama.cpp's parameters for what was asked.

    Args:
        xllamacpp: The module.
        spec: model, alias, key, parallel, context, threads, embeddings and chat_template.
    """
    params = xllamacpp.CommonParams()
    params.model.path = spec["model"]
    params.model_alias = {spec["alias"]}  # without it the path of the file stands in every response
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.api_keys = [spec["key"]]
    params.cors_origins = ""  # its default lets any web page read the answers
    params.cors_credentials = False
    params.ui = False
    params.endpoint_slots = False  # it shows what others asked
    params.n_parallel = spec["parallel"]
    params.n_ctx = spec["parallel"] * spec["context"]  # each slot has its own share
    params.use_jinja = True
    if spec["chat_template"] is not None:
        params.chat_template = spec["chat_template"]
    if spec["threads"] is not None:
        params.cpuparams.n_threads = spec["threads"]
        params.cpuparams_batch.n_threads = spec["threads"]
    if spec["embeddings"]:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        params.n_ubatch = params.n_batch  # a text is pooled in one piece, and may be as long as a batch
    params.fit_params = False  # it loads the model once more to see whether it fits: half of the time to load
    params.warmup = False
    params.verbosity = 1  # errors only, for the message of a failed start
    return params


def main() -> None:
    """Serve until standard input ends."""
    spec = json.loads(sys.stdin.buffer.readline())
    sys.path[:] = spec["path"]
    # Two models on two cores: threads that spin while they wait take the processor from those that work.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)  # whatever native code prints must not be taken for the answer
        try:
            xllamacpp = import_module("xllamacpp")  # now that the path and the policy are set
            server = xllamacpp.Server(parameters(xllamacpp, spec))
        except Exception as error:  # noqa: BLE001 - whatever it is, the parent says it in its own words
            json.dump({"error": type(error).__name__, "text": str(error)}, answer)
        else:
            json.dump({"address": server.listening_address}, answer)
        answer.write("\n")
    sys.stdin.buffer.read()
    os._exit(0)  # no orderly way down: see above


if __name__ == "__main__":
    main()
