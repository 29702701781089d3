"""Checks events against the contract: `python -m cadence_contracts validate FILE...`."""

import argparse
import sys
from pathlib import Path
from typing import Final

from cadence_contracts.validation import validate

_EPILOG: Final = """\
A FILE holds one structured CloudEvent, an array of them, or one per line; - is the standard input.
Exit codes: 0 all are right, 1 some are not, 2 a file cannot be read or the command is wrong.

examples:
  python -m cadence_contracts validate contact.json
  my-service --print-event | python -m cadence_contracts validate -
  python -m cadence_contracts validate --type contact.created data.json
  python -m cadence_contracts validate --topic quote.requested trigger.json
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m cadence_contracts", description="The cadence engine's contract.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "validate",
        help="say what the engine would make of events",
        description="Says of each event whether the engine would accept it, or the reason code and what to mend.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("files", nargs="+", metavar="FILE")
    command.add_argument("--type", help="the files hold the data alone, of events of this type")
    command.add_argument("--topic", help="judge them as records of this topic, such as a further trigger topic")
    chosen = parser.parse_args(arguments)

    refused = False
    for name in chosen.files:
        try:
            content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        except OSError as wrong:
            sys.stderr.write(f"{name}: cannot be read: {wrong.strerror}\n")
            return 2
        for verdict in validate(content, "stdin" if name == "-" else name, bare_type=chosen.type, topic=chosen.topic):
            refused = refused or verdict.refusal is not None
            sys.stdout.write(f"{verdict}\n")
    return int(refused)


if __name__ == "__main__":
    sys.exit(main())
