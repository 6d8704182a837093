#!/bin/sh
# The key ceremony of docs/operator.md, typed literally, each person on a machine
# (a directory) of their own, with a stick between them; and what it rests on.
. "${srcdir:-.}/tests/system/lib.sh"

people='ann ben eve drafter'
guide=$tests_top/docs/operator.md

# The nodes' operators came with their public lines.
lines()
{
	net_mix init --dir "$net_dir/a" --address 192.0.2.11:7001 >"$STICK/mix-a.public" &&
	    net_mix init --dir "$net_dir/b" --address 192.0.2.12:7001 >"$STICK/mix-b.public" &&
	    net_mix init --dir "$net_dir/c" --address '[2001:db8::13]:7001' >"$STICK/mix-c.public" &&
	    net_mix init --dir "$net_dir/d" --address 192.0.2.14:7001 >"$STICK/mix-d.public" &&
	    net_gateway init --dir "$net_dir/g" --address 192.0.2.10:7000 >"$STICK/gateway.public"
}

# The guide's names of programs are those of the build.
prepare()
{
	mkdir "$net_dir/bin" "$net_dir/blocks" "$STICK" || return 1
	for who in $people; do
		mkdir -m 0700 "$net_dir/$who" || return 1
	done
	printf '#!/bin/sh\nexec "%s" "$@"\n' "$net_bin/common/charter/tool/restante-charter" \
	    >"$net_dir/bin/restante-charter" && chmod +x "$net_dir/bin/restante-charter" &&
	    awk -v out="$net_dir/blocks" -f "$tests_top/tests/system/guide.awk" "$guide" && lines
}

# type FILE WHO: one block, as it stands, on this person's machine.
type_block() { (cd "$net_dir/$2" && PATH=$net_dir/bin:$PATH sh -eux "$1") >>"$net_dir/said-$2" 2>&1; }

ceremony()
{
	typed=0
	for block in "$net_dir"/blocks/*; do
		who=${block##*/[0-9][0-9]-}
		case " $people " in
		*" $who "*) ;;
		*) continue ;;
		esac
		type_block "$block" "$who" || { echo "$who: $(cat "$block")"; cat "$net_dir/said-$who"; return 1; }
		typed=$((typed + 1))
	done
	[ "$typed" -ge 11 ] || { echo "only $typed blocks in the guide"; return 1; }
}

valid() { net_charter verify "$STICK/charter" >"$net_dir/verified" && cat "$net_dir/verified"; }

# Two programs that know nothing of each other, on three machines, agree.
hashes_agree()
{
	hash=$(b2sum -l 256 "$STICK/draft" | cut -c1-64)
	grep -q "network id $hash" "$net_dir/verified" || return 1
	next=$(b2sum -l 256 "$STICK/draft-2" | cut -c1-64)
	[ "$hash" != "$next" ] || return 1
	for who in ann eve drafter; do
		for read_aloud in "$hash" "$next"; do
			grep -q "^hash  *$read_aloud" "$net_dir/said-$who" &&
			    grep -q "^$read_aloud  " "$net_dir/said-$who" ||
			    { echo "$who saw another hash"; return 1; }
		done
	done
}

# Secret keys are the person's alone and on no stick.
keys_stay()
{
	for who in ann ben eve; do
		[ "$(stat -c %a "$net_dir/$who/$who.key")" = 600 ] || { echo "$who.key"; return 1; }
		for file in "$STICK"/*; do
			! cmp -s "$file" "$net_dir/$who/$who.key" || { echo "$file"; return 1; }
		done
	done
	found=$(cd "$STICK" && echo *)
	[ "$found" = 'ann.draft ann.draft-2 ann.public ben.public charter charter-2 draft draft-2 eve.draft eve.draft-2 eve.public gateway.public mix-a.public mix-b.public mix-c.public mix-d.public' ] ||
	    { echo "on the stick: $found"; return 1; }
}

# The successor has mix-d, under a new number, where mix-b was; and only charter founds it.
successor()
{
	net_charter verify --previous "$STICK/charter" "$STICK/charter-2" &&
	    net_charter show "$STICK/charter-2" >"$net_dir/shown" || return 1
	grep '^node 5 .*layer 1, at 192.0.2.14:7001' "$net_dir/shown" &&
	    ! grep -q '192\.0\.2\.12' "$net_dir/shown" &&
	    refused net_charter verify --previous "$STICK/charter-2" "$STICK/charter"
}

refused() { ! "$@" || { echo "accepted: $*"; return 1; }; }

one_is_not_enough() { refused net_charter verify "$STICK/ann.draft"; }

# One who signs with the same key twice is one.
twice_is_one()
{
	cp "$STICK/ann.draft" "$net_dir/twice" &&
	    { net_charter sign --key "$net_dir/ann/ann.key" "$net_dir/twice" || :; }
	refused net_charter verify "$net_dir/twice"
}

# A mix that is exchanged between reading and combining takes the signatures with it.
changed()
{
	sed 's/192\.0\.2\.11/192.0.2.66/' "$STICK/$1" >"$net_dir/changed" &&
	    ! cmp -s "$STICK/$1" "$net_dir/changed"
}
changes_are_refused()
{
	changed charter && refused net_charter verify "$net_dir/changed" && changed eve.draft &&
	    refused net_charter combine --output "$net_dir/mixed" "$STICK/ann.draft" "$net_dir/changed"
}

test_begin 8
STICK=$net_dir/stick
export STICK
must 'machines, a stick, the nodes'"'"' public lines' prepare
must 'every command of the guide succeeds as it stands' ceremony
must 'the charter is valid' valid
check 'the hash that is read aloud is the same for two programs on three machines' hashes_agree
check 'the successor follows, with one mix for another' successor
check 'secret keys stay where they were made' keys_stay
check 'one authority alone decides nothing, not even twice' eval 'one_is_not_enough && twice_is_one'
check 'a mix that was exchanged is refused' changes_are_refused
