// What is called from a thread that is none of the server's.

import assert from 'node:assert/strict';
import {
  WAYS, ask, assertNumbered, client, collect, connected, eventually, next, rawWebSocket,
} from '../support/client.mjs';
import { Wire, encodeRequest, request } from '../support/raw.mjs';
import { OP, deserted, everywhere, loops, oneOfEach, population, sum, withThreads } from '../support/threads.mjs';

const TIMEOUT = -304; // SIO_ERR_TIMEOUT
const OK = 0;
const CALLS = ['emit', 'join', 'leave', 'post', 'ack', 'broadcast', 'ask', 'disconnect', 'close'];

/** Emits echoes and gets them back as long as the socket is connected, and
 *  checks that those that come do so in order. */
function chat(socket) {
  let due = 0;
  let n = 0;
  socket.on('echo', (got) => {
    assert.equal(got, due++);
    if (socket.connected) socket.emit('echo', n++);
  });
  for (let i = 0; i < 8; i++) socket.emit('echo', n++);
  return () => due;
}

withThreads('calls from a thread that is none of the server\'s', {}, (on) => {
  on('events in order, to sockets of all loops', async (t, server) => {
    const all = await everywhere(t, server, 3);
    const got = all.map((socket) => collect(socket, 'far'));
    await Promise.all(all.map((socket) => ask(socket, 'far', 'emit', 400)));
    for (const list of got) assertNumbered(await list.reach(400), 400);
  });

  on('an ack is sent behind the events that were emitted before', async (t, server) => {
    const [socket] = await everywhere(t, server, 1);
    const got = collect(socket, 'far');
    assert.deepEqual(await ask(socket, 'far', 'emit', 50), ['emit']);
    assertNumbered(got, 50);
    assert.deepEqual(await ask(socket, 'far', 'ack'), ['ack']);
  });

  on('rooms are joined and left', async (t, server) => {
    const all = await everywhere(t, server, 2);
    const got = all.map((socket) => collect(socket, 'room'));
    const members = all.filter((_, i) => i % 2);
    for (const socket of members) await ask(socket, 'far', 'join', 'away');
    for (const socket of oneOfEach(all)) socket.emit('room', 'away', socket.loop);
    for (const [i, list] of got.entries()) {
      await list.reach(i % 2 ? 4 : 0);
      assert.deepEqual(list.map(([loop]) => loop).sort(), i % 2 ? [0, 1, 2, 3] : []);
    }
    for (const socket of members) await ask(socket, 'far', 'leave', 'away');
    const counted = next(all[0], 'counted');
    all[0].emit('count', 'away');
    assert.deepEqual(await counted, [OK, 0]);
  });

  on('a question is answered', async (t, server) => {
    const all = await everywhere(t, server, 1);
    for (const [i, socket] of all.entries()) socket.on('question', (done) => done(i));
    const answers = all.map((socket) => next(socket, 'answered'));
    for (const socket of all) socket.emit('far', 'ask', 10_000);
    assert.deepEqual(await Promise.all(answers), all.map((_, i) => [OK, i]));
  });

  on('many questions to one socket are each answered', async (t, server) => {
    const [socket] = await everywhere(t, server, 1);
    let n = 0;
    socket.on('question', (done) => setTimeout(done, n % 7, n++));
    const got = collect(socket, 'answered');
    for (let i = 0; i < 60; i++) socket.emit('far', 'ask', 10_000);
    await got.reach(60);
    assert.deepEqual(got.map(([err]) => err), Array(60).fill(OK));
    assert.deepEqual(got.map(([, x]) => x).sort((a, b) => a - b), Array.from({ length: 60 }, (_, i) => i));
  });

  on('a question is given up after its time', async (t, server) => {
    const all = await everywhere(t, server, 1);
    const answers = all.map((socket) => next(socket, 'answered'));
    const begun = performance.now();
    for (const socket of all) socket.emit('far', 'ask', 80);
    for (const answer of await Promise.all(answers)) assert.deepEqual(answer, [TIMEOUT, 0]);
    assert.ok(performance.now() - begun > 75);
  });

  on('functions are posted to the socket\'s loop', async (t, server) => {
    const all = await everywhere(t, server, 1);
    for (const socket of all) {
      const posted = next(socket, 'posted');
      socket.emit('far', 'post');
      assert.deepEqual(await posted, [socket.io.engine.transport.name]);
    }
  });

  for (const what of ['disconnect', 'close']) {
    on(`${what} while events go both ways`, async (t, server) => {
      const all = await everywhere(t, server, 4);
      const talks = all.map((socket) => chat(socket));
      await eventually(() => talks, (list) => list.every((due) => due() > 20), 'they talk');
      const gone = all.map((socket) => next(socket, 'disconnect'));
      for (const socket of all) socket.emit('far', 'emit', 50).emit('far', what);
      for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'io server disconnect');
      await deserted(server);
    });
  }

  on('disconnect leaves the other namespaces, close does not', async (t, server) => {
    for (const transports of Object.values(WAYS)) {
      const root = await connected(t, server, '/', { transports });
      const other = root.io.socket('/n1');
      await next(other, 'connect');
      const gone = next(root, 'disconnect');
      root.emit('far', 'disconnect');
      assert.equal((await gone)[0], 'io server disconnect');
      assert.deepEqual(await ask(other, 'ack', 1), [1]);
      root.connect();
      await next(root, 'connect');
      const both = [next(root, 'disconnect'), next(other, 'disconnect')];
      root.emit('far', 'close');
      for (const [reason] of await Promise.all(both)) assert.equal(reason, 'io server disconnect');
    }
    await deserted(server);
  });

  on('disconnected from two sides at once', async (t, server) => {
    const old = await loops(server);
    const all = await everywhere(t, server, 4);
    const gone = all.map((socket) => next(socket, 'disconnect'));
    for (const [i, socket] of all.entries()) {
      socket.emit('far', i % 2 ? 'close' : 'disconnect');
      socket.emit('kick', all[(i + 1) % all.length].id);
      socket.emit('far', i % 2 ? 'disconnect' : 'close');
    }
    for (const [reason] of await Promise.all(gone)) assert.equal(reason, 'io server disconnect');
    await deserted(server);
    const young = await loops(server);
    const ended = ['disconnected_server_namespace', 'disconnected_forced_server_close'];
    const total = ended.reduce((n, counter) => n + sum(young, counter) - sum(old, counter), 0);
    assert.equal(total, all.length, 'each ends once');
  });

  on('calls after the socket has gone do nothing', async (t, server) => {
    const witness = await connected(t, server, '/', { transports: ['websocket'] });
    const far = collect(witness, 'far-binary');
    for (let round = 0; round < 6; round++) {
      const ways = Object.values(WAYS);
      const all = await Promise.all(Array.from({ length: 9 }, (_, i) => connected(t, server, '/', { transports: ways[i % 3] })));
      for (const [i, socket] of all.entries()) {
        for (const what of CALLS.slice(0, 7)) socket.emit('far', what, what === 'emit' || what === 'ask' ? 20 : what === 'broadcast' ? 1 : 'gone');
        if (round % 2) socket.disconnect();
        else if (i % 2) socket.io.engine.close();
        else socket.emit('far', 'close').emit('far', 'emit', 20).emit('far', 'ask', 5).emit('far', 'post');
      }
      await population(server, 1);
    }
    assert.deepEqual(await ask(witness, 'ack', 'lives'), ['lives']);
    assert.ok(far.every(([n]) => n === 0));
  });

  on('a client is cut off with calls under way', async (t, server) => {
    for (let i = 0; i < 40; i++) {
      const ws = await rawWebSocket(t, server);
      for (const what of CALLS) ws.sendText(`42["far","${what}",${what === 'broadcast' ? 3 : 30}]`);
      for (const what of CALLS) ws.send(OP.TEXT, `42["far","${what}","room"]`);
      if (i % 2) ws.destroy();
      else ws.wire.abort();
    }
    await deserted(server);
    const socket = await connected(t, server);
    assert.deepEqual(await ask(socket, 'ack', 'lives'), ['lives']);
  });

  on('a question ends with the socket', async (t, server) => {
    const all = await everywhere(t, server, 1);
    const asked = all.map((socket) => next(socket, 'question'));
    for (const socket of all) socket.emit('far', 'ask', 60_000);
    await Promise.all(asked);
    all.forEach((socket, i) => (i % 2 ? socket.disconnect() : socket.io.engine.close()));
    await deserted(server);
  });
});

