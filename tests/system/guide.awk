# Writes the blocks of a guide that say on which machine they are typed (```sh NAME)
# to files out/01-NAME, out/02-NAME ..., in the order of the guide.
# usage: awk -v out=DIRECTORY -f guide.awk GUIDE
/^```sh [a-z]/ { file = sprintf("%s/%02d-%s", out, ++count, $2); printf "" > file; next }
/^```/ { if (file != "") close(file); file = ""; next }
file != "" { print > file }
END { exit count == 0 }
