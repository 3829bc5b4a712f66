// A session over a WebSocket: what is a packet, what ends it, and the
// handshake's headers.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import {
  OP, QUIET, RS, UNKNOWN_SID, WebSocketWire, assertError, closePayload, encodeFrame, request, settle,
} from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const server = await startServer('eio4', QUIET);
const small = await startServer('eio4', { ...QUIET, 'max-payload': 1000 });
const sio = await startServer('sio-client', { ...QUIET, path: '/socket.io/', 'no-recovery': true });
after(() => Promise.all([server.stop(), small.stop(), sio.stop()]));

/** Polls with the sid of a websocket until the session is no longer known. */
async function assertGone(own, sid) {
  const target = `/engine.io/?EIO=4&transport=polling&sid=${sid}`;
  for (let tries = 0; tries < 100; tries++) {
    const response = await request(own, { target });
    if (JSON.parse(response.text).code === 1) return assertError(response, ...UNKNOWN_SID);
    await settle(own);
  }
  assert.fail('the session is still there');
}

describe('packets', () => {
  test('WS01 a text frame is a packet', async () => {
    const ws = await WebSocketWire.session(server);
    for (const text of ['4hello', '4', '4utf8 — string', '4é€😀', '4' + 'x'.repeat(125), '4' + 'x'.repeat(70_000)]) {
      ws.sendText(text);
      await ws.text(text);
    }
    ws.destroy();
  });

  test('WS01 a binary frame is a binary message', async () => {
    const ws = await WebSocketWire.session(server);
    for (const size of [1, 5, 125, 126, 127, 65_535, 65_536, 500_000]) {
      const data = Buffer.from(Array.from({ length: size }, (_, i) => i % 251));
      ws.send(OP.BINARY, data);
      await ws.binary(data);
    }
    ws.destroy();
  });

  test('WS01 an empty binary frame is an empty message', async () => {
    const ws = await WebSocketWire.session(server);
    ws.send(OP.BINARY, '');
    await ws.binary('');
    await ws.assertEchoes();
    ws.destroy();
  });

  test('WS01 a binary frame is not looked into', async () => {
    const ws = await WebSocketWire.session(server);
    for (const data of ['4hello', '1', 'bAQID', '\x04\x01']) {
      ws.send(OP.BINARY, data);
      await ws.binary(data);
    }
    ws.destroy();
  });

  test('WS01 the separator of payloads is data', async () => {
    const ws = await WebSocketWire.session(server);
    ws.sendText(`4a${RS}4b`);
    await ws.text(`4a${RS}4b`);
    ws.destroy();
  });

  test('WS01 many frames in one segment, in order', async () => {
    const ws = await WebSocketWire.session(server);
    const frames = Array.from({ length: 500 }, (_, i) => (i % 2 ? [OP.TEXT, `4${i}`] : [OP.BINARY, `${i}`]));
    ws.wire.write(Buffer.concat(frames.map(([opcode, data]) => encodeFrame(opcode, data))));
    for (const [opcode, data] of frames) await (opcode === OP.TEXT ? ws.text(data) : ws.binary(data));
    ws.destroy();
  });

  for (const type of ['0', '5', '6', '0{}']) {
    test(`WS01 ${type} from a client is passed over`, async () => {
      const ws = await WebSocketWire.session(server);
      ws.sendText(type);
      await ws.assertEchoes();
      ws.destroy();
    });
  }

  for (const text of ['', 'abc', '7', ' 4', '\u00e9']) {
    test(`WS01 text ${JSON.stringify(text)} is no packet: closed`, async () => {
      const ws = await WebSocketWire.session(server);
      ws.sendText(text);
      await ws.gone();
      await assertGone(server, ws.sid);
    });
  }

  test('WS01 1 closes at once', { skip: oursOnly('passes it over') }, async () => {
    const ws = await WebSocketWire.session(server);
    ws.sendText('1');
    await ws.gone();
    await assertGone(server, ws.sid);
  });

  test('WS02 b64: binary goes out as text', async () => {
    const ws = await WebSocketWire.session(server, { query: { b64: 1 } });
    ws.send(OP.BINARY, Buffer.from([1, 2, 3, 4]));
    await ws.text('bAQIDBA==');
    ws.sendText('bAQIDBA==');
    await ws.text('bAQIDBA==');
    ws.sendText('4text');
    await ws.text('4text');
    ws.destroy();
  });

  test('WS02 b64 given but empty is not asked for', async () => {
    const ws = await WebSocketWire.session(server, { query: { b64: '' } });
    ws.send(OP.BINARY, 'x');
    await ws.binary('x');
    ws.destroy();
  });

  test('WS02 base64 text is read in any session', async () => {
    const ws = await WebSocketWire.session(server);
    for (const [text, bytes] of [['bAQIDBA==', [1, 2, 3, 4]], ['b', []], ['b_-8', [255, 239]]]) {
      ws.sendText(text);
      await ws.binary(bytes);
    }
    ws.destroy();
  });
});

