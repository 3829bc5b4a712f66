// What the tests of a server with several loops share: servers of the profile
// `threads`, which loop has what, and clients on chosen loops.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { WAYS, connected, eventually, getJson } from './client.mjs';
import { OP, Polling, QUIET, WebSocketWire, Wire, encodeRequest, request, upgradeHeaders } from './raw.mjs';
import { isOfficial, startServer } from './server.mjs';

// A data race ends the server with a code of its own.
process.env.TSAN_OPTIONS ??= 'halt_on_error=1 exitcode=66';

export const PATH = '/socket.io/';
export const THREADS = 4; // loops, unless a server is told otherwise
const SANITIZERS = /\b(?:Address|Thread|Leak|UndefinedBehavior)Sanitizer\b|runtime error:/;

/** A server of the profile.  `stop` fails too when a sanitizer has said
 *  something, whatever the exit code. */
export async function startThreads(options = {}) {
  const server = await startServer('threads', { ...QUIET, ...options });
  const { stop } = server;
  let stopping = null;
  const checked = async () => {
    await stop();
    assert.doesNotMatch(server.stderr(), SANITIZERS);
  };
  server.stop = () => (stopping ??= checked());
  return server;
}

/** Declares tests that share a server, one after the other: `define` gets
 *  on(name, run, options), with run(t, server). */
export function withThreads(title, options, define) {
  const skip = isOfficial && 'the official server has one thread';
  describe(title, { skip }, () => {
    let server;
    before(async () => (server = await startThreads(options)));
    after(async () => server?.stop());
    define((name, run, testOptions = {}) => test(name, testOptions, async (t) => {
      await deserted(server); // by the clients of the test before
      await run(t, server);
    }));
  });
}

/** Whether the server is a build with sanitizers, which keep memory. */
export function isSanitized(server) {
  if (process.env.SANITIZED !== undefined) return process.env.SANITIZED === '1';
  return /lib[at]san\.so/.test(readFileSync(`/proc/${server.pid}/maps`, 'utf8'));
}

/* ------------------------------------------------------------- counters -- */

/** What each loop counts. */
export const loops = (server) => getJson(server, '/loops');

export function sum(list, counter) {
  return list.reduce((total, loop) => total + loop[counter], 0);
}

/** A counter over all loops. */
export const counted = async (server, counter) => sum(await loops(server), counter);

/** Sessions and sockets of all loops. */
const present = async (server) => {
  const list = await loops(server);
  return [sum(list, 'sessions'), sum(list, 'sockets')];
};

/** Resolves when nothing is left of the clients. */
export function deserted(server) {
  return eventually(() => present(server), ([n, m]) => n === 0 && m === 0, 'sessions and sockets');
}

/** Resolves when there are exactly that many sessions. */
export function population(server, count) {
  return eventually(() => present(server), ([n]) => n === count, `${count} sessions, and sockets`);
}

/** The one loop on which `counter` has grown. */
function grown(old, young, counter) {
  const all = young.flatMap((loop, i) => (loop[counter] === old[i][counter] ? [] : [i]));
  assert.equal(all.length, 1, `${counter} grew on one loop, not ${all}`);
  return all[0];
}

/* -------------------------------------------------------------- clients -- */

/** A connected client; its `loop` is where its session lives.  Nobody else
 *  may connect meanwhile. */
export async function placed(t, server, nsp = '/', options = {}) {
  const old = await loops(server);
  const socket = await connected(t, server, nsp, options);
  socket.loop = grown(old, await loops(server), 'handshakes');
  return socket;
}

/** Clients, over all transports by turns, until each loop has `each` of them. */
export async function everywhere(t, server, each, options = {}, nsp = '/') {
  const { ways = Object.values(WAYS), ...more } = options;
  const all = [];
  const has = Array(THREADS).fill(0);
  while (has.some((n) => n < each)) {
    assert.ok(all.length < 40 * each, `some loop gets none: ${has}`);
    const transports = ways[all.length % ways.length];
    const socket = await placed(t, server, nsp, { transports, ...more });
    has[socket.loop]++;
    all.push(socket);
  }
  return all;
}

/** One client of each loop. */
export function oneOfEach(all) {
  return Array.from({ length: THREADS }, (_, loop) => all.find((socket) => socket.loop === loop));
}

/* ------------------------------------------------------- raw connections -- */

/** A request on a connection that stays. */
export function askOn(server, wire, options) {
  wire.write(encodeRequest(server, options));
  return wire.response(options);
}

async function loopsOn(server, wire) {
  const response = await askOn(server, wire, { target: '/loops' });
  assert.equal(response.status, 200);
  return JSON.parse(response.text);
}

