"""TLS for the embedded cluster: both ends must show the one certificate, and the keys never touch a disk."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable
from typing import Any

from distributed import Security

__all__ = ["MemorySecurity", "security"]


class MemorySecurity(Security):
    """A Security whose keys are PEM texts and stay in memory.

    Python's ssl loads certificate chains from a path only, for which distributed writes the key into a temporary
    folder for a moment. Linux has files in memory for that.
    """

    def _get_tls_context(self, tls: dict[str, Any], purpose: ssl.Purpose) -> ssl.SSLContext:
        # distributed gives it no types.
        make: Callable[..., ssl.SSLContext] = super()._get_tls_context
        if not hasattr(os, "memfd_create") or not os.path.isdir("/proc/self/fd"):
            return make(tls, purpose)
        descriptor = os.memfd_create("mrkernel-keys")
        try:
            os.write(descriptor, (tls["cert"] + tls["key"]).encode())
            path = f"/proc/self/fd/{descriptor}"
            return make({**tls, "cert": path, "key": path}, purpose)
        finally:
            os.close(descriptor)


def security(keys: dict[str, str]) -> MemorySecurity:
    """How distributed is told of :func:`~mrkernel.cluster.keys.make_keys`'s texts, for every role."""
    roles = {f"tls_{role}_{part}": keys[part] for role in ("client", "scheduler", "worker") for part in keys}
    make: Callable[..., MemorySecurity] = MemorySecurity
    return make(require_encryption=True, tls_ca_file=keys["cert"], **roles)
