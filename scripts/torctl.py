#!/usr/bin/env python3
"""A stranger's hand at a tor: asks its SOCKS port for an address, or its control port something.

usage: torctl.py socks SOCKET HOST PORT [SECONDS]
       torctl.py control SOCKET COOKIE COMMAND...

`socks` prints the reply in hex and its code in two digits after it, as tor sent
it ("05f4... f4"); "silence" when none came in time. `control` prints every
answer. Exit status 0 when there was an answer, whatever it says.
"""
import socket
import sys


def connect(path, seconds):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(seconds)
    s.connect(path)
    return s


def socks(path, host, port, seconds="60"):
    s = connect(path, float(seconds))
    s.sendall(b"\x05\x01\x00")
    if s.recv(2) != b"\x05\x00":
        raise ValueError("not a SOCKS5 port without authentication")
    name = host.encode()
    s.sendall(b"\x05\x01\x00\x03" + bytes([len(name)]) + name + int(port).to_bytes(2, "big"))
    try:
        reply = s.recv(64)
    except socket.timeout:
        reply = b""
    if len(reply) < 2:
        print("silence" if not reply else reply.hex())
        return 1
    print(reply.hex(), "%02x" % reply[1])
    return 0


def one_answer(answers):
    """The lines up to the last one, a data block's among them."""
    data = False
    while True:
        line = answers.readline().rstrip("\r\n")
        if not line:
            raise ValueError("tor hung up")
        yield line
        if data:
            data = line != "."
        elif line[3] == " ":
            return
        else:
            data = line[3] == "+"


def control(path, cookie, *commands):
    with connect(path, 30) as s, open(cookie, "rb") as f:
        answers = s.makefile("r", newline="\r\n")
        for command in ("AUTHENTICATE " + f.read().hex(),) + commands:
            s.sendall(command.encode() + b"\r\n")
            for line in one_answer(answers):
                if not command.startswith("AUTHENTICATE"):
                    print(line)
    return 0


def main(what=None, *arguments):
    works = {"socks": socks, "control": control}
    if what not in works:
        print(__doc__, file=sys.stderr)
        return 64
    try:
        return works[what](*arguments)
    except (OSError, ValueError) as e:
        print("torctl: %s" % e, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
