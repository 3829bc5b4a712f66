// Servers that end little by little, and are started again, with official
// clients that come back by themselves; and sessions that share a connection.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { WAYS, ask, client, connection, eventually, next } from '../support/client.mjs';
import { Polling, QUIET, WebSocketWire, Wire, now, request, upgradeHeaders } from '../support/raw.mjs';
import { freePort, isOfficial, startServer } from '../support/server.mjs';
import { PATH, askOn, loops, pollOn, postOn, sum, webSocketOn, withThreads } from '../support/threads.mjs';

const BACK = { reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 300 };
const TOLD = ['transport close', 'transport error'];
const skip = isOfficial && 'the official server drains nothing';

/** Servers with one thread and with four. */
function drained(title, options, run) {
  for (const threads of [1, 4]) {
    test(`${title} (${threads} threads)`, { skip, timeout: 60_000 }, async (t) => {
      const begin = async (more = {}) => {
        const port = more.port ?? await freePort();
        const server = await startServer('threads', { ...QUIET, threads, ...options, ...more, port });
        t.after(() => server.stop());
        return server;
      };
      await run(t, begin, threads);
    });
  }
}

/** Clients over all transports that come back. */
async function crowd(t, server, each, options = {}) {
  const all = [];
  for (let i = 0; i < each; i++) {
    for (const transports of Object.values(WAYS)) {
      all.push(client(t, server, '/', { ...BACK, transports, ...options }));
    }
  }
  await Promise.all(all.map(connection));
  return all;
}

/** Numbers each client sends while nobody listens, and what it hears back. */
class Sender {
  constructor(socket) {
    Object.assign(this, { socket, sent: 0, heard: [], acked: [], ids: new Set([socket.id]) });
    socket.on('echo', (n) => this.heard.push(n));
    socket.on('connect', () => this.ids.add(socket.id));
  }

  /** Only what is emitted while the client knows that it is not connected is
   *  kept by it. */
  send() {
    if (this.socket.connected) return;
    const n = this.sent++;
    this.socket.emit('echo', n, Buffer.of(n & 255));
    this.socket.emit('ack', n, (answer) => this.acked.push(answer));
  }

  async check() {
    const all = Array.from({ length: this.sent }, (_, n) => n);
    await eventually(() => [this.heard.length, this.acked.length], ([n, m]) => n >= this.sent && m >= this.sent, 'what was kept');
    assert.deepEqual(this.heard, all);
    assert.deepEqual(this.acked, all);
  }
}

/** Has them send every few milliseconds until `over`. */
async function sendUntil(senders, over) {
  const timer = setInterval(() => senders.forEach((sender) => sender.send()), 5);
  try {
    await over;
  } finally {
    clearInterval(timer);
  }
}

const allBack = (senders) => Promise.all(senders.map(({ socket }) => eventually(() => socket.connected, (yes) => yes, 'the client is back')));

