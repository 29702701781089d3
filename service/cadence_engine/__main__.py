"""`cadence-engine`, also as `python -m cadence_engine`."""

import sys

from pydantic import ValidationError

from cadence_engine.cli.app import app
from cadence_engine.cli.environment import explain, is_about_settings

BAD_SETTINGS = 2


def main() -> None:
    """Run the command line. Exits with 2 and one line for each environment variable that is wrong."""
    try:
        app()
    except ValidationError as error:
        if not is_about_settings(error):
            raise
        sys.stderr.write("".join(f"{line}\n" for line in explain(error)))
        sys.exit(BAD_SETTINGS)


if __name__ == "__main__":
    main()
