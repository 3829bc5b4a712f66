#!/usr/bin/env python3
"""Inputs for fuzz_server that are written by hand.

    seeds_server.py FOLDER           writes them
    seeds_server.py --check PROGRAM  runs each, and says which does not reach
                                     what it is there for

Each is what a client does, in the steps that server_steps.c reads, and names
what has to come of that: counters of the server and of its application (see
server_reach.c).
"""
import os
import struct
import subprocess
import sys
import tempfile
import zlib

STEPS = ['open', 'select', 'bytes', 'frame', 'handshake', 'get', 'post',
         'websocket', 'turn', 'pass', 'eof', 'reset', 'window', 'pieces',
         'refuse', 'hiccup', 'act', 'quick', 'settle', 'echo', 'open_at',
         'other', 'stop_other', 'post_octets', 'jump']
EIO3, JSONP, ORIGIN = 32, 64, 128  # of a request
OF, DEFLATE = 64, 128              # of an upgrade
FLAGS = {name: 1 << bit for bit, name in enumerate(
    'recovery eio3 missing3 deflate msgpack random_ids compress small_payload '
    'small_backlog refuse cookie cors per_address handshakes rate disconnect '
    'warn skip proxies event_rules few_acks cleanup initial keep_alive '
    'no_takeover deflate_all moody slow drain free places mount small_windows '
    'again packets outgoing'.split())}
FLAG_BYTES = 5
PLAIN, PROXY, UNIX = range(3)      # places


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


def seed(flags, reach, *steps):
    bits = 0
    for name in flags.split():
        bits |= FLAGS[name]
    return reach, bits.to_bytes(FLAG_BYTES, 'big') + b''.join(steps)


WS = step('websocket', 0)
JOIN = text('40')
EVENTS = [
    '42["echo","x",{"a":[1,2.5,null,"\u00e9"]}]', '421["ack",1]',
    '42["join","x"]', '42["say","x","words"]', '42["all",1]',
    '42["others","x"]', '42["leave","x"]', '42["q"]', '43%d["answer"]' % 0,
    '42["Q"]', '431["of all"]', '42["fetch"]', '425["take"]',
]
BYE = [text('41'), text('40'), text('42["drop"]'), text('40'), text('42["close"]')]
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
# A verdict comes late, and so does a word about a namespace.
MOODY = [WS, step('act', 2), JOIN, text('40/chat,{"token":1}'), step('act', 2),
         text('42/chat,["all",1]'), text('40/dyn-1,'), step('act', 3),
         text('42["echo"]')]
RECOVER = [WS, JOIN, text('42["all","x"]'), text('42["echo","y"]'),
           step('reset'), step('act', 0), step('pass', (900,)), step('open'),
           WS, text('40{"pid":"\1","offset":"\2"}'), text('42["all","z"]')]
TWO = [WS, JOIN, text('42["join","x"]'), step('open'), step('handshake', 0),
       step('post', B, '40'), step('get', B), step('select', 1),
       text('42["say","x"]'), text('42["all","b"]'), step('select', 2),
       step('get', B), step('act', 0), step('act', 4), step('act', 5),
       step('get', B), step('act', 1), step('get', B)]


# Engine.IO 3 has lengths in digits, a byte each, up to 255.
OCTETS = b''.join(bytes([kind]) + bytes(map(int, str(len(data)))) + b'\xff' + data
                  for kind, data in [(0, b'451-["bin",{"_placeholder":true,'
                                         b'"num":0}]'), (1, b'\4\0\1\2')])
LATE = [WS, step('act', 2), JOIN, text('42["q"]'), text('425["take"]'),
        step('open'), WS]


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
    raw('GET /socket.io/?EIO=4&transport=x HTTP/1.1\r\nHost: h\r\n\r\n'),
    raw('GET /socket.io/?EIO=4&transport=polling HTTP/1.0\r\n\r\n'),
    step('open'), raw('GET /\r\n\r\n')]

