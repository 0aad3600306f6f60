"""python -m moola_core.launch.worker RUN_FOLDER"""

from __future__ import annotations

import sys
from pathlib import Path

from moola_core.errors import MoolaError
from moola_core.launch.worker import run
from moola_core.runs.store import Run


def main(arguments: list[str]) -> int:
    """Run the folder named on the command line; the exit status is the error's."""
    folder = Path(arguments[0])
    try:
        run(Run(folder))
    except MoolaError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
