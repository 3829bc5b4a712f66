// Engine.IO 3 as its clients put it on the wire: polling bodies of text and of
// octets, JSONP, and sessions over them.

import assert from 'node:assert/strict';
import { Script, createContext } from 'node:vm';
import { Polling, WebSocketWire, request } from './raw.mjs';

/** A text body; the length of a string is in UTF-16 code units. */
export const encodeText = (...packets) => packets.map((packet) => `${packet.length}:${packet}`).join('');

export function splitText(text) {
  const packets = [];
  while (text !== '') {
    const [head, digits] = /^(\d+):/.exec(text) ?? assert.fail(`no length: ${JSON.stringify(text)}`);
    const end = head.length + Number(digits);
    assert.ok(end <= text.length, `${digits} units of ${JSON.stringify(text)}`);
    packets.push(text.slice(head.length, end));
    text = text.slice(end);
  }
  return packets;
}

/** A body of octets; strings are texts, the rest is the bytes of messages. */
export function encodeOctets(...packets) {
  const pieces = packets.map((packet) => {
    const isText = typeof packet === 'string';
    const data = isText ? Buffer.from(packet) : Buffer.concat([Buffer.from([4]), Buffer.from(packet)]);
    const digits = [...String(data.length)].map(Number);
    return Buffer.concat([Buffer.from([isText ? 0 : 1, ...digits, 255]), data]);
  });
  return Buffer.concat(pieces);
}

export function splitOctets(body) {
  const packets = [];
  for (let at = 0; at < body.length; ) {
    const kind = body[at];
    const stop = body.indexOf(255, at);
    assert.ok(kind <= 1 && stop > at + 1, 'a kind, and digits');
    const start = stop + 1;
    const end = start + Number([...body.subarray(at + 1, stop)].join(''));
    assert.ok(end <= body.length, 'within the body');
    if (kind === 0) packets.push(body.subarray(start, end).toString('utf8'));
    else packets.push(assert.equal(body[start], 4) ?? body.subarray(start + 1, end));
    at = end;
  }
  return packets;
}

/** The packets of an answer to a poll, whatever its form. */
export function packetsOf(response) {
  assert.equal(response.status, 200, response.text);
  const type = response.header('content-type');
  if (type === 'application/octet-stream') return splitOctets(response.body);
  assert.equal(type, 'text/plain; charset=UTF-8');
  return splitText(response.text);
}

/** A session over long-polling. */
export class Polling3 extends Polling {
  static async open(server, { path = '/engine.io/', query = {}, headers = {} } = {}) {
    const session = new this(server, path);
    session.handshake = await request(server, { target: session.target(query), headers });
    const packets = session.read(session.handshake);
    assert.equal(packets.length, 1, 'the open packet alone');
    assert.equal(packets[0][0], '0');
    session.opened = JSON.parse(packets[0].slice(1));
    session.sid = session.opened.sid;
    return session;
  }

  target(query = {}) {
    return super.target({ EIO: 3, ...query });
  }

  read(response) {
    return packetsOf(response);
  }

  async receive(...expected) {
    const packets = [];
    while (packets.length < expected.length) packets.push(...this.read(await this.poll()));
    assert.deepEqual(packets.map(plain), expected.map(plain));
  }

  send(...packets) {
    return this.postOk(encodeText(...packets));
  }

  sendOctets(...packets) {
    return this.postOctets(encodeOctets(...packets));
  }

  async postOctets(body) {
    await this.postOk(body, { headers: { 'Content-Type': 'application/octet-stream' } });
  }

  async assertEchoes(text = '4still here') {
    await this.send(text);
    await this.receive(text);
  }
}

const plain = (packet) => (typeof packet === 'string' ? packet : [...packet]);

/** What clients of JSONP make of a text for a form. */
export const formOf = (text) => 'd=' + encodeURIComponent(text.replaceAll('\\n', '\\\\n').replaceAll('\n', '\\n'));

/** The payload in a script, by running it. */
export function runScript(text, index) {
  const called = [];
  const context = createContext({ ___eio: { [index]: (payload) => called.push(payload) } });
  new Script(text).runInContext(context, { timeout: 1000 });
  assert.equal(called.length, 1, 'one call');
  return called[0];
}

/** The same with scripts and forms. */
export class Jsonp extends Polling3 {
  index = '0';

  static async open(server, { query = {}, ...options } = {}) {
    return super.open(server, { ...options, query: { j: 0, b64: 1, ...query } });
  }

  read(response) {
    assert.equal(response.status, 200, response.text);
    assert.match(response.header('content-type'), /^text\/(plain|javascript); charset=UTF-8$/);
    return splitText(runScript(response.text, this.index));
  }

  async send(...packets) {
    await this.postForm(formOf(encodeText(...packets)));
  }

  async postForm(body) {
    await this.postOk(body, { headers: { 'Content-Type': 'application/x-www-form-urlencoded' } });
  }
}

/** A WebSocket whose binary messages bear their type. */
export class WebSocketWire3 {
  static open(server, { query = {}, ...options } = {}) {
    return WebSocketWire.open(server, { ...options, query: { EIO: 3, ...query } });
  }

  static session(server, { query = {}, ...options } = {}) {
    return WebSocketWire.session(server, { ...options, query: { EIO: 3, ...query } });
  }
}

/** Probe, the poll that returns, `5`. */
export async function upgrade3(session) {
  const { server, path, sid } = session;
  const ws = await WebSocketWire3.open(server, { path, query: { sid } });
  ws.sendText('2probe');
  await ws.text('3probe');
  await session.receive('6');
  ws.sendText('5');
  return ws;
}
