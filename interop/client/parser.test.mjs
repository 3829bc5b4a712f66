// Official clients with a parser of the application's own (interop/own_parser.c
// has its counterpart), in text and in binary messages.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { QUIET, WebSocketWire } from '../support/raw.mjs';
import { startServer } from '../support/server.mjs';

/** Calls `fn` with all binary values in `value`, and puts what it gives there. */
function replace(value, isIt, fn) {
  if (isIt(value)) return fn(value);
  if (Array.isArray(value)) return value.map((item) => replace(item, isIt, fn));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replace(item, isIt, fn)]));
}

function parserOf(binary) {
  class Encoder {
    encode(packet) {
      const b = [];
      const d = replace(packet.data, Buffer.isBuffer, (bytes) => ({ _placeholder: true, num: b.push(bytes.toString('base64')) - 1 }));
      const text = JSON.stringify({ t: packet.type, n: packet.nsp, i: packet.id, d, b });
      return [binary ? Buffer.from(text) : text];
    }
  }

  class Decoder {
    handlers = [];
    on(_, fn) {
      this.handlers.push(fn);
    }
    off() {
      this.handlers = [];
    }
    add(message) {
      assert.equal(typeof message === 'string', !binary);
      const { t, n, i, d, b } = JSON.parse(binary ? Buffer.from(message).toString() : message);
      const data = replace(d, (value) => value?._placeholder === true, ({ num }) => Buffer.from(b[num], 'base64'));
      for (const fn of this.handlers) fn({ type: t, nsp: n, id: i, data });
    }
    destroy() {}
  }
  return { Encoder, Decoder };
}

const TRANSPORTS = {
  polling: { transports: ['polling'] },
  websocket: { transports: ['websocket'] },
  upgrade: { transports: ['polling', 'websocket'] },
};

const VALUES = [null, true, -1.5, 9007199254740991, 'wörd 😀 " \\', [], [[1]], { a: { b: [null] } }, 'x'.repeat(100_000)];

for (const binary of [false, true]) {
  const parser = parserOf(binary);
  const own = binary ? 'own-binary' : 'own';

  describe(`messages are ${binary ? 'binary' : 'text'}`, async () => {
    const server = await startServer('sio-client', { ...QUIET, path: '/socket.io/', parser: own });
    after(() => server.stop());

    const open = async (t, options, nsp = '/') => {
      const socket = io(`http://127.0.0.1:${server.port}${nsp}`, { forceNew: true, reconnection: false, parser, ...options });
      t.after(() => socket.disconnect());
      await new Promise((resolve, reject) => {
        socket.on('connect', resolve);
        socket.on('connect_error', reject);
      });
      return socket;
    };

    for (const [name, options] of Object.entries(TRANSPORTS)) {
      test(`PR01 ${name}: values, binary ones too, come back as they were`, async (t) => {
        const socket = await open(t, options);
        for (const value of VALUES) {
          assert.deepEqual(await socket.emitWithAck('echo', value), value);
        }
        const bytes = Buffer.alloc(3000, 7);
        const back = await socket.emitWithAck('echo', { a: [bytes, { b: bytes }] });
        assert.deepEqual(back, { a: [bytes, { b: bytes }] });
      });

      test(`PR01 ${name}: namespaces are joined and refused`, async (t) => {
        const foo = await open(t, options, '/foo');
        assert.ok(foo.id);
        await assert.rejects(open(t, options, '/nowhere'), { message: 'Invalid namespace' });
      });
    }

    const HOSTILE = {
      'not JSON': '{"t":2',
      'no packet': '[]',
      'a type that there is not': '{"t":9,"n":"/","d":["a"]}',
      'the type of packets with attachments': '{"t":5,"n":"/","d":["a"],"b":[]}',
      'a reserved name': '{"t":2,"n":"/","d":["connect"],"b":[]}',
      'an event that is no array': '{"t":2,"n":"/","d":{"a":1},"b":[]}',
      'a namespace that would be two things': '{"t":2,"n":"/,7","d":["a"],"b":[]}',
      'data that would be an id': '{"t":2,"n":"/","d":7,"b":[]}',
      'a placeholder for nothing': '{"t":2,"n":"/","d":["a",{"_placeholder":true,"num":1}],"b":["AA=="]}',
      'binary values of CONNECT': '{"t":0,"n":"/","d":{},"b":["AA=="]}',
    };
    for (const [what, text] of Object.entries(HOSTILE)) {
      test(`PR01 ${what} ends the connection`, async () => {
        const ws = await WebSocketWire.session(server, { path: '/socket.io/' });
        const send = (message) => (binary ? ws.send(2, Buffer.from(message)) : ws.sendText(`4${message}`));
        send('{"t":0,"n":"/","b":[]}');
        await ws.frame();
        send(text);
        await ws.gone();
      });
    }

    test('PR01 a message of the other form ends the connection', async () => {
      const ws = await WebSocketWire.session(server, { path: '/socket.io/' });
      const text = '{"t":0,"n":"/","b":[]}';
      binary ? ws.sendText(`4${text}`) : ws.send(2, Buffer.from(text));
      await ws.gone();
    });
  });
}
