#!/bin/sh
# What a gateway learns by holding things back, with few trials (docs/threat-model.md).
exec ./tests/scenario/test_stalls
