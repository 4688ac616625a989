"""`python -m libs.common.cli` is `relance`."""

from libs.common.cli import main

main()