describe('limits', () => {
  test('WS05 a message of the limit is fine', async () => {
    const ws = await WebSocketWire.session(small);
    const text = '4' + 'x'.repeat(999);
    ws.sendText(text);
    await ws.text(text);
    ws.send(OP.BINARY, Buffer.alloc(1000, 7));
    await ws.binary(Buffer.alloc(1000, 7));
    ws.destroy();
  });

  for (const opcode of [OP.TEXT, OP.BINARY]) {
    test(`WS05 one byte more: 1009 without a reason (opcode ${opcode})`, async () => {
      const ws = await WebSocketWire.session(small);
      ws.send(opcode, '4' + 'x'.repeat(1000));
      await ws.closed(1009);
      await assertGone(small, ws.sid);
    });
  }

  test('WS05 the limit counts bytes, not characters', async () => {
    const ws = await WebSocketWire.session(small);
    ws.sendText('4' + '€'.repeat(333));
    await ws.text('4' + '€'.repeat(333));
    ws.sendText('4' + '€'.repeat(334));
    await ws.closed(1009);
  });

  test('WS05 the limit counts all fragments', async () => {
    const ws = await WebSocketWire.session(small);
    ws.send(OP.TEXT, '4' + 'x'.repeat(499), { fin: false });
    ws.send(OP.CONTINUATION, 'x'.repeat(500));
    await ws.text('4' + 'x'.repeat(999));
    ws.send(OP.TEXT, '4' + 'x'.repeat(499), { fin: false });
    ws.send(OP.CONTINUATION, 'x'.repeat(501), { fin: false });
    await ws.closed(1009);
  });

  for (const [announce, form] of [[1001, 16], [0xffff_ffff, 64], [2 ** 40, 64]]) {
    test(`WS05 a header that announces ${announce} is enough`, async () => {
      const ws = await WebSocketWire.session(small);
      ws.send(OP.BINARY, 'abc', { announce, form });
      await ws.closed(1009);
    });
  }
});

