"""For sandbox.sh: a process that is nothing to the daemons, and listens on a port and at an
abstract unix socket that has the port in its name. Writes the port into the file named."""
import os
import socket
import sys
import time

tcp = socket.create_server(("127.0.0.1", 0))
port = tcp.getsockname()[1]
local = socket.socket(socket.AF_UNIX)
local.bind("\0restante-taken-%d" % port)
local.listen(8)
with open(sys.argv[1] + ".new", "w") as out:
    out.write("%d\n" % port)
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
