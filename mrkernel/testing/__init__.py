r"""Contract suites for people who write a format: inherit, say how to make one, and run pytest.

A whole test of a source::

    from mrkernel.testing import SourceContract

    class TestLogfmt(SourceContract):
        records = [{"at": "10:00", "level": "info"}]

        def make_source(self, folder):
            file = folder / "a.log"
            file.write_text("at=10:00 level=info\n")
            return LogfmtSource(str(file))
"""

from __future__ import annotations

from mrkernel.testing.sinks import SinkContract
from mrkernel.testing.sources import SourceContract

__all__ = ["SinkContract", "SourceContract"]
