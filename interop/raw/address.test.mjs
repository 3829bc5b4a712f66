// Where a server can be reached, and whose address it sees: IPv6, unix
// sockets, proxies, several servers in one process, listening again.

import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  WAYS, ask, client, collect, connected, connection, eventually, next, rawJoin, rawPolling, rawWebSocket,
} from '../support/client.mjs';
import { QUIET, WebSocketWire, Wire, encodeRequest, request } from '../support/raw.mjs';
import { freePort, oursOnly, startServer } from '../support/server.mjs';

const ours = { skip: oursOnly('it believes no proxy, and listens where Node does') };

const folder = mkdtempSync(join(tmpdir(), 'sio-address-'));
after(() => rmSync(folder, { recursive: true }));

/** A server that ends with the test `t`. */
async function start(t, options = {}, profile = 'rows') {
  const server = await startServer(profile, { ...QUIET, ...options });
  t.after(server.stop);
  return server;
}

/** A test for each way to connect. */
function testEach(name, run, options = {}) {
  for (const [way, transports] of Object.entries(WAYS)) {
    test(`${name} (${way})`, options, (t) => run(t, { transports }, way));
  }
}

/** The port that is printed behind `word`. */
async function portOf(server, word) {
  const match = new RegExp(`^${word} on (\\d+)$`, 'm').exec(server.stdout());
  assert.ok(match, server.stdout());
  return Number(match[1]);
}

/** What /who says to a request with these headers, behind `prelude`. */
async function who(server, headers = {}, prelude = '') {
  const wire = await Wire.open(server);
  try {
    wire.write(prelude).write(encodeRequest(server, { target: '/who', headers }));
    const { address, secure } = JSON.parse((await wire.response()).text);
    return secure ? `${address} secure` : address;
  } finally {
    wire.destroy();
  }
}

/** The server closes without a word what begins so; it says why. */
async function assertClosed(server, bytes, log) {
  const wire = await Wire.open(server);
  wire.write(bytes);
  await wire.endedSilently();
  await eventually(() => server.stderr(), (text) => text.includes(log), log);
}

// -- addresses ----------------------------------------------------------------

testEach('SA04 address, protocol and id of the connection', async (t, options) => {
  const server = await start(t);
  const socket = await connected(t, server, '/', options);
  const [info] = await ask(socket, 'info');
  assert.equal(info.address, '127.0.0.1');
  assert.equal(info.protocol, 4);
  assert.equal(info.session, socket.io.engine.id);
  assert.equal((await ask(socket, 'handshake'))[0].address, '127.0.0.1');
});

test('SA04 an IPv6 address', async (t) => {
  const server = await start(t, { host: '::1' });
  const socket = await connected(t, server, '/', { transports: ['websocket'] });
  assert.equal((await ask(socket, 'info'))[0].address, '::1');
  const session = await rawPolling(server); // the client's XMLHttpRequest cannot
  await session.postOk('420["info"]');
  assert.equal(JSON.parse((await session.pollText()).slice(3))[0].address, '::1');
});

test('SA04 both families at one port, each with its addresses', ours, async (t) => {
  const server = await start(t, { host: '::' });
  assert.equal(await who({ ...server, host: '::1' }), '::1');
  assert.equal(await who({ ...server, host: '127.0.0.1' }), '127.0.0.1');
});

test('SA04 IPv6 only', ours, async (t) => {
  const server = await start(t, { host: '::', 'ipv6-only': true });
  assert.equal(await who({ ...server, host: '::1' }), '::1');
  await assert.rejects(who({ ...server, host: '127.0.0.1' }), { code: 'ECONNREFUSED' });
});

// -- unix sockets ---------------------------------------------------------------

for (const threads of [1, 4]) {
  test(`SV08 SA04 a unix socket beside the port, ${threads} threads`, ours, async (t) => {
    const path = join(folder, `unix-${threads}`);
    const server = await startServer('sio5', { ...QUIET, threads, unix: path, 'unix-mode': '0600' });
    assert.equal(statSync(path).mode & 0o777, 0o600);
    const local = { ...server, unix: path };
    for (let i = 0; i < 8; i++) {
      assert.equal(await who(local), 'unix:');
      assert.equal(await who(server), '127.0.0.1');
      const ws = await WebSocketWire.session(local, { path: '/socket.io/' });
      await rawJoin(ws, '/');
      ws.destroy();
    }
    await server.stop();
    assert.equal(existsSync(path), false, 'the file is removed');
  });
}

