// What the tests with official clients share: a server for a group of tests,
// clients that end with their test, and what the profile `rows` tells.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { Polling, QUIET, WebSocketWire, request, within } from './raw.mjs';
import { startServer } from './server.mjs';

/** Ways to connect; `upgrade` is what clients do by default. */
export const WAYS = {
  polling: ['polling'],
  websocket: ['websocket'],
  upgrade: ['polling', 'websocket'],
};

export const LIMIT = 30_000; // ms; of every wait
const PATH = '/socket.io/';

/**
 * Declares tests that share a server.  `define` gets `on(name, run, options)`
 * for a test, run(t, server), and `onEach` for one per way to connect,
 * run(t, server, { transports }, way).
 */
export function withServer(title, { profile = 'rows', options = QUIET } = {}, define) {
  describe(title, () => {
    const starting = startServer(profile, options);
    starting.catch(() => {}); // each test says so
    after(async () => (await starting).stop());
    const on = (name, run, testOptions = {}) => {
      test(name, testOptions, async (t) => run(t, await starting));
    };
    const onEach = (name, run, testOptions = {}) => {
      for (const [way, transports] of Object.entries(WAYS)) {
        on(`${name} (${way})`, (t, server) => run(t, server, { transports }, way), testOptions);
      }
    };
    define(on, onEach);
  });
}

/** A client that ends with the test `t`; it does not reconnect unless
 *  `options` say so. */
export function client(t, server, nsp = '/', options = {}) {
  const socket = io(server.url + nsp, { forceNew: true, reconnection: false, ...options });
  t.after(() => socket.disconnect());
  return socket;
}

/** The arguments of the next event of that name. */
export function next(emitter, event, limit = LIMIT) {
  return within(new Promise((done) => emitter.once(event, (...list) => done(list))), limit, `event ${event}`);
}

/** A client that is connected. */
export async function connected(t, server, nsp = '/', options = {}) {
  const socket = client(t, server, nsp, options);
  await connection(socket);
  return socket;
}

export function connection(socket) {
  const settled = new Promise((done, fail) => {
    socket.once('connect', done);
    socket.once('connect_error', fail);
  });
  return within(settled, LIMIT, 'connecting');
}

/** The arguments of the server's acknowledgement. */
export function ask(socket, event, ...list) {
  return within(new Promise((done) => socket.emit(event, ...list, (...answer) => done(answer))), LIMIT, `the ack of ${event}`);
}

/** Asks, for commands that tell of their success. */
export async function tell(socket, event, ...list) {
  const [error, ...more] = await ask(socket, event, ...list);
  assert.equal(error, 'success');
  return more;
}

/** Collects the arguments of all events of that name. */
export function collect(socket, event) {
  const all = [];
  let wake = () => {};
  socket.on(event, (...list) => {
    all.push(list);
    wake();
  });
  /** Resolves when there are `count`. */
  all.reach = async (count) => {
    const reached = new Promise((done) => {
      wake = () => all.length >= count && done();
      wake();
    });
    await within(reached, LIMIT, `${count} events ${event}`).catch((err) => {
      throw new Error(`${err.message}; there are ${all.length}`);
    });
    return all;
  };
  return all;
}

/** 0 to count - 1, each once and in order. */
export function assertNumbered(list, count) {
  assert.equal(list.length, count);
  const wrong = list.findIndex((entry, i) => entry[0] !== i);
  assert.equal(wrong, -1, `number ${wrong} is ${list[wrong]?.[0]}`);
}

export async function getJson(server, target) {
  const response = await request(server, { target, limit: LIMIT });
  assert.equal(response.status, 200, `${target}: ${response.status}`);
  return JSON.parse(response.text);
}

/** What the server has noted of `key`; with `wait` as soon as there are
 *  `count` such notes. */
export function notes(server, key, wait = '', count = 1) {
  return getJson(server, '/log?' + new URLSearchParams({ key, wait, count }));
}

/** The first note of that kind, when it has come. */
export async function noted(server, key, what) {
  return (await notes(server, key, what)).find((entry) => entry.what === what);
}

export const counters = (server) => getJson(server, '/counters');

export const rooms = (server, nsp, room) => getJson(server, '/rooms?' + new URLSearchParams({ nsp, room }));

/** Asks again and again until `holds` holds of the answer, and gives that. */
export async function eventually(get, holds, what) {
  const deadline = performance.now() + LIMIT;
  for (;;) {
    const value = await get();
    if (holds(value)) return value;
    if (performance.now() > deadline) assert.fail(`${what}: still ${JSON.stringify(value)}`);
    await new Promise((done) => setTimeout(done, 10));
  }
}

/** Resolves when the server holds exactly `count` sessions. */
export function sessions(server, count) {
  return eventually(() => counters(server), (c) => c.sessions === count, `${count} sessions`);
}

/** A session over a raw WebSocket, in `nsp`; `id` is the socket's id. */
export async function rawWebSocket(t, server, nsp = '/', auth = '') {
  const ws = await WebSocketWire.session(server, { path: PATH });
  t.after(() => ws.destroy());
  if (nsp) ws.id = await rawJoin(ws, nsp, auth);
  return ws;
}

/** Connects a raw WebSocket to a namespace too; its socket's id. */
export async function rawJoin(ws, nsp, auth = '') {
  const prefix = nsp === '/' ? '' : `${nsp},`;
  ws.sendText(`40${prefix}${auth}`);
  const answer = await ws.text();
  const match = /^40(?:([^,{]*),)?\{"sid":"([^"]{20})"\}$/.exec(answer);
  assert.ok(match, `the answer to CONNECT: ${answer}`);
  assert.equal(match[1] ?? '/', nsp);
  return match[2];
}

/** A session over raw polling, in "/"; `id` is the socket's id. */
export async function rawPolling(server) {
  const session = await Polling.open(server, { path: PATH });
  await session.postOk('40');
  const answer = await session.pollText();
  const match = /^40\{"sid":"([^"]{20})"\}$/.exec(answer);
  assert.ok(match, `the answer to CONNECT: ${answer}`);
  session.id = match[1];
  return session;
}
