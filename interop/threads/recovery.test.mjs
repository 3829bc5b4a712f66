// Clients that lose their connection and come to another loop than before.
//
//   RECOVERY_CLIENTS   how many lose it again and again, default 24
//   RECOVERY_SECONDS   for how long, default 4

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { LIMIT, WAYS, ask, collect, connected, eventually } from '../support/client.mjs';
import { WebSocketWire, within } from '../support/raw.mjs';
import {
  PATH, THREADS, counted, everywhere, isSanitized, loops, oneOfEach, webSocketOn, wireOn, withThreads,
} from '../support/threads.mjs';

const CLIENTS = Number(process.env.RECOVERY_CLIENTS ?? 24);
const SECONDS = Number(process.env.RECOVERY_SECONDS ?? 4);
const CONNECT = /^40\{"sid":"([^"]{20})","pid":"([^"]{20})"\}$/;
const RECONNECT = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 30 };

/** A raw WebSocket on a loop for which `wanted` holds. */
async function rawOn(t, server, wanted) {
  const wire = await wireOn(t, server, wanted);
  const ws = await webSocketOn(server, wire);
  assert.match(await ws.text(), /^0/);
  ws.loop = wire.loop;
  return ws;
}

/** Connects, with a session to resume if there is one: what came before the
 *  answer, and the answer. */
async function join(ws, from) {
  ws.sendText('40' + (from ? JSON.stringify({ pid: from.pid, offset: from.offset }) : ''));
  const missed = [];
  for (;;) {
    const text = await ws.text();
    const match = CONNECT.exec(text);
    if (match) {
      const offset = missed.at(-1)?.at(-1) ?? from?.offset;
      return { sid: match[1], pid: match[2], offset, missed: missed.map((args) => args.slice(0, 2)) };
    }
    missed.push(JSON.parse(text.slice(text.indexOf('['))));
  }
}

/** The next event, whose offset the session keeps. */
async function event(ws, state) {
  const args = JSON.parse((await ws.text()).slice(2));
  state.offset = args.pop();
  return args;
}

async function command(ws, name, ...list) {
  ws.sendText('421' + JSON.stringify([name, ...list]));
  return JSON.parse((await ws.text()).slice(3));
}

/** Resolves when each loop has sent what was emitted before by that client. */
async function behind(all) {
  const last = (socket) => new Promise((done) => {
    const take = (what) => {
      if (what !== 'behind') return;
      socket.off('broadcast', take);
      done();
    };
    socket.on('broadcast', take);
  });
  const heard = all.map(last);
  all[0].emit('broadcast', 'behind');
  await within(Promise.all(heard), LIMIT, 'a broadcast to each loop');
}

/** Breaks the connection; resolves when the session is stored. */
async function lose(server, ws) {
  const before = await counted(server, 'recovery_stored');
  ws.destroy();
  await eventually(() => counted(server, 'recovery_stored'), (n) => n === before + 1, 'it is stored');
}

