#!/bin/sh
# Functions that do not belong in this tree, or only in one file of it.
. "${srcdir:-.}/tests/scripts/tap.sh"

code=$(mktemp) || exit 1
trap 'rm -f "$code"' EXIT
tree_find -name '*.[ch]' | tree_code >"$code"

# calls names: lines that call one of these (an ERE), but not as a member.
calls()
{
	grep -E "[^A-Za-z0-9_.>]($1)[[:space:]]*\(" "$code"
}

tap_plan 5

tap_report 'no function that overruns, keeps hidden state or takes from the stack' \
    "$(calls 'strcpy|strcat|strncat|sprintf|vsprintf|gets|strtok|asctime|ctime|gmtime|localtime|tmpnam|mktemp|alloca')"

tap_report 'no random source of the C library' \
    "$(calls 'rand|srand|random|srandom|drand48|lrand48|arc4random|arc4random_buf|arc4random_uniform')"

# A comparison of bytes that are public says so: memcmp(...) /* public */
tap_report 'no memcmp on what may be secret' \
    "$(calls memcmp | grep -v '^tests/' | cut -d: -f1 | sort -u | (cd "$srcdir" &&
    xargs grep -nE '\bmemcmp[[:space:]]*\(' /dev/null) | grep -v '/\* public' |
    grep -iE 'memcmp.*(key|tag|mac|secret|hash|tok)')"

tap_report 'only common/base/clock.c reads a clock' \
    "$(calls 'clock_gettime|gettimeofday|time|clock|timespec_get|event_base_gettimeofday_cached' |
    grep -vE '^(tests/|common/base/clock\.c:)')"

# libsodium's key generators draw from randombytes too, those from a seed do not.
tap_report 'only common/base/rng.c draws randomness' \
    "$(calls 'randombytes[a-z_]*|getrandom|getentropy|crypto_[a-z0-9_]+_(keypair|keygen|init_push|random)' |
    grep -vE '^(tests/|common/base/rng\.c:)|_seed_keypair')"