test('SV08 the socket of a server that was killed is replaced', ours, async (t) => {
  const path = join(folder, 'killed');
  const killed = await startServer('rows', { unix: path });
  process.kill(killed.pid, 'SIGKILL');
  await assert.rejects(killed.stop());
  assert.equal(existsSync(path), true);
  const server = await start(t, { unix: path });
  assert.equal(await who({ ...server, unix: path }), 'unix:');
  await assert.rejects(startServer('rows', { unix: path }), /listen_failed path .*: Address already in use/);
  assert.equal(await who({ ...server, unix: path }), 'unix:');
});

// -- what requests tell -----------------------------------------------------------

const CLIENT = '198.51.100.7';
const TRUST = { trust: '127.0.0.0/8, 10.0.0.0/8, 2001:db8:1::/48' };

testEach('SA04 the address behind a trusted proxy is the client\'s', async (t, options) => {
  const server = await start(t, TRUST);
  const extraHeaders = { 'X-Forwarded-For': `192.0.2.1, ${CLIENT}, 10.0.0.2`, 'X-Forwarded-Proto': 'https' };
  const socket = await connected(t, server, '/', { ...options, extraHeaders });
  const [info] = await ask(socket, 'info');
  assert.equal(info.address, CLIENT);
  assert.equal(info.secure, true);
  const [handshake] = await ask(socket, 'handshake');
  assert.equal(handshake.address, CLIENT);
  assert.equal(handshake.secure, true);
}, ours);

testEach('SA04 nobody is believed unless the server is told to', async (t, options) => {
  for (const trust of [undefined, '10.0.0.0/8, ::1, unix:']) {
    const server = await start(t, { trust });
    const extraHeaders = { 'X-Forwarded-For': CLIENT, 'X-Forwarded-Proto': 'https', Forwarded: `for=${CLIENT}` };
    const socket = await connected(t, server, '/', { ...options, extraHeaders });
    const [info] = await ask(socket, 'info');
    assert.equal(info.address, '127.0.0.1');
    assert.equal(info.secure, false);
  }
}, ours);

test('SA04 X-Forwarded-For is read from its end', ours, async (t) => {
  const server = await start(t, TRUST);
  const xff = (list) => who(server, { 'X-Forwarded-For': list });
  assert.equal(await xff(CLIENT), CLIENT);
  assert.equal(await xff(`192.0.2.1, ${CLIENT}`), CLIENT);
  assert.equal(await xff(`${CLIENT}, 2001:db8:1::5, 10.1.2.3`), CLIENT);
  assert.equal(await xff([`${CLIENT}`, '10.1.2.3']), CLIENT, 'two lines are one list');
  assert.equal(await xff('[2001:db8::7]:443, 10.0.0.1'), '2001:db8::7');
  assert.equal(await xff('10.0.0.1, 10.0.0.2'), '10.0.0.1');
  assert.equal(await xff(`${CLIENT}, unknown`), '127.0.0.1');
  assert.equal(await xff(`${CLIENT}, unknown, 10.0.0.1`), '10.0.0.1');
  assert.equal(await who(server, { Forwarded: `for=${CLIENT}` }), '127.0.0.1', 'a header that is not asked for');
  assert.equal(await who(server, { 'X-Forwarded-Proto': 'https' }), '127.0.0.1 secure');
});

test('SA04 the Forwarded header', ours, async (t) => {
  const server = await start(t, { ...TRUST, 'proxy-headers': 'forwarded' });
  const forwarded = (value) => who(server, { Forwarded: value });
  assert.equal(await forwarded(`for=${CLIENT};proto=https`), `${CLIENT} secure`);
  assert.equal(await forwarded(`for=192.0.2.1, For="${CLIENT}:99";by=x, for="[2001:db8:1::1]"`), CLIENT);
  assert.equal(await forwarded(`for="[2001:db8::7]"`), '2001:db8::7');
  assert.equal(await forwarded(`for=${CLIENT}, for=_hidden`), '127.0.0.1');
  assert.equal(await forwarded(`for=${CLIENT}, "`), '127.0.0.1');
  assert.equal(await who(server, { 'X-Forwarded-For': CLIENT, 'X-Forwarded-Proto': 'https' }), '127.0.0.1');
});

