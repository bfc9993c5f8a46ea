"""`python -m zerosum` is `zerosum`."""

from zerosum.cli import main

main()
