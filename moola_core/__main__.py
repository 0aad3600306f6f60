import sys

from moola_core.cli import main

sys.exit(main())
