#!/usr/bin/env python3
"""What stands for other people's programs where a test has none of them.

usage: standin.py socket PATH PROGRAM ARGUMENT...   systemd with a socket unit: makes the
                  unix socket PATH, mode 0660, and becomes PROGRAM, which inherits it
       standin.py tor PATH TARGET [plain]           a tor: SOCKS5 on the unix socket PATH,
                  every stream goes to the unix socket TARGET; plain: without SOCKS
"""
import os
import socket
import sys
import threading


def listener(path):
    if os.path.lexists(path):
        os.unlink(path)
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.bind(path)
    os.chmod(path, 0o660)
    s.listen(128)
    return s


def activate(path, program):
    s = listener(path)
    if s.fileno() != 3:
        os.dup2(s.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())
    os.execv(program[0], program)


def pump(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
    except OSError:
        pass
    for s in (a, b):
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def exactly(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            raise OSError("closed")
        data += more
    return data


def socks(s):
    """RFC 1928 and 1929 as tor speaks them; refuses all but CONNECT to a name."""
    version, count = exactly(s, 2)
    methods = exactly(s, count)
    if version != 5 or not {0, 2} & set(methods):
        raise OSError("no SOCKS5")
    s.sendall(b"\x05\x02" if 2 in methods else b"\x05\x00")
    if 2 in methods:
        exactly(s, exactly(s, 2)[1])
        exactly(s, exactly(s, 1)[0])
        s.sendall(b"\x01\x00")
    if exactly(s, 4) != b"\x05\x01\x00\x03":
        raise OSError("no CONNECT to a name")
    exactly(s, exactly(s, 1)[0] + 2)
    # For an onion service tor answers with an IPv6 address of zeros.
    s.sendall(b"\x05\x00\x00\x04" + bytes(18))


def serve(client, target, plain):
    try:
        if not plain:
            socks(client)
        inside = socket.socket(socket.AF_UNIX)
        inside.connect(target)
    except OSError:
        client.close()
        return
    threading.Thread(target=pump, args=(inside, client), daemon=True).start()
    pump(client, inside)


def tor(path, target, plain):
    s = listener(path)
    while True:
        client, _ = s.accept()
        threading.Thread(target=serve, args=(client, target, plain), daemon=True).start()


def main(argv):
    if len(argv) > 3 and argv[1] == "socket":
        return activate(argv[2], argv[3:])
    if len(argv) in (4, 5) and argv[1] == "tor" and argv[4:] in ([], ["plain"]):
        return tor(argv[2], argv[3], bool(argv[4:]))
    sys.stderr.write(__doc__)
    return 64


sys.exit(main(sys.argv))