test('SA04 no header at all', ours, async (t) => {
  const server = await start(t, { ...TRUST, 'proxy-headers': 'none' });
  assert.equal(await who(server, { 'X-Forwarded-For': CLIENT, Forwarded: `for=${CLIENT}` }), '127.0.0.1');
});

test('SA04 refusals are logged with the client\'s address', ours, async (t) => {
  const server = await start(t, TRUST);
  const headers = { 'X-Forwarded-For': CLIENT };
  await request(server, { target: '/socket.io/?EIO=4&transport=none', headers });
  await eventually(() => server.stderr(), (text) => text.includes(`request_refused address ${CLIENT}: code 0`), 'the log');
  await request(server, {
    target: '/socket.io/?EIO=4&transport=websocket',
    headers: { ...headers, Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'short' },
  });
  await eventually(() => server.stderr(), (text) => text.includes(`handshake_refused address ${CLIENT}: Sec-WebSocket-Key`), 'the log');
});

// -- the PROXY protocol -------------------------------------------------------------

const LINE = `PROXY TCP4 ${CLIENT} 127.0.0.1 4711 80\r\n`;
const SIGNATURE = '\r\n\r\n\0\r\nQUIT\n';

function binary(command, family, addresses = [], fields = []) {
  const rest = Buffer.from([...addresses, ...fields]);
  const head = Buffer.concat([Buffer.from(SIGNATURE, 'latin1'), Buffer.from([command, family, 0, 0])]);
  head.writeUInt16BE(rest.length, 14);
  return Buffer.concat([head, rest]);
}

const IPV4 = [198, 51, 100, 7, 127, 0, 0, 1, 0x12, 0x67, 0, 80];
const IPV6 = [...Buffer.from('20010db8000000000000000000000007', 'hex'), ...Array(16).fill(0), 0, 1, 0, 2];
const TLS = [0x20, 0, 5, 1, 0, 0, 0, 1];
const PROXIED = { trust: '127.0.0.1', 'proxy-protocol': true };

/** A proxy in front of the server, which begins each connection with `header`;
 *  to be used in the server's place. */
async function proxy(t, server, header) {
  const open = new Set();
  const relay = createServer((down) => {
    const up = connect({ port: server.port, host: server.host, noDelay: true });
    up.write(header);
    for (const [from, to] of [[down, up], [up, down]]) {
      open.add(from);
      from.on('close', () => to.destroy());
      from.on('error', () => to.destroy());
      from.pipe(to);
    }
  });
  await new Promise((done) => relay.listen(0, '127.0.0.1', done));
  t.after(() => {
    for (const socket of open) socket.destroy();
    relay.close();
  });
  const { port } = relay.address();
  return { ...server, port, url: `http://127.0.0.1:${port}` };
}

const HEADERS = [
  ['version 1', LINE, CLIENT, false],
  ['version 2', binary(0x21, 0x11, IPV4), CLIENT, false],
  ['version 2, IPv6 and TLS', binary(0x21, 0x21, IPV6, TLS), '2001:db8::7', true],
];

for (const [label, header, address, secure] of HEADERS) {
  testEach(`SA04 through a proxy that speaks PROXY, ${label}`, async (t, options) => {
    const server = await start(t, PROXIED);
    const socket = await connected(t, await proxy(t, server, header), '/', {
      ...options, extraHeaders: { 'X-Forwarded-For': '192.0.2.66' },
    });
    if (options.transports.length > 1 && socket.io.engine.transport.name !== 'websocket') {
      await next(socket.io.engine, 'upgrade');
    }
    const [info] = await ask(socket, 'info');
    assert.equal(info.address, address);
    assert.equal(info.secure, secure);
  }, ours);
}

test('SA04 PROXY headers byte by byte, and of those that are not named', ours, async (t) => {
  const server = await start(t, { ...PROXIED, trust: '127.0.0.1, unix:' });
  for (const [, header, address, secure] of HEADERS) {
    const wire = await Wire.open(server);
    await wire.writePieces([...Buffer.from(header)].map((byte) => Buffer.from([byte])));
    wire.write(encodeRequest(server, { target: '/who' }));
    assert.deepEqual(JSON.parse((await wire.response()).text), { address, secure });
    wire.destroy();
  }
  const claim = { 'X-Forwarded-For': '192.0.2.66' };
  assert.equal(await who(server, claim, binary(0x20, 0)), '127.0.0.1');
  assert.equal(await who(server, claim, binary(0x21, 0)), '127.0.0.1');
  assert.equal(await who(server, claim, 'PROXY UNKNOWN\r\n'), '127.0.0.1');
  assert.equal(await who(server, claim, binary(0x21, 0x31, Array(216).fill(0))), 'unix:');
});

