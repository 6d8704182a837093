#!/bin/sh
# What a gateway learns by withholding a record, with few trials (docs/threat-model.md).
exec ./tests/scenario/test_bisection