describe('closing', () => {
  test('WS06 the server closes without a code', async () => {
    const own = await startServer('eio4', QUIET);
    const ws = await WebSocketWire.session(own);
    const stopped = own.stop();
    await ws.closed(undefined);
    await stopped;
  });

  test('WS06 an undecodable packet: close without a code, or the end', async () => {
    const ws = await WebSocketWire.session(server);
    ws.sendText('abc');
    await ws.gone();
  });

  for (const how of ['finish', 'destroy', 'abort']) {
    test(`WS06 a peer that goes without a word (${how})`, async () => {
      const ws = await WebSocketWire.session(server);
      ws.wire[how]();
      await assertGone(server, ws.sid);
    });
  }

  test('WS06 a peer that closes: the session is gone', async () => {
    const ws = await WebSocketWire.session(server);
    ws.send(OP.CLOSE, closePayload(1000));
    await ws.closed(1000);
    await assertGone(server, ws.sid);
  });

  test('WS06 what comes behind the close frame is passed over', async () => {
    const ws = await WebSocketWire.session(server);
    ws.wire.write(Buffer.concat([encodeFrame(OP.CLOSE, ''), encodeFrame(OP.TEXT, '4late')]));
    await ws.closed(undefined);
  });

  test('WS07 a ping gets a pong with its data', async () => {
    const ws = await WebSocketWire.session(server);
    for (const data of ['', 'hello', Buffer.alloc(125, 0xff)]) {
      ws.send(OP.PING, data);
      await ws.pong(data);
    }
    await ws.assertEchoes();
    ws.destroy();
  });

  test('WS07 pings and messages are answered in order', async () => {
    const ws = await WebSocketWire.session(server);
    ws.wire.write(
      Buffer.concat([encodeFrame(OP.PING, 'a'), encodeFrame(OP.TEXT, '4b'), encodeFrame(OP.PING, 'c')]),
    );
    const frames = [await ws.frame(), await ws.frame(), await ws.frame()];
    const pongs = frames.filter((frame) => frame.opcode === OP.PONG).map((frame) => String(frame.payload));
    assert.deepEqual(pongs, ['a', 'c']);
    assert.deepEqual(frames.filter((frame) => frame.opcode === OP.TEXT).map((frame) => String(frame.payload)), ['4b']);
    ws.destroy();
  });

  test('WS07 a pong nobody asked for is passed over', async () => {
    const ws = await WebSocketWire.session(server);
    ws.send(OP.PONG, 'x');
    await ws.assertEchoes();
    ws.destroy();
  });

  test('WS07 a flood of pings by a peer that does not read does no harm', async () => {
    const ws = await WebSocketWire.session(server);
    ws.wire.pause();
    const pings = Buffer.concat(Array.from({ length: 1000 }, () => encodeFrame(OP.PING, Buffer.alloc(125))));
    for (let i = 0; i < 30; i++) ws.wire.write(pings);
    await settle(server);
    ws.wire.abort();
    await settle(server);
  });
});

describe('headers', () => {
  for (const [offered, expected] of [['chat', 'chat'], ['one, two', 'one'], [['one', 'two'], 'one'], [undefined, undefined]]) {
    test(`WS08 of ${offered ?? 'nothing'} is spoken ${expected ?? 'nothing'}`, async () => {
      const ws = await WebSocketWire.session(server, { headers: { 'Sec-WebSocket-Protocol': offered } });
      assert.equal(ws.response.header('sec-websocket-protocol'), expected);
      assert.equal(ws.response.header('sec-websocket-extensions'), undefined);
      await ws.assertEchoes();
      ws.destroy();
    });
  }

  test('WS08 an extension is not agreed to', async () => {
    const headers = { 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' };
    const ws = await WebSocketWire.session(server, { headers });
    assert.equal(ws.response.header('sec-websocket-extensions'), undefined);
    await ws.assertEchoes();
    ws.destroy();
  });

  test('WS09 headers of the request are in the handshake object, names in lower case', async () => {
    const ws = await WebSocketWire.session(sio, {
      path: '/socket.io/',
      query: { e: 'x y', '&a': '&=?a' },
      headers: { 'X-Custom': 'One', 'x-OTHER': 'two' },
    });
    ws.sendText('40/abc,{"token":"t"}');
    assert.match(await ws.text(), /^40\/abc,\{"sid":"[^"]+"\}$/);
    const [event, handshake] = JSON.parse((await ws.text()).slice('42/abc,'.length));
    assert.equal(event, 'handshake');
    assert.equal(handshake.headers['x-custom'], 'One');
    assert.equal(handshake.headers['x-other'], 'two');
    assert.equal(handshake.headers.upgrade, 'websocket');
    assert.deepEqual(handshake.auth, { token: 't' });
    assert.deepEqual(handshake.query, { EIO: '4', transport: 'websocket', e: 'x y', '&a': '&=?a' });
    assert.equal(handshake.secure, false);
    assert.equal(handshake.xdomain, false);
    assert.match(handshake.url, /^\/socket\.io\/\?EIO=4&transport=websocket&e=x/);
    assert.match(handshake.address, /127\.0\.0\.1$/);
    assert.equal(typeof handshake.issued, 'number');
    assert.equal(typeof handshake.time, 'string');
    ws.destroy();
  });
});
