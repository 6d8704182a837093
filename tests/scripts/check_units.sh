#!/bin/sh
# The systemd units, as they would be installed: systemd finds nothing wrong with
# them, the daemons are as shut in as they are meant to be, and every line of
# hardening is explained.
. "${srcdir:-.}/tests/scripts/tap.sh"

units=scripts/systemd
[ -f $units/restante-mix.service ] || tap_skip_all 'no units were made here'
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

# verify wants programs that exist: those of the build stand for the installed.
for unit in restante-gateway.service restante-gateway.socket restante-mix.service \
    restante-registrar.service restante-registrar.socket \
    restante-agent.service; do
	sed -e "s#=[^ ]*/restante-gateway run#=$PWD/gateway/restante-gateway run#" \
	    -e "s#=[^ ]*/restante-registrar run#=$PWD/registrar/restante-registrar run#" \
	    -e "s#=[^ ]*/restante-mix run#=$PWD/mix/restante-mix run#" \
	    -e "s#=[^ ]*/restante \(agent\|stop\)#=$PWD/client-lib/restante \1#" \
	    "$units/$unit" >"$out/$unit"
done

# A program that was not built is reported too: the check needs them all.
verified()
{
	(cd "$out" && XDG_RUNTIME_DIR=$out SYSTEMD_LOG_LEVEL=warning \
	    systemd-analyze verify "$@" 2>&1) | grep 'restante' || :
}

# The exposure that systemd computes, times ten; at most $2.
exposed()
{
	systemd-analyze security --offline=true --threshold="$2" --no-pager "$out/$1" 2>&1 |
	    grep -q 'Overall exposure level' || { echo "systemd-analyze said nothing of $1"; return; }
	systemd-analyze security --offline=true --threshold="$2" --no-pager "$out/$1" >"$out/said" 2>&1 ||
	    tail -n 1 "$out/said"
}

# The first line of each group of settings below the section's head is a comment.
unexplained()
{
	awk '/^\[Service\]/ { on = 1; said = 0; next } /^\[/ { on = 0 }
	    !on { next } /^#/ { said = 1; next } /^$/ { said = 0; next }
	    !said { print FILENAME ": not explained: " $0 }' "$units/$1"
}

# A daemon makes its own sandbox, with calls that systemd's groups do not have.
unboxed()
{
	for unit in restante-gateway restante-registrar restante-mix; do
		for call in seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self; do
			grep -q "^SystemCallFilter=\([^~].* \|\)$call\( \|\$\)" "$units/$unit.service" ||
			    echo "$unit.service: does not allow $call"
		done
	done
}

# What is neither substituted nor a name of systemd's own.
unmade() { grep -n '@[A-Za-z_]*@' $units/* || :; }

analyze=no
! command -v systemd-analyze >/dev/null 2>&1 ||
    ! systemd-analyze security --help 2>/dev/null | grep -q -e --offline || analyze=yes

# skip TEXT: one case that systemd's tool would decide.
skip()
{
	tap_number=$((tap_number + 1))
	echo "ok $tap_number - $1 # SKIP no systemd-analyze that works offline"
}

tap_plan 11
tap_report 'every word to be substituted is' "$(unmade)"
for unit in restante-gateway.service restante-registrar.service restante-mix.service \
    restante-agent.service; do
	tap_report "$unit is explained" "$(unexplained $unit)"
done
tap_report 'daemons may close themselves in' "$(unboxed)"
if [ $analyze = no ]; then
	for text in 'system units' 'user units' 'exposure of the gateway' \
	    'exposure of the registrar' 'exposure of a mix'; do
		skip "$text"
	done
	exit 0
fi
tap_report 'system units' "$(verified --man=no --recursive-errors=no \
    restante-gateway.service restante-gateway.socket restante-registrar.service \
    restante-registrar.socket restante-mix.service)"
tap_report 'user units' "$(verified --user --man=no --recursive-errors=no restante-agent.service)"
tap_report 'exposure of the gateway' "$(exposed restante-gateway.service 15)"
tap_report 'exposure of the registrar' "$(exposed restante-registrar.service 15)"
tap_report 'exposure of a mix' "$(exposed restante-mix.service 15)"