describe('a server that is drained', () => {
  drained('OP04 ends its sessions at a rate, and clients know why', { 'drain-rate': 40, 'drain-jitter': 50 }, async (t, begin) => {
    const server = await begin();
    const all = await crowd(t, server, 8, { reconnection: false });
    const ends = [];
    const gone = Promise.all(all.map(async (socket) => {
      const [reason] = await next(socket, 'disconnect');
      ends.push(now());
      assert.ok(TOLD.includes(reason), reason);
      assert.notEqual(reason, 'io server disconnect'); // clients would stay away
    }));
    await server.drain();
    await gone;
    const span = ends.at(-1) - ends[0]; // 600 ms but for chance
    assert.ok(span > 300 && span < 3000, `${span} ms`);
  });

  drained('OP04 answers handshakes with 503 and the others as before', { 'drain-rate': 2, 'drain-retry-after': 9 }, async (t, begin) => {
    const server = await begin({ 'cors-origin': 'https://a.example' });
    const all = await crowd(t, server, 3, { reconnection: false });
    all.forEach((socket) => socket.on('disconnect', () => (socket.over = true)));
    const ended = server.drain();
    const target = `${PATH}?EIO=4&transport=polling`;
    const headers = { Origin: 'https://a.example' };
    const refused = await eventually(() => request(server, { target, headers }), ({ status }) => status === 503, 'refusals');
    assert.equal(refused.header('retry-after'), '9');
    assert.equal(refused.header('connection'), 'close');
    assert.equal(refused.header('access-control-allow-origin'), 'https://a.example');
    const upgrade = await request(server, { target: `${PATH}?EIO=4&transport=websocket`, headers: upgradeHeaders() });
    assert.equal(upgrade.status, 503);
    assert.equal(upgrade.header('retry-after'), '9');
    const late = client(t, server);
    const [err] = await next(late, 'connect_error');
    assert.equal(err.message, 'xhr poll error');
    const other = client(t, server, '/', { transports: ['websocket'] });
    assert.equal((await next(other, 'connect_error'))[0].message, 'websocket error');
    assert.equal((await request(server, { target: '/hello' })).text, 'hello');
    const staying = () => all.filter((socket) => !socket.over);
    await eventually(() => staying().length, (n) => n < all.length, 'the first to end');
    const left = staying();
    assert.ok(left.length > 0, 'all have ended');
    const last = left.at(-1);
    const told = next(last, 'disconnect');
    const answer = await Promise.race([ask(last, 'ack', 5), told]);
    assert.ok(answer[0] === 5 || TOLD.includes(answer[0]));
    all.forEach((socket) => socket.disconnect()); // the rest, for which it waits
    await ended;
  });

  drained('OP04 lets upgrades end first', { 'drain-rate': 0 }, async (t, begin) => {
    const server = await begin();
    const all = [];
    for (let i = 0; i < 8; i++) {
      const session = await Polling.open(server, { path: PATH });
      await session.post('40');
      assert.match((await session.poll()).text, /^40/);
      session.ws = await WebSocketWire.open(server, { path: PATH, query: { sid: session.sid } });
      session.ws.sendText('2probe');
      await session.ws.text('3probe');
      assert.equal((await session.poll()).text, '6');
      all.push(session);
    }
    const ended = server.drain();
    const target = `${PATH}?EIO=4&transport=polling`;
    for (let refused = 0; refused < 20;) {
      refused = (await request(server, { target })).status === 503 ? refused + 1 : 0;
    }
    for (const session of all) {
      assert.equal((await session.post('42["echo",1]')).text, 'ok');
      session.ws.sendText('5');
      await session.ws.text('42["echo",1]');
      await session.ws.closed();
    }
    await ended;
  });

  drained('OP04 sends what is queued before it ends a session', { 'drain-rate': 0, 'max-backlog': 50_000_000 }, async (t, begin) => {
    const server = await begin();
    const all = await crowd(t, server, 2, { reconnection: false });
    const got = all.map(() => 0);
    all.forEach((socket, i) => socket.on('binary', (n) => assert.equal(n, got[i]++)));
    const gone = all.map((socket) => next(socket, 'disconnect'));
    all[0].emit('binary', 5000);
    await next(all[0], 'binary');
    await server.drain();
    await Promise.all(gone);
    assert.deepEqual(got, all.map(() => 5000));
  });

  drained('OP04 DC08 is started again at its port, and nothing that clients kept is lost', { 'drain-rate': 60 }, async (t, begin) => {
    const first = await begin();
    const senders = (await crowd(t, first, 4)).map((socket) => new Sender(socket));
    const again = async () => {
      await first.drain();
      await eventually(() => Math.min(...senders.map(({ sent }) => sent)), (n) => n > 10, 'they keep some');
      const second = await begin({ port: first.port });
      await allBack(senders);
      return second;
    };
    await sendUntil(senders, again());
    for (const sender of senders) {
      assert.ok(sender.ids.size === 2);
      await sender.check();
    }
  });

  drained('OP04 hands its port to another process at once', { 'drain-rate': 30, 'drain-stop-listening': true }, async (t, begin) => {
    const first = await begin();
    const senders = (await crowd(t, first, 6)).map((socket) => new Sender(socket));
    let second;
    const change = async () => {
      const ended = first.drain();
      while (!second) second = await begin({ port: first.port }).catch(() => null);
      await ended;
      await allBack(senders);
    };
    await sendUntil(senders, change());
    for (const sender of senders) await sender.check();
    assert.equal(sum(await loops(second), 'sessions'), senders.length);
  });

  drained('OP04 drains and listens again in one process, several times', { 'drain-rate': 200 }, async (t, begin) => {
    const server = await begin();
    const senders = (await crowd(t, server, 3)).map((socket) => new Sender(socket));
    for (let life = 2; life <= 4; life++) {
      const told = () => server.stdout().match(/listening on/g).length;
      const again = async () => {
        process.kill(server.pid, 'SIGUSR2');
        await eventually(told, (n) => n === life, 'it listens again');
        await eventually(() => senders.filter(({ ids }) => ids.size === life).length, (n) => n === senders.length, 'all are back');
      };
      await sendUntil(senders, again());
      // What is on its way when the next life ends may be lost.
      for (const sender of senders) await sender.check();
    }
  });

  drained('OP04 with retries of the client not even what was under way is lost', { 'drain-rate': 50 }, async (t, begin) => {
    const first = await begin();
    const all = await crowd(t, first, 3, { retries: 50, ackTimeout: 1000 });
    const state = { on: true };
    const sent = all.map(() => []);
    const acked = all.map(() => new Set());
    const sending = Promise.all(all.map(async (socket, i) => {
      for (let n = 0; state.on; n++) {
        sent[i].push(n);
        socket.emit('ack', n, (err, answer) => !err && acked[i].add(answer));
        await new Promise((done) => setTimeout(done, 10));
      }
    }));
    await first.drain();
    const second = await begin({ port: first.port });
    await Promise.all(all.map((socket) => eventually(() => socket.connected, (yes) => yes, 'the client is back')));
    state.on = false;
    await sending;
    for (let i = 0; i < all.length; i++) {
      await eventually(() => acked[i].size, (n) => n === sent[i].length, 'acks');
    }
    assert.equal(sum(await loops(second), 'sessions'), all.length);
  });
});

