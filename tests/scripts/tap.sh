# Shell side of TAP, and the list of files that the checks of the tree read.
# Sourced; $srcdir is the top of the source tree, the current directory the
# top of the build tree.
LC_ALL=C
export LC_ALL
: "${srcdir:=.}"
tap_number=0

# Where the sources are; builds inside the tree leave other things beside them.
source_dirs='common mix gateway registrar client-lib evaluation tests'

tap_plan()
{
	echo "1..$1"
}

tap_skip_all()
{
	echo "1..0 # SKIP $1"
	exit 0
}

# tap_report name findings: passes when there are none.
tap_report()
{
	tap_number=$((tap_number + 1))
	if [ -z "$2" ]; then
		echo "ok $tap_number - $1"
	else
		echo "not ok $tap_number - $1"
		printf '%s\n' "$2" | sed 's/^/# /'
	fi
}

# Paths from the top of the tree of files that match find's tests "$@".
tree_find()
{
	(cd "$srcdir" && for dir in $source_dirs; do
		[ ! -d "$dir" ] || echo "$dir"
	done | xargs -I{} find {} \( -name .libs -o -name .deps \) -prune -o -type f \( "$@" \) -print |
	    sort)
}

# C sources with comments and the insides of strings taken out, as
# path:line:code. Names of files on standard input.
tree_code()
{
	here=$PWD
	(cd "$srcdir" && xargs awk -f tests/scripts/code.awk </dev/stdin)
	cd "$here" || exit 1
}