withThreads('sessions that move between loops', { recovery: true }, (on) => {
  on('RC02 to each loop in turn, with rooms, data and what was missed', async (t, server) => {
    const others = oneOfEach(await everywhere(t, server, 1));
    let ws = await rawOn(t, server, (loop) => loop === 0);
    let state = await join(ws);
    const { sid, pid } = state;
    assert.deepEqual(await command(ws, 'join', 'in'), []);
    assert.deepEqual(await command(ws, 'data', 'kept'), ['kept', false]);
    others[0].emit('room', 'in', 0);
    assert.deepEqual(await event(ws, state), ['room', 0]);
    for (let n = 1; n < 3 * THREADS; n++) {
      await lose(server, ws);
      const { loop } = ws;
      others[loop].emit('room', 'in', n);
      others[loop].emit('room', 'out', n);
      others[loop].emit('room', sid, -n);
      await behind([others[loop], ...others]);
      ws = await rawOn(t, server, (other) => other === (loop + 1) % THREADS);
      state = await join(ws, state);
      assert.deepEqual([state.sid, state.pid], [sid, pid]);
      assert.deepEqual(state.missed, [['room', n], ['room', -n], ['broadcast', 'behind']]);
      assert.deepEqual(await command(ws, 'data'), ['kept', true]);
    }
  });

  on('RC02 the answer is lost on the way, as is a part of what was missed', async (t, server) => {
    const others = oneOfEach(await everywhere(t, server, 1));
    const first = await rawOn(t, server, (loop) => loop === 0);
    const state = await join(first);
    others[1].emit('broadcast', 0);
    assert.deepEqual(await event(first, state), ['broadcast', 0]);
    await lose(server, first);
    for (let n = 1; n < 4; n++) others[2].emit('broadcast', n);
    await behind([others[2], ...others]);
    const wanted = [1, 2, 3, 'behind'].map((n) => ['broadcast', n]);
    let from = state;
    for (let i = 1; i < 2 * THREADS; i++) {
      // From where it was first, and then from the second of what was missed.
      const ws = await rawOn(t, server, (loop) => loop === i % THREADS);
      const now = await join(ws, from);
      assert.equal(now.sid, state.sid);
      assert.deepEqual(now.missed, from === state ? wanted : wanted.slice(2));
      await lose(server, ws);
      if (i === THREADS) {
        const last = await rawOn(t, server, (loop) => loop === 0);
        last.sendText('40' + JSON.stringify({ pid: from.pid, offset: from.offset }));
        from = { ...state };
        for (const n of [1, 2]) assert.deepEqual(await event(last, from), ['broadcast', n]);
        await lose(server, last);
      }
    }
  });

  on('RC02 a session that looks alive on another loop is taken over', async (t, server) => {
    const others = oneOfEach(await everywhere(t, server, 1));
    let ws = await rawOn(t, server, (loop) => loop === 0);
    let state = await join(ws);
    others[0].emit('broadcast', 0);
    await event(ws, state);
    for (let n = 1; n < 2 * THREADS; n++) {
      others[n % THREADS].emit('broadcast', n); // which it does not read
      await behind([others[n % THREADS], ...others]);
      const old = ws;
      ws = await rawOn(t, server, (loop) => loop !== old.loop);
      state = await join(ws, state);
      assert.equal(state.missed.length, 2);
      assert.deepEqual(state.missed[0], ['broadcast', n]);
    }
  });

  on('RC02 2000 at once take over sessions that look alive, wherever they are', async (t, server) => {
    const count = isSanitized(server) ? 250 : 2000;
    const open = async () => {
      const all = [];
      while (all.length < count) {
        const some = Array.from({ length: 50 }, () => WebSocketWire.session(server, { path: PATH }));
        all.push(...(await Promise.all(some)));
      }
      t.after(() => all.forEach((ws) => ws.destroy()));
      return all;
    };
    const others = oneOfEach(await everywhere(t, server, 1));
    const old = await open();
    const states = await Promise.all(old.map((ws) => join(ws)));
    others[0].emit('broadcast', 0);
    await Promise.all(old.map((ws, i) => event(ws, states[i])));
    others[1].emit('broadcast', 1); // nobody reads it
    await behind([others[1], ...others]);
    const fresh = await open();
    const before = await counted(server, 'recovered');
    const begin = performance.now();
    const back = await Promise.all(fresh.map((ws, i) => join(ws, states[i])));
    t.diagnostic(`${count} resumed in ${Math.round(performance.now() - begin)} ms`);
    back.forEach(({ sid, pid, missed }, i) => {
      assert.deepEqual([sid, pid], [states[i].sid, states[i].pid]);
      assert.deepEqual(missed, [['broadcast', 1], ['broadcast', 'behind']]);
    });
    assert.equal((await counted(server, 'recovered')) - before, count);
  });

  on('RC04 several at once for one session: one has it in the end, none a fresh one', async (t, server) => {
    const failed = await counted(server, 'recovery_failed');
    const first = await rawOn(t, server, (loop) => loop === 0);
    let state = await join(first);
    const { sid } = state;
    first.sendText('42["echo",1]');
    await event(first, state);
    for (let i = 0; i < 10; i++) {
      const all = []; // one after the other: each asks which loop it is on
      for (let k = 0; k < THREADS; k++) all.push(await rawOn(t, server, (loop) => loop === (k + i) % THREADS));
      // Who has had to leave it to another one gets a close frame, before the answer
      // or behind it.
      const answers = await Promise.all(all.map((ws) => join(ws, state).catch(() => null)));
      for (const answer of answers) assert.ok(answer === null || answer.sid === sid, `${answer?.sid}`);
      const lives = await Promise.all(all.map((ws, k) => answers[k] && command(ws, 'ack', i).then(([n]) => n === i, () => false)));
      assert.equal(lives.filter(Boolean).length, 1);
      state = answers[lives.indexOf(true)];
    }
    assert.equal(await counted(server, 'recovery_failed'), failed);
  });
});

