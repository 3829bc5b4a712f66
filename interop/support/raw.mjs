// Clients that put exactly the bytes on the wire that a test asks for: TCP,
// HTTP/1.1, WebSocket frames, and Engine.IO sessions on top of them.  What
// the server sends is checked as it is read.  Every wait has a limit.

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { connect } from 'node:net';

export const LIMIT = 30_000; // ms; of every wait unless the call says otherwise
export const RS = '\x1e';

/** For the options of a server whose pings, and whose time to join a namespace,
 *  would only disturb. */
export const QUIET = { 'ping-interval': 60_000, 'ping-timeout': 60_000, 'connect-timeout': 60_000 };

export const now = () => performance.now();

/** Fails unless `promise` is settled within `ms`. */
export async function within(promise, ms, what) {
  let timer;
  const limit = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`${what}: nothing after ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}

/** A TCP connection whose input is taken piece by piece. */
export class Wire {
  #chunks = Buffer.alloc(0);
  #closed = false;
  #wake = null;

  /** To the unix socket `server.unix` where there is one. */
  static open(server) {
    const at = server.unix ? { path: server.unix } : { port: server.port, host: server.host };
    const socket = connect({ ...at, noDelay: true });
    const wire = new Wire(socket);
    const opened = new Promise((done, fail) => {
      socket.once('connect', () => done(wire));
      socket.once('error', fail);
    });
    return within(opened, LIMIT, 'connecting');
  }

  constructor(socket) {
    this.socket = socket;
    this.reset = false; // the peer ended by RST
    socket.on('data', (data) => {
      this.#chunks = this.#chunks.length ? Buffer.concat([this.#chunks, data]) : data;
      this.#wake?.();
    });
    const close = () => {
      this.#closed = true;
      this.#wake?.();
    };
    socket.on('end', close);
    socket.on('close', close);
    socket.on('error', (err) => {
      this.reset ||= err.code === 'ECONNRESET';
    });
  }

  get buffered() {
    return this.#chunks.length;
  }

  get isClosed() {
    return this.#closed;
  }

  write(data) {
    if (!this.socket.destroyed) this.socket.write(data);
    return this;
  }

  /** Writes the pieces so that each leaves in a segment of its own, and
   *  resolves when the last is with the kernel. */
  async writePieces(pieces) {
    for (const piece of pieces) {
      await new Promise((done) => this.socket.write(piece, done));
      await new Promise((done) => setImmediate(done));
    }
  }

  /** FIN: no more output; input goes on. */
  finish() {
    this.socket.end();
  }

  /** RST */
  abort() {
    this.socket.resetAndDestroy();
  }

  destroy() {
    this.socket.destroy();
  }

  pause() {
    this.socket.pause();
  }

  resume() {
    this.socket.resume();
  }

  async #more(deadline, what) {
    if (this.#closed) throw new Error(`${what}: the peer closed, after ${inspect(this.#chunks)}`);
    await this.#change(deadline, what);
  }

  async #change(deadline, what) {
    const woken = new Promise((done) => (this.#wake = done));
    try {
      await within(woken, Math.max(1, deadline - now()), what);
    } finally {
      this.#wake = null;
    }
  }

  async take(n, { limit = LIMIT, what = `reading ${n} bytes` } = {}) {
    const deadline = now() + limit;
    while (this.#chunks.length < n) await this.#more(deadline, what);
    const taken = this.#chunks.subarray(0, n);
    this.#chunks = this.#chunks.subarray(n);
    return taken;
  }

  async takeThrough(marker, { limit = LIMIT, what = `reading to ${inspect(marker)}` } = {}) {
    const deadline = now() + limit;
    for (;;) {
      const at = this.#chunks.indexOf(marker);
      if (at >= 0) return this.take(at + marker.length);
      await this.#more(deadline, what);
    }
  }

  /** Whether `n` bytes come before the peer closes. */
  async hasMore(n, { limit = LIMIT, what = 'waiting for bytes, or the end' } = {}) {
    const deadline = now() + limit;
    while (this.#chunks.length < n && !this.#closed) await this.#change(deadline, what);
    return this.#chunks.length >= n;
  }

  /** Waits until the peer has closed; what it sent before that. */
  async ended({ limit = LIMIT, what = 'waiting for the peer to close' } = {}) {
    const deadline = now() + limit;
    while (!this.#closed) await this.#change(deadline, what);
    const rest = this.#chunks;
    this.#chunks = Buffer.alloc(0);
    return rest;
  }

  /** Waits until the peer has closed without another byte. */
  async endedSilently(options) {
    const rest = await this.ended(options);
    assert.equal(inspect(rest), '', 'bytes before the peer closed');
  }

  /** One HTTP response; interim ones are counted in `interim`. */
  async response({ method = 'GET', limit = LIMIT } = {}) {
    const what = `the answer to ${method}`;
    const interim = [];
    for (;;) {
      const head = parseHead((await this.takeThrough('\r\n\r\n', { limit, what })).toString('latin1'));
      if (head.status >= 100 && head.status < 200 && head.status !== 101) {
        interim.push(head.status);
        continue;
      }
      const body = await this.#body(head, method, limit);
      return { ...head, interim, body, text: body.toString('utf8') };
    }
  }

  async #body(head, method, limit) {
    if (method === 'HEAD' || [101, 204, 304].includes(head.status)) return Buffer.alloc(0);
    const lengths = head.headers['content-length'] ?? [];
    if (/chunked/i.test(head.header('transfer-encoding') ?? '')) {
      assert.deepEqual(lengths, [], 'Content-Length beside chunked');
      return this.#chunked(limit);
    }
    if (lengths.length) {
      assert.equal(lengths.length, 1, 'one Content-Length');
      assert.match(lengths[0], /^\d+$/);
      return this.take(Number(lengths[0]), { limit, what: 'the body' });
    }
    return this.ended({ limit, what: 'a body that ends with the connection' });
  }

  async #chunked(limit) {
    const pieces = [];
    for (;;) {
      const line = (await this.takeThrough('\r\n', { limit })).toString('latin1').trim();
      assert.match(line, /^[0-9a-f]+$/i, 'a chunk size');
      const size = parseInt(line, 16);
      const data = await this.take(size + 2, { limit });
      assert.equal(data.subarray(size).toString('latin1'), '\r\n', 'the end of a chunk');
      if (size === 0) return Buffer.concat(pieces);
      pieces.push(data.subarray(0, size));
    }
  }
}

function inspect(data) {
  return Buffer.from(data).toString('latin1').slice(0, 300);
}

function parseHead(text) {
  const lines = text.slice(0, -4).split('\r\n');
  const match = /^HTTP\/(1\.[01]) (\d{3}) ?([^\r\n]*)$/.exec(lines[0]);
  assert.ok(match, `a status line, not ${JSON.stringify(lines[0])}`);
  const headers = Object.create(null);
  for (const line of lines.slice(1)) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    assert.ok(field, `a header line, not ${JSON.stringify(line)}`);
    (headers[field[1].toLowerCase()] ??= []).push(field[2]);
  }
  const header = (name) => headers[name.toLowerCase()]?.join(', ');
  return { version: match[1], status: Number(match[2]), reason: match[3], headers, header };
}

/** The bytes of a request.  A header value that is an array gives one line
 *  per element; undefined leaves the line out. */
export function encodeRequest(server, { method = 'GET', target, headers = {}, body, version = '1.1' }) {
  const host = server.host.includes(':') ? `[${server.host}]` : server.host;
  const all = { Host: `${host}:${server.port}`, ...headers };
  const hasFraming = 'Content-Length' in all || 'Transfer-Encoding' in all;
  if (body !== undefined && !hasFraming) all['Content-Length'] = Buffer.byteLength(body);
  let head = `${method} ${target} HTTP/${version}\r\n`;
  for (const [name, values] of Object.entries(all)) {
    for (const value of [values].flat()) {
      if (value !== undefined) head += `${name}: ${value}\r\n`;
    }
  }
  return Buffer.concat([Buffer.from(head + '\r\n', 'latin1'), Buffer.from(body ?? '')]);
}

/** One request on a connection of its own. */
export async function request(server, options) {
  const wire = await Wire.open(server);
  try {
    wire.write(encodeRequest(server, options));
    return await wire.response(options);
  } finally {
    wire.destroy();
  }
}

/** Bytes as they are on a connection of their own; the first response. */
export async function exchange(server, bytes, options) {
  const wire = await Wire.open(server);
  try {
    wire.write(bytes);
    return await wire.response(options);
  } finally {
    wire.destroy();
  }
}

/** Returns when the server has dealt with all that was sent before the call:
 *  two new connections, one after the other, have been accepted and served. */
export async function settle(server) {
  for (let i = 0; i < 2; i++) {
    const { status } = await request(server, { target: '/hello' });
    assert.equal(status, 200);
  }
}

export const splitPayload = (text) => text.split(RS);

export function assertError(response, status, code, message) {
  assert.equal(response.status, status);
  assert.equal(response.text, JSON.stringify({ code, message }));
  assert.match(response.header('content-type'), /^application\/json/);
}

export function assertEmpty(response, status) {
  assert.equal(response.status, status);
  assert.equal(response.text, '');
}

export const UNKNOWN_SID = [400, 1, 'Session ID unknown'];

/** An Engine.IO session over long-polling. */
export class Polling {
  #extra = []; // packets that came behind the open packet

  /** Fields of `query` replace the usual ones. */
  static async open(server, { path = '/engine.io/', query = {}, headers = {} } = {}) {
    const session = new Polling(server, path);
    session.handshake = await request(server, { target: session.target(query), headers });
    assert.equal(session.handshake.status, 200, session.handshake.text);
    const [first, ...more] = splitPayload(session.handshake.text);
    assert.equal(first[0], '0');
    session.opened = JSON.parse(first.slice(1));
    session.sid = session.opened.sid;
    session.#extra = more;
    return session;
  }

  constructor(server, path = '/engine.io/', sid = undefined) {
    this.server = server;
    this.path = path;
    this.sid = sid;
  }

  target(query = {}) {
    const all = { EIO: 4, transport: 'polling', sid: this.sid, ...query };
    const pairs = Object.entries(all).filter(([, value]) => value !== undefined);
    return this.path + '?' + new URLSearchParams(pairs);
  }

  poll(options = {}) {
    return request(this.server, { target: this.target(), ...options });
  }

  post(body, options = {}) {
    const headers = { 'Content-Type': 'text/plain;charset=UTF-8', ...options.headers };
    return request(this.server, { method: 'POST', target: this.target(), body, ...options, headers });
  }

  /** A GET that the server has begun to hold. */
  async hold(options = {}) {
    const wire = await Wire.open(this.server);
    wire.write(encodeRequest(this.server, { target: this.target(), ...options }));
    await settle(this.server);
    assert.equal(wire.buffered, 0, 'the poll is held');
    assert.equal(wire.isClosed, false, 'the poll is held');
    return wire;
  }

  async postOk(body, options) {
    const response = await this.post(body, options);
    assert.equal(response.status, 200, response.text);
    assert.equal(response.text, 'ok');
  }

  async pollText(expected) {
    const response = await this.poll();
    assert.equal(response.status, 200, response.text);
    if (expected !== undefined) assert.equal(response.text, expected);
    return response.text;
  }

  /** Polls until `count` packets have come, in order. */
  async packets(count) {
    const all = this.#extra.splice(0);
    while (all.length < count) all.push(...splitPayload(await this.pollText()));
    return all;
  }

  async assertGone() {
    assertError(await this.poll(), ...UNKNOWN_SID);
  }

  /** The session lives and echoes (profile eio4). */
  async assertEchoes(text = '4still here') {
    await this.postOk(text);
    await this.pollText(text);
  }
}

export const OP = { CONTINUATION: 0, TEXT: 1, BINARY: 2, CLOSE: 8, PING: 9, PONG: 10 };

/**
 * A client's frame.  `form` forces the length to take 7, 16 or 64 bits;
 * `announce` writes another length than the payload has.
 */
export function encodeFrame(opcode, payload = '', options = {}) {
  const { fin = true, rsv = 0, mask = randomBytes(4), form, announce } = options;
  const data = Buffer.from(payload);
  const length = announce ?? data.length;
  const bits = form ?? (length < 126 ? 7 : length < 65536 ? 16 : 64);
  const head = Buffer.alloc({ 7: 2, 16: 4, 64: 10 }[bits]);
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask ? 0x80 : 0) | { 7: length, 16: 126, 64: 127 }[bits];
  if (bits === 16) head.writeUInt16BE(length, 2);
  if (bits === 64) head.writeBigUInt64BE(BigInt(length), 2);
  if (!mask) return Buffer.concat([head, data]);
  for (let i = 0; i < data.length; i++) data[i] ^= mask[i % 4];
  return Buffer.concat([head, mask, data]);
}

export function closePayload(code, reason = '') {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

export function upgradeHeaders(extra = {}) {
  return {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
    'Sec-WebSocket-Version': 13,
    ...extra,
  };
}

/** A request to open a WebSocket, however it ends: { wire, response }. */
export async function requestUpgrade(server, options = {}) {
  const { path = '/engine.io/', query = {}, headers = {}, ...rest } = options;
  const session = new Polling(server, path);
  const target = options.target ?? session.target({ transport: 'websocket', ...query });
  const wire = await Wire.open(server);
  wire.write(encodeRequest(server, { ...rest, target, headers: upgradeHeaders(headers) }));
  return { wire, response: await wire.response() };
}

/** An upgrade that is refused before 101: the text of §5.2, then the end. */
export async function assertUpgradeRefused(server, options, message) {
  const { wire, response } = await requestUpgrade(server, options);
  assert.equal(response.status, 400);
  assert.equal(response.text, message);
  assert.match(response.header('content-type'), /^text\/html/);
  assert.equal(response.header('connection').toLowerCase(), 'close');
  assert.equal(response.header('content-length'), String(message.length));
  await wire.endedSilently();
}

/** The client's side of a WebSocket, frame by frame. */
export class WebSocketWire {
  /** `bytes` are written in one piece with the request. */
  static async open(server, { path = '/engine.io/', query = {}, headers = {}, bytes = '' } = {}) {
    const session = new Polling(server, path);
    const target = session.target({ transport: 'websocket', ...query });
    const fields = upgradeHeaders(headers);
    const wire = await Wire.open(server);
    const head = encodeRequest(server, { target, headers: fields });
    wire.write(Buffer.concat([head, Buffer.from(bytes)]));
    const response = await wire.response();
    assert.equal(response.status, 101, response.text);
    const sum = createHash('sha1')
      .update(fields['Sec-WebSocket-Key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11')
      .digest('base64');
    assert.equal(response.header('sec-websocket-accept'), sum);
    assert.equal(response.header('upgrade').toLowerCase(), 'websocket');
    assert.equal(response.header('connection').toLowerCase(), 'upgrade');
    return new WebSocketWire(wire, response);
  }

  /** Opens a session and takes the open packet. */
  static async session(server, options) {
    const ws = await WebSocketWire.open(server, options);
    const packet = await ws.text();
    assert.equal(packet[0], '0');
    ws.opened = JSON.parse(packet.slice(1));
    ws.sid = ws.opened.sid;
    return ws;
  }

  constructor(wire, response) {
    this.wire = wire;
    this.response = response;
  }

  send(opcode, payload, options) {
    this.wire.write(encodeFrame(opcode, payload, options));
    return this;
  }

  sendText(text) {
    return this.send(OP.TEXT, text);
  }

  /** All in one piece, which the server reads at once. */
  sendTexts(...texts) {
    this.wire.write(Buffer.concat(texts.map((text) => encodeFrame(OP.TEXT, text))));
  }

  /** The next frame; a server's is unmasked and as short as can be. */
  async frame({ limit = LIMIT } = {}) {
    const options = { limit, what: 'a frame' };
    const head = await this.wire.take(2, options);
    assert.equal(head[1] & 0x80, 0, 'a server does not mask');
    assert.equal(head[0] & 0x70, 0, 'no reserved bit');
    let length = head[1] & 0x7f;
    if (length === 126) {
      length = (await this.wire.take(2, options)).readUInt16BE();
      assert.ok(length > 125, 'the shortest length');
    } else if (length === 127) {
      length = Number((await this.wire.take(8, options)).readBigUInt64BE());
      assert.ok(length > 65535, 'the shortest length');
    }
    const payload = await this.wire.take(length, options);
    return { fin: head[0] >= 0x80, opcode: head[0] & 15, payload };
  }

  async #expect(opcode, options) {
    const frame = await this.frame(options);
    const text = frame.payload.toString('utf8').slice(0, 200);
    assert.equal(frame.opcode, opcode, `opcode of a frame with ${JSON.stringify(text)}`);
    assert.equal(frame.fin, true, 'servers do not fragment');
    return frame.payload;
  }

  async text(expected, options) {
    const text = (await this.#expect(OP.TEXT, options)).toString('utf8');
    if (expected !== undefined) assert.equal(text, expected);
    return text;
  }

  async binary(expected, options) {
    const data = await this.#expect(OP.BINARY, options);
    if (expected !== undefined) assert.deepEqual([...data], [...Buffer.from(expected)]);
    return data;
  }

  async pong(expected) {
    assert.equal((await this.#expect(OP.PONG)).toString('latin1'), Buffer.from(expected).toString('latin1'));
  }

  /** The server's close frame with that code (undefined: none) and no
   *  reason but perhaps `reason`.  It is answered, and the connection ends. */
  async closed(code, { reason = '', ...options } = {}) {
    const payload = await this.#expect(OP.CLOSE, options);
    const got = payload.length ? payload.readUInt16BE() : undefined;
    assert.equal(got, code, 'close code');
    const rest = payload.subarray(2).toString();
    assert.ok(rest === '' || rest === reason, `close reason ${JSON.stringify(rest)}`);
    this.send(OP.CLOSE, payload);
    await this.wire.endedSilently(options);
  }

  /** The connection ends, after a close frame or without one. */
  async gone(options) {
    if (await this.wire.hasMore(2, options)) {
      const { opcode } = await this.frame(options);
      assert.equal(opcode, OP.CLOSE, 'only a close frame');
      this.send(OP.CLOSE);
    }
    await this.wire.endedSilently(options);
  }

  /** The session lives and echoes (profile eio4). */
  async assertEchoes(text = '4still here') {
    this.sendText(text);
    await this.text(text);
  }

  destroy() {
    this.wire.destroy();
  }
}

/** Upgrades a polling session: probe, the poll that returns, `5`. */
export async function upgrade(session) {
  const ws = await WebSocketWire.open(session.server, {
    path: session.path,
    query: { sid: session.sid },
  });
  ws.sendText('2probe');
  await ws.text('3probe');
  await session.pollText('6');
  ws.sendText('5');
  return ws;
}
