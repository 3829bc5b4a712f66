// Official clients of many versions, from packages of this folder, and what
// the tests with them share.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { LIMIT, ask, next } from '../support/client.mjs';
import { QUIET, within } from '../support/raw.mjs';

export { WAYS } from '../support/client.mjs';

const require = createRequire(import.meta.url);
const PREFIX = 'socket.io-client-';
const { devDependencies } = JSON.parse(readFileSync(new URL('package.json', import.meta.url), 'utf8'));

/** Every version, oldest first. */
export const VERSIONS = Object.keys(devDependencies).map((name) => name.slice(PREFIX.length));

/** Those that speak Engine.IO 3. */
export const isOld = (version) => version.startsWith('2.');
export const OLD = VERSIONS.filter(isOld);

/** What a server needs to take all of them. */
export const ALL = { ...QUIET, eio3: true };

/** The path of a file in a version's package. */
export const fileOf = (version, file) => require.resolve(`${PREFIX}${version}/${file}`);

const ioOf = (version) => require(`${PREFIX}${version}`);

/** Options of a client that comes back soon. */
export const AGAIN = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50, randomizationFactor: 0 };

/** A client of that version at `url` that ends with the test `t`, a test or
 *  whatever has `after`; it does not reconnect unless `options` say so.
 *  `auth` goes where the version has a place for it. */
export function open(t, version, url, nsp = '/', { auth, ...options } = {}) {
  const query = auth && isOld(version) ? `?${new URLSearchParams(auth)}` : '';
  const more = auth && !isOld(version) ? { auth } : {};
  const socket = ioOf(version)(`${url}${nsp}${query}`, { forceNew: true, reconnection: false, ...options, ...more });
  t.after(() => socket.disconnect());
  return socket;
}

/** What refuses a client's CONNECT is told with this event. */
const refusalEvent = (version) => (isOld(version) ? 'error' : 'connect_error');

/** Resolves when it has connected. */
export function connection(socket) {
  const settled = new Promise((done, fail) => {
    socket.once('connect', done);
    for (const event of ['error', 'connect_error']) {
      socket.once(event, (why) => fail(why instanceof Error ? why : new Error(`${event}: ${JSON.stringify(why)}`)));
    }
  });
  return within(settled, LIMIT, 'connecting');
}

/** A client that is connected. */
export async function opened(t, version, url, nsp = '/', options = {}) {
  const socket = open(t, version, url, nsp, options);
  await connection(socket);
  return socket;
}

/** What a client is refused with: { message, data } from those that get both,
 *  the payload of the packet from those of Engine.IO 3. */
export async function refusal(socket, version) {
  const [why] = await next(socket, refusalEvent(version));
  if (isOld(version)) return why;
  assert.ok(why instanceof Error);
  return why.data === undefined ? { message: why.message } : { message: why.message, data: why.data };
}

/** Another namespace on the connection of `socket`. */
export function beside(t, socket, nsp, options) {
  const other = socket.io.socket(nsp, options);
  t.after(() => other.disconnect());
  return other;
}

/** The transport that the client uses now. */
export const transportOf = (socket) => socket.io.engine.transport.name;

/** Resolves when the client uses the transport that it ends up with. */
export async function settled(socket, way) {
  const wanted = way === 'polling' ? 'polling' : 'websocket';
  const { engine } = socket.io;
  if (transportOf(socket) !== wanted) await next(engine, 'upgrade');
  assert.equal(transportOf(socket), wanted);
}

export const info = async (socket) => (await ask(socket, 'info'))[0];

/** The bytes of what a client got as binary. */
export function bytesOf(value) {
  if (value instanceof ArrayBuffer) return Buffer.from(value);
  assert.ok(Buffer.isBuffer(value), `binary, not ${Object.prototype.toString.call(value)}`);
  return value;
}

/** The same value, in which everything binary is a Buffer. */
export function plain(value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return bytesOf(value);
  if (Array.isArray(value)) return value.map(plain);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([name, x]) => [name, plain(x)]));
}
