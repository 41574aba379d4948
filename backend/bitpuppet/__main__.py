"""`python -m bitpuppet`: the command line."""

from __future__ import annotations

from bitpuppet.cli import main

if __name__ == "__main__":
    main()
