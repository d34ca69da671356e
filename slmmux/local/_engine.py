"""The process of llama.cpp: one model, one server. It ends when its parent does.

This file is run as a script and imports nothing from this package. It reads one line of JSON on standard input (a key
must not appear in a list of processes), answers with one line on standard output, and waits for the end of standard
input. The pipe is closed when the parent ends, also if the parent is killed.

Why not a thread of the parent: in the tested version, llama.cpp sometimes hangs when it shuts down (a server that is
stopped before its first task), aborts the process on some errors, and does not survive a fork. Python cannot repair
this within one process, but it can end a process.
"""

import json
import os
import sys
from importlib import import_module
from typing import Any

__all__ = ["main"]


def parameters(xllamacpp: Any, spec: dict[str, Any]) -> Any:
    """Return llama.cpp's parameters for a server.

    Args:
        xllamacpp: The module.
        spec: The settings: model, alias, key, parallel, context, threads, embeddings, chat_template, and the port of a
            server that is started again; 0 for any.
    """
    params = xllamacpp.CommonParams()
    params.model.path = spec["model"]
    params.model_alias = {spec["alias"]}  # otherwise every response contains the path of the file
    params.hostnames = ["127.0.0.1"]
    params.port = spec.get("port", 0)
    params.api_keys = [spec["key"]]
    params.cors_origins = ""  # the default lets any web page read the answers
    params.cors_credentials = False
    params.ui = False
    params.endpoint_slots = False  # this endpoint would show the prompts of other clients
    params.n_parallel = spec["parallel"]
    params.n_ctx = spec["parallel"] * spec["context"]  # llama.cpp divides it by the number of slots
    params.use_jinja = True
    if spec["chat_template"] is not None:
        params.chat_template = spec["chat_template"]
    if spec["threads"] is not None:
        params.cpuparams.n_threads = spec["threads"]
        params.cpuparams_batch.n_threads = spec["threads"]
    if spec["embeddings"]:
        params.embedding = True
        params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
        params.n_ubatch = params.n_batch  # a text is pooled in one piece, so it must fit
    params.fit_params = False  # a second load to see whether the model fits: half of the start-up time
    params.warmup = False
    params.verbosity = 1  # errors only, for the sentence about a failed start
    return params


def main() -> None:
    """Serve until the end of standard input."""
    spec = json.loads(sys.stdin.buffer.readline())
    sys.path[:] = spec["path"]
    # Threads that spin while they wait would take the processor from another model's threads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    with os.fdopen(os.dup(1), "w") as answer:
        os.dup2(2, 1)  # output of native code must not end up in the answer
        try:
            xllamacpp = import_module("xllamacpp")  # only now: it needs the path and the policy
            server = xllamacpp.Server(parameters(xllamacpp, spec))
        except Exception as error:  # noqa: BLE001 - the parent turns any of them into a sentence
            json.dump({"error": type(error).__name__, "text": str(error)}, answer)
        else:
            json.dump({"address": server.listening_address}, answer)
        answer.write("\n")
    sys.stdin.buffer.read()
    os._exit(0)  # llama.cpp's own shutdown can hang


if __name__ == "__main__":
    main()
