#!/bin/sh
# Runs the system tests: what may run beside others, then the rest one by one. What failed is
# run once more, by itself: these tests hold real time against real processes, and a machine
# that was busy for a minute is no fault of ours. A fault that is ours fails again, or is
# named at the end for somebody to look at; its first log stays as NAME.first.log.
#
# From `make check-system`: MAKE, SYSTEM_TESTS, SOLO_TESTS in the environment, in the build
# directory. A line `again: TEST` says that what was printed of TEST so far does not count.
set -eu

# More than so many do not fail for want of time.
most=4

suite() # LOG JOBS TEST...
{
	suite_log=$1
	suite_jobs=$2
	shift 2
	# shellcheck disable=SC2086 # no option at all, or one
	$MAKE $suite_jobs check-TESTS TESTS="$*" TEST_SUITE_LOG="$suite_log"
}

# Those of the tests which have no result, or a bad one.
failed()
{
	for test in "$@"; do
		grep -q '^:global-test-result: *\(PASS\|SKIP\|XFAIL\)' "${test%.sh}.trs" 2>/dev/null || echo "$test"
	done
}

rm -f again-suite.log
status=0
# shellcheck disable=SC2086 # lists of names
suite system-suite.log '' $SYSTEM_TESTS || status=1
# shellcheck disable=SC2086
suite solo-suite.log -j1 $SOLO_TESTS || status=1
[ "$status" -ne 0 ] || exit 0

# shellcheck disable=SC2086
again=$(failed $SYSTEM_TESTS $SOLO_TESTS)
count=$(echo "$again" | grep -c . || :)
if [ "$count" -eq 0 ] || [ "$count" -gt "$most" ]; then
	exit 1
fi
for test in $again; do
	echo "again: $test"
	[ ! -f "${test%.sh}.log" ] || cp "${test%.sh}.log" "${test%.sh}.first.log"
done
status=0
# shellcheck disable=SC2086
suite again-suite.log -j1 $again || status=1
# shellcheck disable=SC2086
still=$(failed $again)
for test in $again; do
	case " $(echo "$still" | tr '\n' ' ') " in
	*" $test "*) echo "failed twice: $test" ;;
	*) echo "passed only when run again: $test" ;;
	esac
done
exit $status