/** The loop that has a connection.  It has served what is asked for here; that
 *  others have not shows as soon as nobody else asks anything. */
export async function loopOf(server, wire) {
  let old = await loopsOn(server, wire);
  for (let i = 0; i < 100; i++) {
    const young = await loopsOn(server, wire);
    const busy = young.flatMap((loop, k) => (loop.http_requests === old[k].http_requests ? [] : [k]));
    if (busy.length === 1) return busy[0];
    old = young;
  }
  return assert.fail('others ask all the time');
}

async function findWire(server, wanted) {
  const others = [];
  try {
    for (;;) {
      assert.ok(others.length < 100, 'no connection gets there');
      const wire = await Wire.open(server);
      wire.loop = await loopOf(server, wire);
      if (wanted(wire.loop)) return wire;
      others.push(wire);
    }
  } finally {
    others.forEach((wire) => wire.destroy());
  }
}

/** A connection on a loop for which `wanted` holds; `wire.loop` is its index. */
export async function wireOn(t, server, wanted) {
  const wire = await findWire(server, wanted);
  t.after(() => wire.destroy());
  return wire;
}

/** A connection on another loop than that one. */
export const foreignWire = (t, server, loop) => wireOn(t, server, (other) => other !== loop);

/** A polling session in "/" that lives on a known loop: `session.loop`, and
 *  with a connection there, `session.wire`.  `query` is the handshake's. */
export async function sessionOn(t, server, wanted = () => true, query = {}) {
  const wire = await findWire(server, wanted);
  const session = new Polling(server, PATH);
  const old = await loopsOn(server, wire);
  const opened = await askOn(server, wire, { target: session.target(query) });
  assert.equal(opened.status, 200, opened.text);
  session.sid = JSON.parse(opened.text.slice(1)).sid;
  session.loop = grown(old, await loopsOn(server, wire), 'handshakes');
  session.wire = wire;
  t.after(async () => {
    const options = { method: 'POST', target: session.target(), headers: POST_HEADERS, body: '1' };
    await request(server, options).catch(() => {}); // it may have stopped
    wire.destroy();
  });
  await postOn(session, wire, '40');
  const answer = await pollOn(session, wire);
  session.id = /^40\{"sid":"([^"]{20})"\}$/.exec(answer)?.[1];
  assert.ok(session.id, `the answer to CONNECT: ${answer}`);
  return session;
}

export const POST_HEADERS = { 'Content-Type': 'text/plain;charset=UTF-8' };

export async function postOn(session, wire, body, headers = {}) {
  const options = { method: 'POST', target: session.target(), headers: { ...POST_HEADERS, ...headers }, body };
  const response = await askOn(session.server, wire, options);
  assert.equal(response.status, 200, response.text);
  assert.equal(response.text, 'ok');
  return response;
}

export async function pollOn(session, wire, headers = {}) {
  const response = await askOn(session.server, wire, { target: session.target(), headers });
  assert.equal(response.status, 200, response.text);
  return response.text;
}

/** Opens a WebSocket on that connection. */
export async function webSocketOn(server, wire, query = {}, bytes = '') {
  const target = new Polling(server, PATH).target({ transport: 'websocket', ...query });
  wire.write(Buffer.concat([encodeRequest(server, { target, headers: upgradeHeaders() }), Buffer.from(bytes)]));
  const response = await wire.response();
  assert.equal(response.status, 101, response.text);
  return new WebSocketWire(wire, response);
}

/** Hands each frame of a WebSocket to `take(opcode, payload)` as it comes: for
 *  those who get more than can be awaited one by one. */
export function eachFrame(ws, take) {
  const { socket } = ws.wire;
  let rest = Buffer.alloc(0);
  const read = (data) => {
    rest = rest.length ? Buffer.concat([rest, data]) : data;
    for (;;) {
      if (rest.length < 2) return;
      let length = rest[1] & 0x7f;
      let at = 2;
      if (length === 126) {
        if (rest.length < 4) return;
        length = rest.readUInt16BE(2);
        at = 4;
      } else if (length === 127) {
        if (rest.length < 10) return;
        length = Number(rest.readBigUInt64BE(2));
        at = 10;
      }
      if (rest.length < at + length) return;
      const opcode = rest[0] & 15;
      const payload = rest.subarray(at, at + length);
      rest = rest.subarray(at + length);
      take(opcode, payload);
    }
  };
  socket.removeAllListeners('data');
  socket.on('data', read);
  if (ws.wire.buffered) ws.wire.take(ws.wire.buffered).then(read);
}

export { OP };