withThreads('middlewares and HTTP answered from another thread', {}, (on) => {
  on('clients are allowed, over all transports', async (t, server) => {
    const all = await everywhere(t, server, 2, {}, '/gate');
    assert.equal(sum(await loops(server), 'sockets'), all.length);
  });

  on('clients are refused, with data', async (t, server) => {
    for (const transports of Object.values(WAYS)) {
      const all = Array.from({ length: 8 }, () => client(t, server, '/gate', { transports, auth: { no: true } }));
      for (const [err] of await Promise.all(all.map((socket) => next(socket, 'connect_error')))) {
        assert.equal(err.message, 'no');
        assert.deepEqual(err.data, { why: 'no' });
      }
    }
    assert.equal(sum(await loops(server), 'sockets'), 0);
  });

  on('one who is refused may try again, on the same connection', async (t, server) => {
    const root = await connected(t, server, '/', { transports: ['websocket'] });
    const gate = root.io.socket('/gate', { auth: { no: true } });
    await next(gate, 'connect_error');
    gate.auth = {};
    gate.connect();
    await next(gate, 'connect');
    gate.disconnect();
  });

  on('clients that leave meanwhile', async (t, server) => {
    for (let i = 0; i < 60; i++) {
      const ws = await rawWebSocket(t, server, null);
      ws.sendText(`40/gate,${i % 2 ? '{"no":true}' : '{}'}`);
      if (i % 3 === 0) ws.sendText('41/gate,');
      if (i % 3 === 1) ws.destroy();
      else ws.wire.abort();
    }
    await deserted(server);
    await connected(t, server, '/gate');
  });

  on('HTTP is answered, with headers', async (t, server) => {
    const all = await Promise.all(Array.from({ length: 20 }, () => request(server, { target: '/slow' })));
    for (const response of all) {
      assert.deepEqual([response.status, response.text, response.header('x-thread')], [200, 'slow', 'another']);
      assert.match(response.header('content-type'), /^text\/plain/);
    }
  });

  on('HTTP of clients that leave meanwhile', async (t, server) => {
    for (let i = 0; i < 60; i++) {
      const wire = await Wire.open(server);
      await wire.writePieces([encodeRequest(server, { target: '/slow' })]);
      if (i % 2) wire.destroy();
      else wire.abort();
    }
    assert.equal((await request(server, { target: '/slow' })).text, 'slow');
  });
});
