"""python -m dx2ct"""

from dx2ct.cli import main

main()
