"""``python -m flywheel``: the command line."""

from flywheel.cli import main

if __name__ == "__main__":
    main()
