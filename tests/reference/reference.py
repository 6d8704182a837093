#!/usr/bin/env python3
"""The second implementation: makes known answers, and checks those of the first.

    reference.py make NAME            print the vectors of NAME
    reference.py check NAME FILE      check a file of vectors

NAME is one of: onion, record, block, contact, renewal, founding, voprf.
"""

import importlib
import sys

import vectors

NAMES = ("onion", "record", "block", "contact", "renewal", "founding", "voprf")


def title(name):
    return (
        "Known answers for %s, made by tests/reference/reference.py (Python)." % name,
        "What the values are: docs/protocol.md. How they are written: tests/reference/vectors.py.",
    )


def main(args):
    if len(args) < 2 or args[1] not in NAMES or (args[0], len(args)) not in (("make", 2), ("check", 3)):
        sys.stderr.write(__doc__)
        return 2
    module = importlib.import_module(args[1])
    if args[0] == "make":
        writer = vectors.Writer(title(args[1]))
        module.make(writer)
        sys.stdout.write(writer.text())
        return 0
    try:
        module.check(vectors.Reader(args[2]))
    except vectors.Bad as bad:
        sys.stderr.write("%s: %s\n" % (args[2], bad))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
