#!/bin/sh
# Every fuzz target is whole: its source, its lines in fuzz.am, a corpus that is small, the
# sources that it is there for, and a row in docs/fuzzing.md; and nothing of a target that
# there is not. Nobody else's readers are left without one: see "readers" below.
. "${srcdir:-.}/tests/scripts/tap.sh"

fuzz=$srcdir/tests/fuzz
targets=$(cd "$fuzz" && ls fuzz_*.c | sed 's/^fuzz_//; s/\.c$//')
BYTES_MAX=$((2 * 1024 * 1024)) # bytes of all corpora
FILES_MAX=500		       # of one

# each COMMAND: for every target.
each()
{
	for name in $targets; do
		"$1" "$name"
	done
}

in_fragment()
{
	for line in "FUZZ_REPLAYS += %D%/replay_$1" "FUZZERS += %D%/fuzz_$1"; do
		grep -qxF "$line" "$fuzz/fuzz.am" || echo "$1: fuzz.am has no line '$line'"
	done
	grep -q "^EXTRA_DIST += .*%D%/corpus/$1\( \|$\)" "$fuzz/fuzz.am" ||
	    echo "$1: its corpus is not in EXTRA_DIST"
}

with_corpus()
{
	[ -d "$fuzz/corpus/$1" ] || { echo "$1: no corpus"; return; }
	count=$(find "$fuzz/corpus/$1" -type f | wc -l)
	[ "$count" -gt 0 ] || echo "$1: the corpus is empty"
	[ "$count" -le $FILES_MAX ] || echo "$1: $count files; scripts/fuzz --minimise $1"
	# People choose names of what is in a file; fuzzing gives x- and a hash.
	find "$fuzz/corpus/$1" -type f -name '*[!A-Za-z0-9._-]*' -o \
	    -name 'crash-*' -o -name 'slow-unit-*' -o -name 'oom-*' -o -name 'leak-*' |
	    sed "s/^/$1: a file's name: /"
}

with_sources()
{
	sources=$(sed -n "s/^$1: *//p" "$fuzz/parsers.txt")
	[ -n "$sources" ] || echo "$1: not in parsers.txt"
	for source in $sources; do
		[ -f "$srcdir/$source" ] || echo "$1: no $source"
	done
}

with_row()
{
	grep -q "^| \`$1\` |" "$srcdir/docs/fuzzing.md" || echo "$1: no row in docs/fuzzing.md"
}

# What names a target that there is not.
strangers()
{
	{
		ls "$fuzz/corpus"
		sed -n 's/^FUZZERS += %D%\/fuzz_//p' "$fuzz/fuzz.am"
		sed -n 's/^\([a-z]*\): .*/\1/p' "$fuzz/parsers.txt"
		sed -n 's/^| `\([a-z]*\)` |.*/\1/p' "$srcdir/docs/fuzzing.md"
		(cd "$fuzz" && ls ./*.dict 2>/dev/null | sed 's/^\.\///; s/\.dict$//')
	} | sort -u | while read -r name; do
		case " $(echo $targets) " in
		*" $name "*) ;;
		*) echo "$name: no fuzz_$name.c" ;;
		esac
	done
}

too_large()
{
	bytes=$(find "$fuzz/corpus" -type f -exec cat {} + | wc -c)
	[ "$bytes" -le $BYTES_MAX ] || echo "the corpora have $bytes bytes; at most $BYTES_MAX"
}

# A source outside of the tests that reads with struct reader is some target's, or is told
# why not in the section "Not fuzzed" of the page.
readers()
{
	(cd "$srcdir" && find common mix gateway registrar client-lib evaluation -name '*.c' \
	    -exec grep -l 'reader_init(' {} + | sort) | while read -r source; do
		case $source in
		common/base/bytes.c) continue ;;
		esac
		grep -q "[ :]$source\( \|$\)" "$fuzz/parsers.txt" ||
		    sed -n '/^## Not fuzzed/,/^## /p' "$srcdir/docs/fuzzing.md" | grep -qF "\`$source\`" ||
		    echo "$source: takes bytes apart; no target names it, nor docs/fuzzing.md"
	done
}

tap_plan 7
tap_report 'every target is in fuzz.am' "$(each in_fragment)"
tap_report 'every target has a corpus' "$(each with_corpus)"
tap_report 'every target says what it is there for' "$(each with_sources)"
tap_report 'every target has a row in docs/fuzzing.md' "$(each with_row)"
tap_report 'nothing is left of a target' "$(strangers)"
tap_report 'the corpora are small' "$(too_large)"
tap_report 'every reader is fuzzed' "$(readers)"
