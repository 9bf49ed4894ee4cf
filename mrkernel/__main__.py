"""``python -m mrkernel``: the ``mrkernel`` command where its script is not on the path."""

from __future__ import annotations

from mrkernel.cli import main

if __name__ == "__main__":
    main()