describe('a server that stops', () => {
  for (const threads of [1, 4]) {
    test(`DC08 is not held up by peers that do not answer (${threads} threads)`, { skip }, async (t) => {
      const server = await startServer('threads', { ...QUIET, threads, 'stop-timeout': 20_000 });
      t.after(() => server.stop());
      for (let i = 0; i < 8; i++) {
        const ws = await webSocketOn(server, await Wire.open(server), {});
        ws.sendText('40');
        t.after(() => ws.destroy());
      }
      const begun = now();
      await server.stop();
      const took = now() - begun;
      assert.ok(took < 2000, `${took} ms`);
    });
  }
});

withThreads('sessions whose requests share a connection', {}, (on) => {
  /** Opens that many over one wire. */
  async function openOver(server, wire, count) {
    const all = [];
    for (let i = 0; i < count; i++) {
      const session = new Polling(server, PATH);
      const opened = await askOn(server, wire, { target: session.target() });
      assert.equal(opened.status, 200, opened.text);
      session.sid = JSON.parse(opened.text.slice(1)).sid;
      all.push(session);
    }
    return all;
  }

  const spreadOf = async (server) => (await loops(server)).map((loop) => loop.sessions);

  on('they are spread over the loops', async (t, server) => {
    const wire = await Wire.open(server);
    t.after(() => wire.destroy());
    const all = await openOver(server, wire, 100);
    const spread = await spreadOf(server);
    assert.ok(Math.max(...spread) - Math.min(...spread) <= 6, `${spread}`);
    for (const session of all) {
      await postOn(session, wire, '40');
      assert.match(await pollOn(session, wire), /^40\{/);
    }
    for (const session of all) await postOn(session, wire, '42["echo",1]');
    for (const session of all) assert.equal(await pollOn(session, wire), '42["echo",1]');
    for (const session of all) await postOn(session, wire, '1');
  });

  on('also when several connections open them at once, and some end', async (t, server) => {
    const wires = await Promise.all(Array.from({ length: 5 }, () => Wire.open(server)));
    t.after(() => wires.forEach((wire) => wire.destroy()));
    const lists = await Promise.all(wires.map((wire) => openOver(server, wire, 40)));
    let spread = await spreadOf(server);
    assert.ok(Math.max(...spread) - Math.min(...spread) <= 14, `${spread}`);
    for (let i = 0; i < 5; i++) {
      for (const session of lists[i].slice(0, 20)) await postOn(session, wires[i], '1');
    }
    const more = await openOver(server, wires[0], 60);
    spread = await spreadOf(server);
    assert.ok(Math.max(...spread) - Math.min(...spread) <= 14, `${spread}`);
    for (let i = 0; i < 5; i++) {
      for (const session of lists[i].slice(20)) await postOn(session, wires[i], '1');
    }
    for (const session of more) await postOn(session, wires[0], '1');
  });
});
