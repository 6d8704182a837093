#!/bin/sh
# docs/limits.md against the tree: each constant that its table names is in the
# sources, with the value that the table gives; each parameter in lower case is one
# of the charter or of a program; each test is in the file that is named before it.
. "${srcdir:-.}/tests/scripts/tap.sh"

out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
table=$srcdir/docs/limits.md

# The rows: number, bound, tests, separated by tabs.
awk -F ' [|] ' '/^[|] (all|client|gateway|mix|registrar)/ {
	sub(/ [|]$/, "", $5); print NR "\t" $3 "\t" $5 }' "$table" >"$out/rows"

# NAME, a tab, and the text that it stands for, of every constant.
(cd "$srcdir" && find common mix gateway registrar client-lib -name '*.[ch]' -exec cat {} +) |
    sed -n 's@^#define[ 	]\{1,\}\([A-Z][A-Z0-9_]*\)[ 	]\{1,\}\([^/]*[^/ 	]\).*@\1	\2@p' |
    sort -u >"$out/constants"

# expand TEXT: with numbers alone in it, as far as its constants are known and unambiguous.
expand()
{
	awk -F '\t' -v text="$1" '
	{ value[$1] = $2; count[$1]++ }
	END {
		for (i = 0; i < 10 && match(text, /[A-Z][A-Z0-9_]+/); i++) {
			name = substr(text, RSTART, RLENGTH)
			if (name == "INT64_C" || name == "UINT32_C")
				value[name] = ""
			else if (count[name] != 1)
				exit
			text = substr(text, 1, RSTART - 1) value[name] substr(text, RSTART + RLENGTH)
		}
		gsub(/\((size_t|int64_t|uint64_t|uint32_t)\)/, "", text)
		gsub(/[0-9]u/, "&_", text)
		gsub(/u_/, "", text)
		if (text !~ /[A-Za-z_"{]/)
			print text
	}' "$out/constants"
}

# number VALUE UNIT NAME: what the table means.
number()
{
	case $2,$3 in
	KiB,*) echo $(($1 * 1024)) ;;
	MiB,*) echo $(($1 * 1048576)) ;;
	GiB,*) echo $(($1 * 1073741824)) ;;
	s,*_MS) echo $(($1 * 1000)) ;;
	min,*_MS) echo $(($1 * 60000)) ;;
	*) echo "$1" ;;
	esac
}

# Of each constant with a value: row, name, value, unit.
bounds()
{
	awk -F '\t' '{
		text = $2
		while (match(text, /`[A-Z][A-Z0-9_]*`( [0-9]+( (KiB|MiB|GiB|s|min))?)?/)) {
			split(substr(text, RSTART, RLENGTH), part, /[` ]+/)
			print $1, part[2], part[3] == "" ? "-" : part[3], part[4] == "" ? "-" : part[4]
			text = substr(text, RSTART + RLENGTH)
		}
	}' "$out/rows"
}

wrong_constants()
{
	bounds | while read -r row name value unit; do
		cut -f 1 "$out/constants" | grep -qx "$name" || { echo "line $row: no $name"; continue; }
		[ "$value" != - ] || { echo "line $row: $name without its value"; continue; }
		want=$(number "$value" "$unit" "$name")
		found=
		for text in $(sed -n "s/^$name	//p" "$out/constants" | tr -d ' '); do
			text=$(expand "$text")
			[ -z "$text" ] || [ $(($text)) != "$want" ] || found=yes
		done
		[ -n "$found" ] || echo "line $row: $name is not $value $unit"
	done
}

wrong_parameters()
{
	cut -f 1,2 "$out/rows" | grep -o '^[0-9]*\|`[a-z][a-z-]*`' | while read -r word; do
		case $word in
		[0-9]*) row=$word ;;
		*)
			word=$(echo "$word" | tr -d '`')
			(cd "$srcdir" && grep -rqs "{ *\(\.name = \)\{0,1\}\"$word\"" common/charter/params.c \
			    mix gateway registrar) || echo "line $row: no parameter $word"
			;;
		esac
	done
}

wrong_tests()
{
	cut -f 1,3 "$out/rows" | grep -o '^[0-9]*\|`[^`]*`' | while read -r word; do
		word=$(echo "$word" | tr -d '`')
		case $word in
		*[!0-9]*/*)
			file=$word
			[ -f "$srcdir/$file" ] || echo "line $row: no $file"
			;;
		*[!0-9]*)
			grep -q "^$word(" "$srcdir/$file" || echo "line $row: no $word in $file"
			;;
		*) row=$word ;;
		esac
	done
}

untested()
{
	awk -F '\t' '$3 !~ /`tests\/[^`]*` `/ || $2 == "" { print "line " $1 ": bound or test is missing" }' \
	    "$out/rows"
}

tap_plan 5
tap_report 'there are rows' "$([ "$(wc -l <"$out/rows")" -ge 50 ] || cat "$out/rows")"
tap_report 'every row has a bound and a test' "$(untested)"
tap_report 'every constant has the value that is said' "$(wrong_constants)"
tap_report 'every parameter is one' "$(wrong_parameters)"
tap_report 'every test exists' "$(wrong_tests)"