/** A client hands packets on in the next tick.  Those that come as the connection
 *  is lost it keeps until it is connected again, but it asks for them again, and
 *  hears them twice: this has it forget them. */
function forgetful(socket) {
  socket.io.on('reconnect_attempt', () => {
    socket.forgot = (socket.forgot ?? 0) + socket.receiveBuffer.length;
    socket.receiveBuffer.length = 0;
  });
}

/** Breaks the connection under a client, at any moment. */
function cut(socket) {
  const { transport } = socket.io.engine;
  const tcp = transport.ws?._socket;
  if (tcp) tcp.destroy();
  else socket.io.engine.close();
}

withThreads('all the time', { recovery: true }, (on) => {
  on('RC02 each packet comes once and in order to clients that come and go', async (t, server) => {
    const senders = oneOfEach(await everywhere(t, server, 1, { ways: [WAYS.websocket] }));
    const receivers = [];
    for (let i = 0; i < CLIENTS; i++) {
      const transports = Object.values(WAYS)[i % 3];
      const socket = await connected(t, server, '/', { ...RECONNECT, transports });
      forgetful(socket);
      socket.rows = new Map();
      socket.known = new Set([socket.id]);
      socket.on('connect', () => socket.known.add(socket.id));
      for (const name of ['broadcast', 'room']) {
        socket.on(name, (sender, n) => {
          const row = `${name} ${sender}`;
          if (typeof n !== 'number') return;
          socket.rows.set(row, [...(socket.rows.get(row) ?? []), n]);
        });
      }
      await ask(socket, 'join', 'row');
      receivers.push(socket);
    }
    const start = await counted(server, 'recovered');
    const deadline = performance.now() + SECONDS * 1000;
    let sent = 0;
    let losses = 0;
    senders[0].emit('broadcast', -1, 0);
    await Promise.all(receivers.map((socket) => eventually(() => socket.rows.size, (size) => size === 1, 'the first')));
    while (performance.now() < deadline) {
      for (const [i, sender] of senders.entries()) {
        sender.emit('broadcast', i, sent);
        sender.emit('room', 'row', i, sent);
      }
      sent++;
      const some = receivers[sent % receivers.length];
      if (some.connected) {
        losses++;
        cut(some);
      }
      await new Promise((done) => setTimeout(done, 2));
    }
    const forgot = receivers.reduce((total, socket) => total + (socket.forgot ?? 0), 0);
    t.diagnostic(`${losses} losses, ${sent} packets of each row, ${forgot} lost behind the client's back`);
    const done = (socket) => [...socket.rows].every(([row, list]) => row === 'broadcast -1' || list.at(-1) === sent - 1);
    await Promise.all(receivers.map((socket) => eventually(() => done(socket) && socket.rows.size === 2 * THREADS + 1 && socket.connected, Boolean, 'all have come').catch(() => {})));
    for (const socket of receivers) {
      assert.equal(socket.known.size, 1, 'it kept its id');
      for (const [row, list] of socket.rows) {
        const wanted = Array.from({ length: row === 'broadcast -1' ? 1 : sent }, (_, n) => n);
        assert.deepEqual(list, wanted, row);
      }
    }
    const list = await loops(server);
    assert.equal(list.reduce((total, loop) => total + loop.recovery_failed, 0), 0);
    assert.ok((await counted(server, 'recovered')) - start > losses / 2, 'most came again');
  });

  on('RC02 what another thread sends comes once and in order', async (t, server) => {
    const asker = await connected(t, server, '/', { transports: WAYS.websocket });
    const all = await Promise.all(Array.from({ length: 12 }, () => connected(t, server, '/', { ...RECONNECT, transports: WAYS.websocket })));
    all.forEach(forgetful);
    const got = all.map((socket) => collect(socket, 'far-binary'));
    const heard = all.map((socket) => collect(socket, 'broadcast'));
    asker.emit('broadcast', 'first');
    await Promise.all(heard.map((list) => list.reach(1)));
    const asked = ask(asker, 'far', 'broadcast', 2000);
    for (let i = 0; i < 60; i++) {
      const socket = all[i % all.length];
      if (socket.connected) cut(socket);
      await new Promise((done) => setTimeout(done, 2));
    }
    await asked;
    for (const list of got) {
      await list.reach(2000);
      assert.deepEqual(list.map(([n]) => n), Array.from({ length: 2000 }, (_, n) => n));
    }
    for (const socket of all) if (!socket.connected) await once(socket, 'connect');
  });
});