test('SA04 what begins without a PROXY header is closed', ours, async (t) => {
  const server = await start(t, { ...PROXIED, 'header-timeout': 300 });
  const log = 'warn proxy_refused address 127.0.0.1: PROXY header is missing';
  const get = encodeRequest(server, { target: '/who' });
  await assertClosed(server, get, log);
  await assertClosed(server, 'PROXY TCP4 1.2.3.4\r\n', log);
  await assertClosed(server, binary(0x31, 0x11, IPV4), log);
  await assertClosed(server, Buffer.concat([binary(0x21, 0x11, IPV4.slice(1)), get]), log);
  await assertClosed(server, 'PROXY TCP4 ', 'proxy_refused address 127.0.0.1: not answered in time');
  const counters = JSON.parse(await body(server, '/counters'));
  assert.equal(counters.proxy_errors, 5);
});

/** The body of an answer, asked for through a PROXY header. */
async function body(server, target) {
  const wire = await Wire.open(server);
  wire.write(LINE).write(encodeRequest(server, { target }));
  const { text } = await wire.response();
  wire.destroy();
  return text;
}

test('SA04 a peer that is no trusted proxy is closed', ours, async (t) => {
  const server = await start(t, { ...PROXIED, trust: '127.0.0.2' });
  await assertClosed(server, LINE, 'proxy_refused address 127.0.0.1: not a trusted proxy');
});

test('SA04 a port without PROXY headers beside one with them', ours, async (t) => {
  const path = join(folder, 'proxied');
  const server = await start(t, { trust: '127.0.0.1, unix:', 'proxy-protocol': true, direct: true, unix: path });
  const direct = { ...server, port: await portOf(server, 'direct') };
  assert.equal(await who(server, {}, LINE), CLIENT);
  assert.equal(await who({ ...server, unix: path }, {}, LINE), CLIENT);
  assert.equal(await who(direct), '127.0.0.1');
  const wire = await Wire.open(direct);
  wire.write(LINE);
  wire.write('\r\n');
  assert.equal((await wire.response()).status, 400);
});

test('SA04 the address goes along when a connection changes its loop', ours, async (t) => {
  const server = await start(t, { ...PROXIED, threads: 4 }, 'sio5');
  const through = await proxy(t, server, LINE);
  const sockets = await Promise.all(Array.from({ length: 12 }, () => connected(t, through)));
  await Promise.all(sockets.map(async (socket) => {
    const answer = next(socket, 'message-back');
    socket.emit('message', 'x');
    assert.deepEqual(await answer, ['x']);
  }));
  for (let i = 0; i < 12; i++) {
    assert.equal(await who(server, {}, LINE), CLIENT);
  }
});

// -- several servers ------------------------------------------------------------------

/** Clients of two servers, the second one not connected yet: what they say each
 *  server answers to its own. */
async function eachHearsItsOwn(one, two) {
  const told = next(two, 'beside');
  await connection(two);
  await told;
  const back = next(one, 'message-back');
  const heard = collect(one, 'said');
  const said = next(two, 'said');
  one.emit('message', 'to one');
  two.emit('say', 'to two');
  assert.deepEqual(await back, ['to one']);
  assert.deepEqual(await said, ['to two']);
  assert.equal(heard.length, 0);
}

for (const threads of [1, 2]) {
  testEach(`SV08 two servers in one process, ${threads} threads each`, async (t, options) => {
    const server = await start(t, { threads, path: '/one', beside: '/two' }, 'sio5');
    const port = await portOf(server, 'beside');
    const beside = { ...server, port, url: `http://127.0.0.1:${port}` };
    const one = await connected(t, server, '/', { ...options, path: '/one' });
    const two = client(t, beside, '/', { ...options, path: '/two' });
    await eachHearsItsOwn(one, two);
    const at = (where, path) => request(where, { target: `${path}/?EIO=4&transport=polling` });
    assert.equal((await at(server, '/two')).status, 404);
    assert.equal((await at(beside, '/one')).status, 404);
  }, ours);
}

