#!/usr/bin/env python3
"""What a host sends, of any kind and on any interface, loopback included.

usage: frames.py capture          a line for each new kind of frame that leaves this
                                  network namespace, until a signal; first "ready"
       frames.py judge FILE RULE...   exit 1 if a capture has more than the rules allow

RULES  dial=ADDRESS:PORT   TCP to it, from any port
       serve=ADDRESS:PORT,PEER   TCP from it to the host PEER
       link                what IP itself needs on an Ethernet to find those peers: ARP
                           and neighbour discovery, and no other multicast than its own
"""
import ipaddress
import signal
import socket
import struct
import sys

OUTGOING = 4
LINK_ICMP6 = {133, 135, 136, 143}  # router and neighbour discovery, multicast listeners


def endpoint(address, port):
    return ("[%s]:%d" if ":" in address else "%s:%d") % (address, port)


def transport(name, protocol, source, target, rest):
    if protocol in (6, 17) and len(rest) >= 4:
        sport, dport = struct.unpack("!HH", rest[:4])
        kind = "tcp" if protocol == 6 else "udp"
        return "%s %s %s" % (kind, endpoint(source, sport), endpoint(target, dport))
    if protocol == 58 and rest:
        return "icmp6 %d %s" % (rest[0], target)
    return "%s protocol %d %s" % (name, protocol, target)


def describe(ethertype, p):
    if ethertype == 0x0806 and len(p) >= 28:
        return "arp %s" % ipaddress.ip_address(p[24:28])
    if ethertype == 0x0800 and len(p) >= 20:
        source, target = (str(ipaddress.ip_address(p[i:i + 4])) for i in (12, 16))
        return transport("ip", p[9], source, target, p[(p[0] & 15) * 4:])
    if ethertype == 0x86DD and len(p) >= 40:
        source, target = (str(ipaddress.ip_address(p[i:i + 16])) for i in (8, 24))
        protocol, rest = p[6], p[40:]
        if protocol == 0 and len(rest) >= 8:  # hop-by-hop options, before multicast reports
            protocol, rest = rest[0], rest[(rest[1] + 1) * 8:]
        return transport("ip6", protocol, source, target, rest)
    return "ethertype %04x" % ethertype


def capture():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    seen = set()
    print("ready", flush=True)
    while True:
        frame, (_, ethertype, kind, _, _) = s.recvfrom(256)
        if kind == OUTGOING:
            line = describe(ethertype, frame)
            if line not in seen:
                seen.add(line)
                print(line, flush=True)


def judge_line(line, dials, serves, link):
    word = line.split()
    if word[0] == "tcp":
        target = word[2].rpartition(":")[0].strip("[]")
        return word[2] in dials or (word[1], target) in serves
    peers = {d.rpartition(":")[0].strip("[]") for d in dials} | {p for _, p in serves}
    if word[0] == "arp":
        return link and word[1] in peers
    return link and word[0] == "icmp6" and int(word[1]) in LINK_ICMP6


def judge(path, rules):
    dials, serves, link, bad = set(), set(), False, 0
    for rule in rules:
        kind, _, value = rule.partition("=")
        if kind == "dial":
            dials.add(value)
        elif kind == "serve":
            serves.add(tuple(value.split(",")))
        elif kind == "link":
            link = True
        else:
            sys.exit(__doc__)
    with open(path, encoding="utf-8") as lines:
        frames = lines.read().split("\n")
    if frames[0] != "ready":
        print("%s: the capture did not start" % path)
        return 1
    for line in filter(None, frames[1:]):
        if not judge_line(line, dials, serves, link):
            print("%s: %s" % (path, line))
            bad += 1
    for dial in sorted(dials):
        if not any(line.startswith("tcp ") and line.endswith(" " + dial) for line in frames):
            print("%s: nothing went to %s" % (path, dial))
            bad += 1
    return 1 if bad else 0


def main(argv):
    if argv[1:] == ["capture"]:
        return capture()
    if len(argv) > 2 and argv[1] == "judge":
        return judge(argv[2], argv[3:])
    sys.stderr.write(__doc__)
    return 64


sys.exit(main(sys.argv))
