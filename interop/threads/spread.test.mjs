// How connections and sessions are spread over the loops.

import assert from 'node:assert/strict';
import { ask, connected, eventually, rawWebSocket } from '../support/client.mjs';
import { WebSocketWire, Wire, encodeRequest, request } from '../support/raw.mjs';
import {
  PATH, POST_HEADERS, THREADS, deserted, everywhere, foreignWire, loops, placed, population,
  sessionOn, sum, withThreads,
} from '../support/threads.mjs';

const CLIENTS = 200;

/** Each loop has its part of the sessions, give or take a fifth. */
async function assertEven(server, count) {
  const has = (await loops(server)).map((loop) => loop.sessions);
  assert.equal(has.reduce((a, b) => a + b), count);
  for (const n of has) assert.ok(Math.abs(n - count / THREADS) <= (count / THREADS) * 0.2, `spread: ${has}`);
}

const open = (t, server) => connected(t, server, '/', { transports: ['websocket'] });

withThreads('clients are spread over the loops', {}, (on) => {
  on('200 WebSockets at once', async (t, server) => {
    await Promise.all(Array.from({ length: CLIENTS }, () => open(t, server)));
    await assertEven(server, CLIENTS);
  });

  on('those of two loops leave, and others come; the rest stays', async (t, server) => {
    const all = [];
    for (let i = 0; i < CLIENTS; i++) all.push(await placed(t, server, '/', { transports: ['websocket'] }));
    await assertEven(server, CLIENTS);
    const staying = all.filter((socket) => socket.loop >= 2);
    all.filter((socket) => socket.loop < 2).forEach((socket) => socket.disconnect());
    await population(server, staying.length);
    await Promise.all(Array.from({ length: CLIENTS - staying.length }, () => open(t, server)));
    await assertEven(server, CLIENTS);
    for (const socket of staying) assert.deepEqual(await ask(socket, 'ack', 1), [1]);
  });

  on('those of one loop leave again and again', async (t, server) => {
    let all = await Promise.all(Array.from({ length: 80 }, async () => rawWebSocket(t, server)));
    for (let round = 0; round < THREADS; round++) {
      all.splice(0, 40).forEach((ws) => ws.destroy());
      await population(server, 40);
      const more = [];
      for (let i = 0; i < 40; i++) more.push(await rawWebSocket(t, server));
      all = all.concat(more);
      await assertEven(server, 80);
    }
  });

  on('connections are counted where they are, whatever has become of others', async (t, server) => {
    const session = await sessionOn(t, server);
    const ways = [
      (wire) => wire.destroy(),
      (wire) => wire.abort(),
      (wire) => wire.finish(),
      (wire) => wire.write('nonsense\r\n\r\n').finish(),
      (wire) => wire.write('GET /hello HTTP/1.1\r\nHost').abort(),
      (wire) => wire.write(encodeRequest(server, { target: '/slow' })).abort(),
      (wire) => wire.write(encodeRequest(server, { target: session.target(), method: 'HEAD' })).finish(),
      (wire) => wire.write(encodeRequest(server, { method: 'POST', target: session.target(), headers: POST_HEADERS, body: '3' })).abort(),
      (wire) => wire.write(encodeRequest(server, { target: session.target({ transport: 'websocket' }) })).finish(),
    ];
    for (const way of ways) {
      const wires = await Promise.all(Array.from({ length: 20 }, () => Wire.open(server)));
      wires.forEach(way);
      // Nothing is left of them but the connection that asks, and what that was before.
      const isOver = (list) => sum(list, 'connections') <= 3;
      await eventually(() => loops(server), isOver, `${way}`);
    }
    for (let i = 0; i < 10; i++) {
      const wire = await foreignWire(t, server, session.loop);
      wire.write(encodeRequest(server, { target: session.target({ transport: 'websocket' }) }));
      assert.equal((await wire.response()).status, 400);
      wire.destroy();
    }
    await request(server, { method: 'POST', target: session.target(), headers: POST_HEADERS, body: '1' });
    session.wire.destroy();
    await deserted(server);
    const all = await Promise.all(Array.from({ length: 120 }, () => WebSocketWire.session(server, { path: PATH })));
    await assertEven(server, 120);
    const open = (await loops(server)).map((loop) => loop.connections);
    assert.ok(open.reduce((a, b) => a + b) <= 125, `connections: ${open}`);
    all.forEach((ws) => ws.destroy());
  });

  on('the spread is still even after hand-overs', async (t, server) => {
    const polling = await everywhere(t, server, 3, { ways: [['polling'], ['polling', 'websocket']] });
    await Promise.all(polling.map(async (socket) => {
      for (let i = 0; i < 15; i++) await ask(socket, 'ack', i);
    }));
    polling.forEach((socket, i) => (i % 2 ? socket.disconnect() : socket.io.engine.close()));
    await deserted(server);
    await Promise.all(Array.from({ length: 120 }, () => rawWebSocket(t, server)));
    await assertEven(server, 120);
  });
});
