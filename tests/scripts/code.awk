# Prints C sources as path:line:code without comments and without the insides
# of string and character constants, so that a search finds only code.
FNR == 1 { in_comment = 0 }
{
	rest = $0
	code = ""
	while (rest != "") {
		if (in_comment) {
			end = index(rest, "*/")
			if (end == 0)
				break
			rest = substr(rest, end + 2)
			in_comment = 0
		} else if (match(rest, /\/\*|\/\/|"([^"\\]|\\.)*"|'([^'\\]|\\.)*'/)) {
			code = code substr(rest, 1, RSTART - 1)
			token = substr(rest, RSTART, RLENGTH)
			rest = substr(rest, RSTART + RLENGTH)
			if (token == "//")
				break
			if (token == "/*") {
				in_comment = 1
				code = code " "
			} else {
				code = code "\"\""
			}
		} else {
			code = code rest
			break
		}
	}
	if (code ~ /[^ \t]/)
		print FILENAME ":" FNR ":" code
}
