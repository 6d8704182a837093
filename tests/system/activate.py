#!/usr/bin/env python3
"""Stands for systemd with a socket unit.

usage: activate.py PATH PROGRAM ARGUMENT...

Makes the unix socket PATH, mode 0660, and becomes PROGRAM, which inherits it.
"""
import os
import socket
import sys

if len(sys.argv) < 3:
    sys.exit(__doc__)
s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o660)
s.listen(128)
if s.fileno() != 3:
    os.dup2(s.fileno(), 3)
os.set_inheritable(3, True)
os.environ["LISTEN_FDS"] = "1"
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
