"""`python -m zbuild`."""

import sys

from zbuild.cli.entry import main

sys.exit(main())