// -- several servers behind one port ---------------------------------------------------

for (const threads of [1, 2]) {
  const mounted = (t, path) => start(t, { threads, path: '/one', beside: path, mounted: true }, 'sio5');

  testEach(`SV08 two servers behind one port, ${threads} threads each`, async (t, options) => {
    const server = await mounted(t, '/two');
    assert.equal(await portOf(server, 'beside'), server.port);
    const one = await connected(t, server, '/', { ...options, path: '/one' });
    const two = client(t, server, '/', { ...options, path: '/two' });
    await eachHearsItsOwn(one, two);
  }, ours);

  test(`SV08 requests on one connection go to and fro, ${threads} threads`, ours, async (t) => {
    const server = await mounted(t, '/two');
    const paths = ['/hello', '/two/?EIO=4&transport=polling', '/one/?EIO=4&transport=polling', '/nobody', '/two/x', '/hello'];
    const expected = [200, 200, 200, 404, 400, 200];
    const line = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const wire = await Wire.open(server);
    for (let turn = 0; turn < 3; turn++) {
      for (const [i, path] of paths.entries()) {
        wire.write(line(path));
        assert.equal((await wire.response()).status, expected[i], path);
      }
    }
    // All in one piece: each is answered in its turn, wherever it goes.
    wire.write(paths.map(line).join(''));
    for (const [i, path] of paths.entries()) {
      assert.equal((await wire.response()).status, expected[i], path);
    }
    // With a body, which comes late.
    const body = 'x'.repeat(50_000);
    wire.write(`POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
    wire.write(body);
    assert.equal(JSON.parse((await wire.response()).body).body, body);
    wire.destroy();
  });

  test(`SV08 the longer path has it, ${threads} threads`, ours, async (t) => {
    const server = await mounted(t, '/one/two');
    const outer = client(t, server, '/', { path: '/one' });
    const inner = client(t, server, '/', { path: '/one/two' });
    const told = next(inner, 'beside');
    await Promise.all([connection(outer), connection(inner), told]);
    const back = next(outer, 'message-back');
    outer.emit('message', 1);
    assert.deepEqual(await back, [1]);
  });
}

// -- listening again -------------------------------------------------------------------

for (const threads of [1, 4]) {
  testEach(`SV09 closing, and listening again at the same port, ${threads} threads`, async (t, options) => {
    const port = await freePort();
    const path = join(folder, `again-${threads}-${options.transports.length}-${options.transports[0]}`);
    const server = await start(t, { port, threads, unix: path }, 'sio5');
    const socket = client(t, server, '/', {
      ...options, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 100, autoConnect: false,
    });
    for (let life = 1; life <= 3; life++) {
      // It has tried by itself since it was cut off, perhaps with success, and
      // perhaps too early.
      const comes = socket.connected || next(socket, 'connect');
      socket.connect();
      await comes;
      const back = next(socket, 'message-back');
      socket.emit('message', life);
      assert.deepEqual(await back, [life]);
      assert.equal(await who({ ...server, unix: path }), 'unix:');
      const gone = next(socket, 'disconnect');
      process.kill(server.pid, 'SIGHUP');
      await gone;
      const lives = () => server.stdout().match(/^listening on /gm).length;
      await eventually(async () => lives(), (count) => count === life + 1, 'listening again');
    }
    const other = await connected(t, server, '/', options);
    assert.equal(other.connected, true);
  }, ours);
}

test('SV09 what is under way is over before it listens again', ours, async (t) => {
  const server = await start(t, { port: await freePort() }, 'sio5');
  const ws = await rawWebSocket(t, server);
  await ws.text('42["auth",{}]');
  const poll = await Wire.open(server);
  poll.write(encodeRequest(server, { target: '/socket.io/?EIO=4&transport=polling' }));
  const { sid } = JSON.parse((await poll.response()).text.slice(1));
  process.kill(server.pid, 'SIGHUP');
  await ws.gone();
  await eventually(async () => server.stdout(), (text) => text.match(/^listening on /gm).length === 2, 'listening again');
  const answer = await request(server, { target: `/socket.io/?EIO=4&transport=polling&sid=${sid}` });
  assert.equal(answer.status, 400, 'the session is gone');
  poll.destroy();
});
