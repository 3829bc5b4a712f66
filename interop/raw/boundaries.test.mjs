// Whole sessions of Socket.IO, cut in two at every byte of what the client
// sends, and byte by byte: the server says the same as to the whole.  The same
// without sockets, for more kinds of sessions, is test/test_boundaries.c.

import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { OP, Polling, QUIET, Wire, encodeFrame, encodeRequest, upgradeHeaders } from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const PATH = '/socket.io/';
const AT_ONCE = 8;
const skip = oursOnly('drops what comes with the request of an upgrade');
const server = await startServer('sio5', QUIET);
after(server.stop);

const MASK = Buffer.from([1, 2, 3, 4]);
const frame = (opcode, payload, options) => encodeFrame(opcode, payload, { mask: MASK, ...options });
const EVENTS = [
  '40',
  '42["message",1,"\u00e4\\u00e4",{"a":[null]}]',
  '421["message-with-ack","x"]',
  '40/custom,{"token":"t"}',
];
const HEADER = '452-["message",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]';

/** What differs from one session to the next. */
const constant = (text) => text
  .replace(/"sid":"[\w-]{20}"/g, '"sid":"*"')
  .replace(/^Date: .*$/gim, 'Date: *');

/** Writes the pieces and reads to the end. */
async function talk(pieces) {
  const wire = await Wire.open(server);
  await wire.writePieces(pieces);
  const all = (await wire.ended()).toString('latin1');
  wire.destroy();
  return constant(all);
}

/** `bytes` is called for each session. */
async function everyCut(bytes, check) {
  const whole = await talk([await bytes()]);
  check(whole);
  const { length } = await bytes();
  let next = 1;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < length) {
      const cut = next++;
      const all = await bytes();
      assert.equal(await talk([all.subarray(0, cut), all.subarray(cut)]), whole, `cut at ${cut}`);
    }
  }));
  const all = await bytes();
  assert.equal(await talk(Array.from(all, (byte) => Buffer.from([byte]))), whole, 'byte by byte');
}

test('OP01 a session over a WebSocket, cut at every byte', { skip }, async () => {
  const bytes = Buffer.concat([
    encodeRequest(server, {
      target: `${PATH}?EIO=4&transport=websocket`,
      headers: upgradeHeaders({ 'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==' }),
    }),
    ...EVENTS.map((text) => frame(OP.TEXT, text)),
    frame(OP.TEXT, HEADER.slice(0, 20), { fin: false }),
    frame(OP.PING, 'p'),
    frame(OP.CONTINUATION, HEADER.slice(20)),
    frame(OP.BINARY, [1, 2]),
    frame(OP.BINARY, []),
    frame(OP.TEXT, '41'),
    frame(OP.CLOSE, [3, 232]),
  ]);
  await everyCut(() => bytes, (whole) => {
    assert.match(whole, /^HTTP\/1\.1 101 /);
    assert.match(whole, /452-\["message-back",/);
    assert.match(whole, /431\["x"\]/);
    assert.match(whole, /42\/custom,\["auth",\{"token":"t"\}\]/);
  });
});

test('OP01 a session over polling, cut at every byte', { skip }, async () => {
  const bytes = async () => {
    const session = await Polling.open(server, { path: PATH });
    const target = session.target();
    const post = (body, headers) =>
      encodeRequest(server, { method: 'POST', target, body, headers: { 'Content-Type': 'text/plain', ...headers } });
    const events = [...EVENTS, HEADER, 'bAQI=', 'b'].join('\x1e');
    return Buffer.concat([
      post(events),
      encodeRequest(server, { target }),
      post('7\r\n42["mes\r\nd;a=b\r\nsage","late"]\r\n0\r\n\r\n', { 'Transfer-Encoding': 'chunked' }),
      encodeRequest(server, { target }),
      post('41\x1e1', { Connection: 'close' }),
    ]);
  };
  await everyCut(bytes, (whole) => {
    assert.equal(whole.match(/HTTP\/1\.1 200 OK/g)?.length, 5, whole);
    assert.match(whole, /452-\["message-back",/);
    assert.match(whole, /42\["message-back","late"\]/);
  });
});