ASKED = ('GET /socket.io/?EIO=4&transport=websocket&a=b+%C3%A9&a=%ff&%00=1&x '
         'HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n'
         'Connection: Upgrade\r\nCookie: a=b\r\nCookie: c=d\r\nX-E: \xe9\r\n'
         'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
         'Sec-WebSocket-Version: 13\r\n\r\n')
CONTROL = [step('frame', 0x89, 'hey'), step('frame', 0x01, '42["ec'),
           step('frame', 0x8a, ''), step('frame', 0x00, 'ho",'),
           step('frame', 0x80, '1]')]
B64 = ('GET /socket.io/?EIO=3&transport=websocket&b64=1 HTTP/1.1\r\nHost: h\r\n'
       'Upgrade: websocket\r\nConnection: Upgrade\r\n'
       'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
       'Sec-WebSocket-Version: 13\r\n\r\n')
# Two who are told of all, one of whom reads little.
CROWD = [WS, JOIN, text('42["join",1]'), step('open'), WS, JOIN,
         text('42["join",1]'), step('window', (30,)),
         *[text('42["all","%s"]' % ('m' * 50))] * 3, step('act', 0),
         step('act', 5), step('select', 1), text('42["say",1]'),
         text('42["Q"]'), text('430[1]'), step('select', 2),
         step('window', (9,)), step('pass', (5,)), step('window', (0xffff,)),
         step('settle'), text('430[2]')]
PREFLIGHT = raw('OPTIONS /socket.io/?EIO=4 HTTP/1.1\r\nHost: h\r\n'
                'Origin: http://x.b.example\r\n'
                'Access-Control-Request-Method: POST\r\n'
                'Access-Control-Request-Headers: x-a\r\n\r\n')
PROXIED = [step('open_at', PROXY),
           raw('PROXY TCP4 192.0.2.1 192.0.2.9 1 2\r\n'), WS, JOIN,
           text('42["echo"]'), step('open_at', PROXY),
           raw(b'\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\2\xc0\0\2\x09\0\1'
               b'\0\2'), step('handshake', 0), step('open_at', PROXY), WS]
LOCAL = [step('open_at', UNIX), WS, JOIN, text('42["echo"]')]
OTHER = [WS, JOIN, text('42["all",1]'), step('open'), step('other'),
         WS, JOIN, text('42["all",2]'), step('act', 0), step('open'),
         step('handshake', 0), step('post', B, '40'), step('get', B),
         step('other'), raw('GET /who HTTP/1.1\r\nHost: h\r\n\r\n')]

