#!/usr/bin/env python3
"""Writes inputs for fuzz_server: seeds_server.py FOLDER.

Each is what a client does, in the steps that fuzz_server.c reads.  The kept
corpus came from them.
"""
import os
import struct
import sys
import zlib

STEPS = ['open', 'select', 'bytes', 'frame', 'handshake', 'get', 'post',
         'websocket', 'turn', 'pass', 'eof', 'reset', 'window', 'pieces',
         'refuse', 'hiccup', 'act', 'quick', 'settle', 'echo']
EIO3, JSONP, ORIGIN = 32, 64, 128  # of a request
OF, DEFLATE = 64, 128              # of an upgrade
FLAGS = {name: 1 << bit for bit, name in enumerate(
    'recovery eio3 missing3 deflate msgpack random_ids compress small_payload '
    'small_backlog refuse cookie cors per_address handshakes rate disconnect '
    'warn skip proxies event_rules few_acks cleanup initial keep_alive '
    'no_takeover deflate_all moody slow drain free'.split())}


def letter(name):
    return ord(name) - ord('A')


def step(name, *args):
    """Numbers are a byte each, pairs of them are two, the rest has a length."""
    out = bytes([STEPS.index(name)])
    for arg in args:
        if isinstance(arg, int):
            out += bytes([arg])
        elif isinstance(arg, tuple):
            out += struct.pack('>H', arg[0])
        else:
            data = arg.encode() if isinstance(arg, str) else arg
            out += struct.pack('>H', len(data)) + data
    return out


def text(data):
    return step('frame', 0x81, data)


def binary(data):
    return step('frame', 0x82, data)


def packed(data):
    z = zlib.compressobj(6, zlib.DEFLATED, -15)
    whole = z.compress(data.encode()) + z.flush(zlib.Z_SYNC_FLUSH)
    return step('frame', 0xc1, whole[:-4])


def seed(flags, *steps):
    bits = 0
    for name in flags.split():
        bits |= FLAGS[name]
    return struct.pack('>I', bits) + b''.join(steps)


WS = step('websocket', 0)
JOIN = text('40')
EVENTS = [
    '42["echo","x",{"a":[1,2.5,null,"\u00e9"]}]', '421["ack",1]',
    '42["join","x"]', '42["say","x","words"]', '42["all",1]',
    '42["others","x"]', '42["leave","x"]', '42["q"]', '43%d["answer"]' % 0,
    '42["Q"]', '431["of all"]', '42["fetch"]', '425["take"]',
]
BYE = [text('41'), text('40'), text('42["disconnect"]'), text('40'),
       text('42["close"]')]
# The healthy client has "A".
A = letter('B')
B = letter('C')


def polling(how=0, sid=A, events=None):
    v3 = how & EIO3
    body = (lambda s: '%d:%s' % (len(s), s)) if v3 else (lambda s: s)
    form = (lambda s: 'd=' + s.replace('"', '%22')) if how & JSONP else (
        lambda s: s)
    out = [step('handshake', how)]
    if not v3:
        out.append(step('post', how | sid, form(body('40'))))
    out.append(step('get', how | sid))
    for event in events or EVENTS:
        out.append(step('post', how | sid, form(body(event))))
    out.append(step('get', how | sid))
    return out


def msgpack(value):
    if isinstance(value, bool) or value is None:
        return {None: b'\xc0', False: b'\xc2', True: b'\xc3'}[value]
    if isinstance(value, int):
        return bytes([value])
    if isinstance(value, str):
        return bytes([0xa0 | len(value)]) + value.encode()
    if isinstance(value, bytes):
        return bytes([0xc4, len(value)]) + value
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b''.join(map(msgpack, value))
    return bytes([0x80 | len(value)]) + b''.join(
        msgpack(k) + msgpack(v) for k, v in value.items())


def packet(kind, data=None, nsp='/', **more):
    return binary(msgpack({'type': kind, 'nsp': nsp, 'data': data, **more}))


BINARY = [text('451-["bin",{"_placeholder":true,"num":0}]'),
          binary(b'\0\1\2\xff'),
          text('452-7["join",{"_placeholder":true,"num":1},'
               '{"_placeholder":true,"num":0}]'), binary(b'a'), binary(b'')]
UPGRADE = [step('handshake', 0), step('post', A, '40'), step('get', A),
           step('get', A), step('open'), step('websocket', OF | A),
           text('2probe'), step('settle'), text('5')]
NAMESPACES = [JOIN, text('40/chat,{"token":1}'), text('42/chat,["all",1]'),
              text('40/dyn-1,'), text('42/dyn-1,3["x"]'), text('40/none,'),
              text('41/dyn-1,'), text('40/dyn-2'), text('41/chat,')]
RECOVER = [WS, JOIN, text('42["all","x"]'), text('42["echo","y"]'),
           step('reset'), step('act', 0), step('pass', (900,)), step('open'),
           WS, text('40{"pid":"\1","offset":"\2"}'), text('42["all","z"]')]
