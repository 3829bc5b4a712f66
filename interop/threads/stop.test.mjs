// The server stops while everything is going on.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WAYS, client, connected, eventually, next } from '../support/client.mjs';
import { WebSocketWire, Wire, encodeRequest, now, upgradeHeaders } from '../support/raw.mjs';
import { isOfficial } from '../support/server.mjs';
import { PATH, counted, everywhere, sessionOn, startThreads } from '../support/threads.mjs';

const STOP_LIMIT = 6000; // ms, for all threads to end
const TOLD = ['io server disconnect', 'transport close', 'transport error'];

/** Stops the server, which has to end well and soon. */
async function stop(server) {
  const begun = now();
  await server.stop();
  assert.ok(now() - begun < STOP_LIMIT, `it took ${now() - begun} ms`);
}

/** Resolves with why each of them was disconnected. */
const ends = (all) => Promise.all(all.map(async (socket) => (await next(socket, 'disconnect'))[0]));

/** Has one thing under way all the time: `start` is called again when what it
 *  has started is over, which is when `back` comes, with what `isOwn` knows. */
function pump(socket, start, back, isOwn = () => true) {
  socket.on(back, (...list) => socket.connected && isOwn(...list) && start());
  start();
}

/** All that clients can have under way, each of them one thing. */
function bustle(all) {
  for (const [i, socket] of all.entries()) {
    const { id } = socket;
    const far = () => socket.emit('far', 'broadcast', 3, far); // until that is acknowledged
    const ways = [
      () => pump(socket, () => socket.emit('broadcast', id), 'broadcast', (from) => from === id),
      far,
      () => pump(socket, () => socket.emit('echo', Buffer.alloc(5000)), 'echo'),
      () => pump(socket, () => socket.emit('survey', 50), 'surveyed'),
      () => pump(socket, () => socket.emit('fetch'), 'fetched'),
      () => pump(socket, () => socket.emit('far', 'ask', 20), 'answered'),
      () => pump(socket, () => socket.emit('gather', '', `room ${i % 3}`).emit('far', 'emit', 1), 'far'),
    ];
    socket.on('who', (done) => done(id));
    ways[i % ways.length]();
  }
}

/** Connects again and again until that cannot be done any more. */
async function connectors(t, server, transports, state) {
  while (!state.stopped) {
    const socket = client(t, server, '/', { transports, timeout: 5000 });
    await new Promise((done) => {
      for (const event of ['connect', 'connect_error', 'disconnect']) socket.once(event, done);
      // A client does not notice when this happens before it is open.
      socket.io.engine.once('close', done);
    });
    socket.disconnect();
    state.connects++;
  }
}

function stopping(title, options, run) {
  const skip = isOfficial && 'the official server has one thread';
  test(title, { skip }, async (t) => {
    const server = await startThreads(options);
    t.after(() => server.stop());
    await run(t, server);
  });
}

describe('the server stops', () => {
  stopping('with nobody there', {}, (t, server) => stop(server));

  stopping('with quiet clients, who are told', {}, async (t, server) => {
    const all = await everywhere(t, server, 4);
    const gone = ends(all);
    await stop(server);
    for (const reason of await gone) assert.ok(TOLD.includes(reason), reason);
  });

  for (let round = 1; round <= 3; round++) {
    stopping(`while all is going on (${round})`, { 'allow-delay': 1, 'deny-query': true }, async (t, server) => {
      const all = await everywhere(t, server, 3);
      bustle(all);
      const state = { stopped: false, connects: 0 };
      const connecting = Object.values(WAYS).flatMap((transports) => [1, 2, 3].map(() => connectors(t, server, transports, state)));
      const gone = ends(all);
      await eventually(() => state.connects, (n) => n > 20, 'connections');
      const stopped = stop(server).finally(() => (state.stopped = true));
      for (const reason of await gone) assert.ok(TOLD.includes(reason), reason);
      await stopped;
      await Promise.all(connecting);
    });
  }

  stopping('with requests, verdicts and middlewares that nobody has answered', { 'allow-delay': 10_000, 'deny-query': true }, async (t, server) => {
    const wires = [];
    for (let i = 0; i < 40; i++) {
      const wire = await Wire.open(server);
      const transport = i % 2 ? 'websocket' : 'polling';
      const target = `${PATH}?EIO=4&transport=${transport}`;
      wire.write(encodeRequest(server, { target, headers: i % 2 ? upgradeHeaders() : {} }));
      wires.push(wire);
    }
    await eventually(() => counted(server, 'http_requests'), (n) => n > 40, 'requests');
    for (let i = 0; i < 8; i++) {
      const wire = await Wire.open(server);
      wire.write(encodeRequest(server, { target: '/slow' }));
      wires.push(wire);
    }
    await stop(server);
    await Promise.all(wires.map((wire) => wire.ended()));
  });

  stopping('with middlewares and acks that are under way', {}, async (t, server) => {
    const all = await everywhere(t, server, 2);
    for (const socket of all) socket.on('question', () => {}).on('who', () => {});
    for (const socket of all) socket.emit('far', 'ask', 60_000).emit('survey', 60_000);
    const gates = Array.from({ length: 24 }, (_, i) => client(t, server, '/gate', { auth: i % 2 ? { no: 1 } : {}, transports: ['websocket'] }));
    const gone = ends(all);
    await next(gates[0], 'connect');
    await stop(server);
    for (const reason of await gone) assert.ok(TOLD.includes(reason), reason);
  });

  stopping('with polls, probes and bodies that wait on several loops', {}, async (t, server) => {
    const wires = [];
    for (let i = 0; i < 8; i++) {
      const session = await sessionOn(t, server);
      session.wire.write(encodeRequest(server, { target: session.target() }));
      const post = await Wire.open(server);
      post.write(encodeRequest(server, { method: 'POST', target: session.target(), headers: { 'Content-Type': 'text/plain', 'Content-Length': 100 }, body: '4half' }));
      const probe = await WebSocketWire.open(server, { path: PATH, query: { sid: session.sid } });
      probe.sendText('2probe');
      wires.push(session.wire, post, probe.wire);
    }
    await stop(server);
    await Promise.all(wires.map((wire) => wire.ended()));
  });

  stopping('while clients do not read', { 'max-backlog': 50_000_000 }, async (t, server) => {
    const sender = await connected(t, server, '/', { transports: ['websocket'] });
    const silent = await Promise.all(Array.from({ length: 12 }, () => WebSocketWire.session(server, { path: PATH })));
    for (const ws of silent) {
      ws.sendText('40');
      await ws.text();
      ws.wire.pause();
    }
    const text = 'x'.repeat(100_000);
    for (let i = 0; i < 60; i++) {
      const back = next(sender, 'broadcast');
      sender.emit('broadcast', text);
      await back;
    }
    const gone = ends([sender]);
    await stop(server);
    assert.ok(TOLD.includes((await gone)[0]));
    silent.forEach((ws) => ws.destroy());
  });
});