SEEDS = {
    'requests': seed('cors proxies', 'requests http_errors handshakes refused',
                     *REQUESTS),
    'requests-pieces': seed('', 'requests', step('pieces', 0x32),
                            *REQUESTS[:4]),
    'websocket': seed('', 'events echoes answers asked '
                      'disconnected_client_namespace '
                      'disconnected_server_namespace', WS, JOIN,
                      *map(text, EVENTS), *BYE),
    'websocket-pieces': seed('', 'events', step('pieces', 0x10), WS, JOIN,
                             *map(text, EVENTS[:5])),
    'quick': seed('', 'events answers', step('quick'), WS, JOIN,
                  *map(text, EVENTS)),
    'ack-later': seed('', 'acks', WS, JOIN, text('425["take"]'),
                      step('act', 2)),
    'binary': seed('', 'binaries echoes', WS, JOIN, *BINARY),
    'polling': seed('cookie compress cors', 'events answers',
                    *polling(ORIGIN)),
    'eio3': seed('eio3', 'events answers', *polling(EIO3)),
    'eio3-websocket': seed('eio3', 'events', step('websocket', 32),
                           *map(text, EVENTS[:4]), text('2')),
    'eio3-octets': seed('eio3', 'events binaries', *polling(EIO3)[:2],
                        step('post_octets', EIO3 | A, OCTETS),
                        step('get', EIO3 | A)),
    'jsonp': seed('eio3', 'events answers', *polling(JSONP)),
    'jsonp3': seed('eio3', 'events', *polling(JSONP | EIO3,
                                              events=EVENTS[:4])),
    'upgrade': seed('', 'upgrades events', *UPGRADE, *map(text, EVENTS[:6])),
    'upgrade-random': seed('random_ids', 'upgrades events', *UPGRADE,
                           text(EVENTS[0])),
    'namespaces': seed('cleanup', 'events namespaces_created '
                       'namespaces_removed', WS, *NAMESPACES),
    'moody': seed('moody slow', 'events verdicts waited', *MOODY),
    'deflate': seed('deflate deflate_all', 'events', step('websocket', DEFLATE),
                    packed('40'), packed('42["echo","%s"]' % ('x' * 300)),
                    packed('42["all",1]'), text('42["echo",2]')),
    'deflate-fresh': seed('deflate deflate_all no_takeover', 'events',
                          step('websocket', DEFLATE), packed('40'),
                          packed('42["echo","%s"]' % ('y' * 200))),
    'deflate-small': seed('deflate deflate_all small_windows', 'events',
                          step('websocket', DEFLATE), packed('40'),
                          packed('42["echo","%s"]' % ('y' * 200))),
    'msgpack': seed('msgpack', 'events answers binaries', WS, packet(0),
                    packet(2, ['echo', 1, 'x']),
                    packet(2, ['join', b'\1\2'], id=3),
                    packet(2, ['q']), packet(3, ['yes'], id=0), packet(1)),
    'recovery': seed('recovery skip', 'recovered', *RECOVER),
    'recovery-moody': seed('recovery moody', 'recovered waited', *RECOVER[:-1],
                           step('act', 2), RECOVER[-1]),
    'two': seed('', 'events', *TWO),
    'two-limits': seed('per_address handshakes', 'limited_all_handshakes',
                       *TWO, step('open'), WS),
    'rate': seed('rate', 'rate_throttled', WS, JOIN,
                 *[text('42["a"]')] * 30, step('pass', (1000,))),
    'rate-warn': seed('rate warn', 'rate_warned', WS, JOIN,
                      *[text('42["a"]')] * 30),
    'rate-close': seed('rate disconnect', 'rate_closed', WS, JOIN,
                       *[text('42["a"]')] * 30),
    'window': seed('', 'events answers', WS, JOIN, step('window', (4,)),
                   *map(text, EVENTS), step('pass', (40,)),
                   step('window', (0xffff,)), step('settle')),
    'backlog': seed('small_backlog', 'backlog_closed', WS, JOIN,
                    step('window', (0,)),
                    *[text('42["a","%s"]' % ('z' * 90))] * 8),
    'backlog-refuse': seed('small_backlog refuse', 'backlog_refused', WS, JOIN,
                           step('window', (0,)),
                           *[text('42["a","%s"]' % ('z' * 90))] * 8),
    'timeouts': seed('', 'ping_timeouts', WS, JOIN,
                     *[step('pass', (25000,))] * 4),
    'polling-timeouts': seed('', 'ping_timeouts', step('handshake', 0),
                             step('post', A, '40'), step('get', A),
                             step('pass', (25000,)), step('get', A),
                             step('pass', (50000,))),
    'connect-timeout': seed('', 'connect_timeouts', WS,
                            *[step('pass', (20000,)), text('3')] * 3),
    'errors': seed('event_rules', 'events', step('refuse', 0), step('open'),
                   step('pass', (100,)), step('refuse', 5), WS, JOIN,
                   text('42["!"]'), text('42["-"]'), step('hiccup', 0),
                   text('42["echo"]'), step('hiccup', 128 + 4),
                   text('42["echo"]')),
    'eof': seed('keep_alive', 'disconnected_transport_close', WS, JOIN,
                step('eof'), step('open'), step('handshake', 0), step('eof'),
                step('pass', (30,))),
    'drain': seed('drain initial', 'disconnected_shutting_down', *TWO[:7]),
    'free': seed('free slow', 'verdicts events', *LATE),
    'proxy': seed('places', 'proxied events proxy_errors', *PROXIED),
    'unix': seed('places', 'unix events', *LOCAL),
    'mounted': seed('mount', 'events other_events handed_over requests',
                    *OTHER),
    'mounted-ends': seed('mount', 'other_events', *OTHER[:9],
                         step('stop_other'), step('open'), WS),
    'curious': seed('', 'read events', step('bytes', ASKED), JOIN,
                    text('40/chat,{"token":"x"}'), text('42["join","x"]'),
                    text('42["read","s",{"a":1},[2.5e3,null]]'),
                    text('42["read",-7]'), text('42["read",true]'),
                    text('42["read",1.5]'), text('42["info"]'),
                    text('42["both"]'), text('452-["read",'
                         '{"_placeholder":true,"num":1},'
                         '{"_placeholder":true,"num":0}]'), binary(b'a'),
                    binary(b'')),
    'curious-msgpack': seed('msgpack', 'read binaries', WS, packet(0),
                            packet(2, ['read', b'\1', [None, True]]),
                            packet(2, ['info']), packet(2, ['both'])),
    'waits': seed('event_rules packets outgoing', 'rules claims late failed '
                  'packets outgoing drained', WS, JOIN, text('42["?"]'),
                  text('40/ask-1,{"a":[1]}'), step('open'),
                  raw('POST /later HTTP/1.1\r\nHost: h\r\n'
                      'Content-Length: 2\r\n\r\nab'), step('act', 2),
                  step('select', 1), text('42/ask-1,["echo"]'),
                  text('421["!"]'), text('42["Q"]'), text('430["x"]'),
                  step('act', 6), step('act', 4), step('act', 5)),
    'filtered': seed('', 'http_requests', raw(
        'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: h\r\n'
        'X-Refuse: tea\r\n\r\n')),
    'control': seed('', 'events disconnected_transport_close', WS, JOIN,
                    *CONTROL, step('frame', 0x88, b'\x03\xe8bye'),
                    step('eof')),
    'close-answered': seed('', 'disconnected_server_namespace', WS, JOIN,
                           text('42["close"]'),
                           step('frame', 0x88, b'\x03\xe8'), step('eof')),
    'crowd': seed('', 'events gathered', *CROWD),
    'crowd-deflate': seed('deflate deflate_all', 'events', *CROWD[:3],
                          step('open'), step('websocket', DEFLATE), JOIN,
                          *CROWD[6:]),
    'eio3-query': seed('eio3', 'events', step('websocket', EIO3),
                       text('40/chat?token=a+%C3%A9&b'), text('42/chat,["read",1]'),
                       text('40/dyn-1?x'), text('41/chat?a=b')),
    'eio3-base64': seed('eio3', 'binaries', raw(B64),
                        text('451-["bin",{"_placeholder":true,"num":0}]'),
                        text('b4AAEC/w=='), text('42["both"]')),
    'attachments': seed('', 'attachment_timeouts', WS, JOIN, BINARY[0],
                        *[step('pass', (20000,)), text('3')] * 4),
    'attachments-wrong': seed('', 'peer_errors', WS, JOIN, BINARY[0],
                              text('42["echo"]')),
    'rooms': seed('', 'limited_rooms', WS, JOIN,
                  *[text('42["join",%d]' % i) for i in range(6)],
                  *[text('42["leave",%d]' % i) for i in range(6)],
                  text('42["others",2]')),
    'namespaces-many': seed('', 'limited_namespaces', WS, JOIN,
                            *[text('40/dyn-%d' % i) for i in range(6)]),
    'connect-error': seed('', 'peer_errors', WS, JOIN, text('44{"a":1}')),
    'twice': seed('', 'peer_errors', WS, JOIN, JOIN, text('42["echo"]'),
                  step('open'), step('websocket', OF | A)),
    'polling-overlap': seed('', 'disconnected_transport_error',
                            step('handshake', 0), step('post', A, '40'),
                            step('get', A), step('get', A), step('open'),
                            step('get', A)),
    'polling-posts': seed('', 'peer_errors', step('handshake', 0),
                          raw('POST /socket.io/?EIO=4&transport=polling&sid=B '
                              'HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n'
                              '40'), step('open'), step('post', A, '40')),
    'polling-chunked': seed('', 'events', step('handshake', 0),
                            step('post', A, '40'),
                            raw('POST /socket.io/?EIO=4&transport=polling&sid=B '
                                'HTTP/1.1\r\nHost: h\r\n'
                                'Transfer-Encoding: chunked\r\n\r\n'
                                '5;a=b\r\n42["a\r\n2\r\n"]\r\n0\r\n\r\n'),
                            step('get', A)),
    'polling-closes': seed('', 'disconnected_transport_close',
                           step('handshake', 0), step('post', A, '40'),
                           step('get', A), step('get', A), step('open'),
                           step('post', A, '1')),
    'polling-rate': seed('rate', 'rate_throttled', step('handshake', 0),
                         step('post', A, '\x1e'.join(['40'] + ['42["a"]'] * 25)),
                         step('get', A), step('post', A, '42["b"]'),
                         step('pass', (1000,)), step('get', A)),
    'polling-large': seed('small_payload', 'http_errors', step('handshake', 0),
                          step('post', A, '4' * 200), step('get', A)),
    'body-late': seed('', 'http_errors', step('handshake', 0),
                      raw('POST /socket.io/?EIO=4&transport=polling&sid=B '
                          'HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n40'),
                      step('pass', (30000,)), step('pass', (31000,)),
                      step('open'), raw('GET /'), step('pass', (16000,))),
    'upgrade-late': seed('', 'events', *UPGRADE[:-1], step('pass', (11000,)),
                         step('open'), step('post', A, '42["echo"]'),
                         step('get', A)),
    'upgrade-closed': seed('', 'disconnected_server_namespace', *UPGRADE[:-1],
                           step('act', 0x41), text('5'), step('settle')),
    'jump': seed('', 'requests', REQUESTS[0], step('jump', (0,)), REQUESTS[0],
                 step('jump', (0xffff,)), step('pass', (1000,)), REQUESTS[0]),
    'preflight': seed('cors', 'http_requests', PREFLIGHT),
    'deflate-wrong': seed('deflate', 'peer_errors', step('websocket', DEFLATE),
                          step('frame', 0xc1, b'\xff\xff\xff')),
    'again': seed('again mount places', 'lives events', WS, JOIN,
                  text('42["echo"]')),
}


def write(folder):
    os.makedirs(folder, exist_ok=True)
    for name, (_, data) in SEEDS.items():
        with open(os.path.join(folder, name), 'wb') as file:
            file.write(data)


def check(program):
    """Runs each; returns how many fall short."""
    short = 0
    with tempfile.TemporaryDirectory() as folder:
        write(folder)
        for name, (reach, _) in SEEDS.items():
            done = subprocess.run(
                [program, os.path.join(folder, name)],
                env=os.environ | {'FUZZ_SERVER_REACH': reach}, text=True,
                stderr=subprocess.PIPE, errors='replace', check=False)
            if done.returncode != 0:
                short += 1
                print(done.stderr)
            if done.returncode != 0 or not reach:
                print(f'{name}: falls short of: {reach}')
    print(f'{len(SEEDS) - short} of {len(SEEDS)} seeds reach their ends')
    return short


def main():
    if sys.argv[1] == '--check':
        sys.exit(check(sys.argv[2]) != 0)
    write(sys.argv[1])


main()