TWO = [WS, JOIN, text('42["join","x"]'), step('open'), step('handshake', 0),
       step('post', B, '40'), step('get', B), step('select', 1),
       text('42["say","x"]'), text('42["all","b"]'), step('select', 2),
       step('get', B), step('act', 0), step('act', 4), step('act', 5),
       step('get', B), step('act', 1), step('get', B)]


def raw(data):
    return step('bytes', data)


REQUESTS = [
    raw('GET /who HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n'),
    raw('HEAD /who HTTP/1.1\r\nHost: h\r\n\r\nGET /none HTTP/1.1\r\n'
        'Host: h\r\n\r\n'),
    raw('OPTIONS /socket.io/ HTTP/1.1\r\nHost: h\r\nOrigin: http://a.example'
        '\r\nAccess-Control-Request-Method: POST\r\n\r\n'),
    raw('POST /who HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n'
        '3\r\nabc\r\n0\r\n\r\n'),
    raw('POST /who HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n'
        'Content-Length: 2\r\n\r\n'), raw('ab'),
    raw('GET /socket.io/?EIO=4&transport=polling HTTP/1.0\r\n\r\n')]

SEEDS = {
    'requests': seed('cors proxies', *REQUESTS),
    'requests-pieces': seed('', step('pieces', 0x32), *REQUESTS[:4]),
    'websocket': seed('', WS, JOIN, *map(text, EVENTS), *BYE),
    'websocket-pieces': seed('', step('pieces', 0x10), WS, JOIN,
                             *map(text, EVENTS[:5])),
    'quick': seed('', step('quick'), WS, JOIN, *map(text, EVENTS)),
    'binary': seed('', WS, JOIN, *BINARY),
    'polling': seed('cookie compress cors', *polling(ORIGIN)),
    'eio3': seed('eio3', *polling(EIO3)),
    'eio3-websocket': seed('eio3', step('websocket', 32),
                           *map(text, EVENTS[:4]), text('2')),
    'jsonp': seed('eio3', *polling(JSONP)),
    'jsonp3': seed('eio3', *polling(JSONP | EIO3, events=EVENTS[:4])),
    'upgrade': seed('', *UPGRADE, *map(text, EVENTS[:6])),
    'upgrade-random': seed('random_ids', *UPGRADE),
    'namespaces': seed('cleanup', WS, *NAMESPACES),
    'moody': seed('moody slow', WS, step('act', 2), *NAMESPACES,
                  step('act', 2), step('act', 3)),
    'deflate': seed('deflate deflate_all', step('websocket', DEFLATE),
                    packed('40'), packed('42["echo","%s"]' % ('x' * 300)),
                    packed('42["all",1]'), text('42["echo",2]')),
    'deflate-fresh': seed('deflate deflate_all no_takeover',
                          step('websocket', DEFLATE), packed('40'),
                          packed('42["echo","%s"]' % ('y' * 200))),
    'msgpack': seed('msgpack', WS, packet(0), packet(2, ['echo', 1, 'x']),
                    packet(2, ['join', b'\1\2'], id=3),
                    packet(2, ['q']), packet(3, ['yes'], id=0), packet(1)),
    'recovery': seed('recovery skip', *RECOVER),
    'recovery-moody': seed('recovery moody', *RECOVER),
    'two': seed('', *TWO),
    'two-limits': seed('per_address handshakes', *TWO, step('open'), WS),
    'rate': seed('rate', WS, JOIN, *[text('42["a"]')] * 30,
                 step('pass', (1000,))),
    'rate-close': seed('rate disconnect', WS, JOIN, *[text('42["a"]')] * 30),
    'window': seed('', WS, JOIN, step('window', (4,)),
                   *map(text, EVENTS), step('pass', (40,)),
                   step('window', (0xffff,)), step('settle')),
    'backlog': seed('small_backlog', WS, JOIN, step('window', (0,)),
                    *[text('42["a","%s"]' % ('z' * 90))] * 8),
    'backlog-refuse': seed('small_backlog refuse', WS, JOIN,
                           step('window', (0,)),
                           *[text('42["a","%s"]' % ('z' * 90))] * 8),
    'timeouts': seed('', WS, JOIN, *[step('pass', (25000,))] * 4),
    'polling-timeouts': seed('', step('handshake', 0), step('post', A, '40'),
                             step('get', A), step('pass', (25000,)),
                             step('get', A), step('pass', (50000,))),
    'errors': seed('event_rules', step('refuse', 0), step('open'),
                   step('pass', (100,)), step('refuse', 5), WS, JOIN,
                   text('42["!"]'), text('42["-"]'), step('hiccup', 0),
                   text('42["echo"]'), step('hiccup', 128 + 4),
                   text('42["echo"]')),
    'eof': seed('keep_alive', WS, JOIN, step('eof'), step('open'),
                step('handshake', 0), step('eof'), step('pass', (30,))),
    'drain': seed('drain initial', *TWO[:7]),
    'free': seed('free slow', *TWO[:7], text('42["q"]'), text('425["take"]')),
}


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    for name, data in SEEDS.items():
        with open(os.path.join(folder, name), 'wb') as file:
            file.write(data)


main()
