"""`python -m mailfold` is the command line."""

from mailfold.cli import main

if __name__ == "__main__":
    main()
