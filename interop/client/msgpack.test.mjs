// Official clients with socket.io-msgpack-parser, over all transports.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { after, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { QUIET, WebSocketWire } from '../support/raw.mjs';
import { startServer } from '../support/server.mjs';

const parser = createRequire(import.meta.url)('socket.io-msgpack-parser');
const server = await startServer('sio-client', { ...QUIET, path: '/socket.io/', parser: 'msgpack' });
after(() => server.stop());

const TRANSPORTS = {
  polling: { transports: ['polling'] },
  websocket: { transports: ['websocket'] },
  upgrade: { transports: ['polling', 'websocket'] },
};

/** A connected client; `nsp` with its slash. */
async function open(t, options, nsp = '/') {
  const socket = io(`http://127.0.0.1:${server.port}${nsp}`, { forceNew: true, reconnection: false, parser, ...options });
  t.after(() => socket.disconnect());
  await new Promise((resolve, reject) => {
    socket.on('connect', resolve);
    socket.on('connect_error', reject);
  });
  return socket;
}

const VALUES = [
  null, true, 0, -1, 1.5, -2.5e-10, 9007199254740991, -9007199254740991, 'text', '', 'wörd 😀 \u0000 " \\ \u2028',
  [], [[1, [2]]], {}, { a: { b: [null, { c: 'd' }] } }, 'x'.repeat(100_000), Array.from({ length: 2000 }, (_, i) => i * i),
];

for (const [name, options] of Object.entries(TRANSPORTS)) {
  describe(name, () => {
    test('PR02 PR03 values come back as they were', async (t) => {
      const socket = await open(t, options);
      for (const value of VALUES) {
        assert.deepEqual(await socket.emitWithAck('echo', value), value);
      }
    });

    test('PR02 PR03 binary values, nested, both ways', async (t) => {
      const socket = await open(t, options);
      for (const length of [0, 1, 300, 70_000]) {
        const bytes = Buffer.alloc(length, 7);
        const back = await socket.emitWithAck('echo', { a: [bytes, { b: bytes }], text: 't' });
        assert.ok(bytes.equals(Buffer.from(back.a[0])));
        assert.ok(bytes.equals(Buffer.from(back.a[1].b)));
        assert.equal(back.text, 't');
      }
    });

    test('PR02 PR03 namespaces: joined, left, refused', async (t) => {
      const foo = await open(t, options, '/foo');
      assert.ok(foo.id);
      await assert.rejects(open(t, options, '/nowhere'), { message: 'Invalid namespace' });
      foo.disconnect();
    });
  });
}

test('PR02 a client with the default parser is disconnected', async () => {
  const ws = await WebSocketWire.session(server, { path: '/socket.io/' });
  ws.sendText('40');
  await ws.gone();
});
