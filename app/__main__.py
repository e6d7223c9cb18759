"""`python -m app` is `postil`."""

from app.cli import main

if __name__ == "__main__":
    main()
