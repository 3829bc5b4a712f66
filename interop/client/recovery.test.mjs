// Connection state recovery: clients that lose their connection go on.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import {
  ask, client, collect, connected, connection, counters, eventually, next, tell, withServer,
} from '../support/client.mjs';
import { Polling, QUIET, WebSocketWire, splitPayload } from '../support/raw.mjs';
import { isOfficial, oursOnly } from '../support/server.mjs';
import { isSanitized } from '../support/threads.mjs';

const PATH = '/socket.io/';
const CONNECT = /^40\{"sid":"([^"]{20})","pid":"([^"]{20})"\}$/;
const RECONNECT = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 100 };
const BASE = { ...QUIET, threads: 1, recovery: true };

/** Raw sessions, by either transport, that speak to "/". */
const RAW = {
  async websocket(t, server) {
    const ws = await WebSocketWire.session(server, { path: PATH });
    t.after(() => ws.destroy());
    return { send: (text) => ws.sendText(text), next: () => ws.text() };
  },
  async polling(t, server) {
    const session = await Polling.open(server, { path: PATH });
    const queue = [];
    return {
      send: (text) => session.postOk(text),
      async next() {
        while (queue.length === 0) queue.push(...splitPayload(await session.pollText()));
        return queue.shift();
      },
    };
  },
};

/** Connects, with a session to resume if there is one; what came before the
 *  answer, and the answer. */
async function join(raw, from) {
  await raw.send('40' + (from ? JSON.stringify({ pid: from.pid, offset: from.offset }) : ''));
  const missed = [];
  for (;;) {
    const text = await raw.next();
    const match = CONNECT.exec(text);
    if (match) return { sid: match[1], pid: match[2], offset: missed.at(-1)?.at(-1), missed };
    missed.push(JSON.parse(text.slice(2)));
  }
}

const event = async (raw) => JSON.parse((await raw.next()).slice(2));

/** A raw session that has heard one event. */
async function started(t, server, kind = 'websocket') {
  const raw = await RAW[kind](t, server);
  const state = await join(raw);
  await raw.send('42["emit",{"event":"first"}]');
  state.offset = (await event(raw)).at(-1);
  return { raw, state };
}

/** Ends the connection under a client; `connected` tells when it is back. */
async function lose(socket) {
  const gone = once(socket, 'disconnect');
  socket.io.engine.close();
  await gone;
  const back = connection(socket);
  back.catch(() => {}); // who waits for it says so
  return { connected: back };
}

withServer('recovery', { options: BASE }, (on, onEach) => {
  on('RC01 a pid in CONNECT, an offset in events but not in those with an ack', async (t, server) => {
    const raw = await RAW.websocket(t, server);
    const { sid, pid } = await join(raw);
    assert.notEqual(sid, pid);
    const offsets = [];
    for (const flags of ['', '"volatile":true']) {
      await raw.send(`42["emit",{"event":"e"${flags && ',' + flags}},"x",1]`);
      const args = await event(raw);
      assert.deepEqual(args.slice(0, 3), ['e', 'x', 1]);
      assert.equal(args.length, 4);
      assert.match(args[3], /^[\w-]{6,20}$/);
      offsets.push(args[3]);
    }
    assert.equal(offsets[0], offsets[1], 'volatile packets bear the latest number');
    await raw.send('427["echo",1]');
    assert.equal(await raw.next(), '437[1]');
  }, { skip: oursOnly('its volatile packets have no offset') });

  onEach('RC02 a client goes on with its session', async (t, server, options) => {
    const socket = await connected(t, server, '/', { ...RECONNECT, ...options });
    const other = await connected(t, server, '/', options);
    const { id } = socket;
    const got = collect(socket, 'n');
    assert.equal(socket.recovered, false);
    await ask(socket, 'join', 'here');
    await tell(socket, 'set-data', 'kept');
    await tell(other, 'to', { to: 'here', event: 'n' }, 1);
    await got.reach(1);
    const back = await lose(socket);
    await tell(other, 'to', { to: 'here', event: 'n' }, 2);
    await tell(other, 'to', { to: 'there', event: 'n' }, 3);
    await tell(other, 'to', { to: id, event: 'n' }, 4);
    await back.connected;
    assert.equal(socket.id, id);
    assert.equal(socket.recovered, true);
    await tell(other, 'to', { to: 'here', event: 'n' }, 5);
    await got.reach(4);
    assert.deepEqual(got.map(([n]) => n), [1, 2, 4, 5]);
    if (!isOfficial) assert.equal((await ask(socket, 'info'))[0].text, 'kept'); // it keeps it elsewhere
  });

  onEach('SA03 recovered, of a socket with the id and the rooms of the one before', async (t, server, options) => {
    const socket = await connected(t, server, '/', { ...RECONNECT, ...options });
    const { id } = socket;
    const before = (await ask(socket, 'info'))[0];
    assert.deepEqual([before.id, before.recovered, before.connected, before.rooms], [id, false, true, 1]);
    await ask(socket, 'join', 'here');
    const heard = next(socket, 'first');
    await tell(socket, 'emit', { event: 'first' });
    await heard;
    for (const again of [1, 2]) {
      await (await lose(socket)).connected;
      const now = (await ask(socket, 'info'))[0];
      assert.deepEqual([now.id, now.recovered, now.connected, now.rooms], [id, true, true, 2], `time ${again}`);
    }
  });

  on('RC02 every namespace of a connection goes on', async (t, server) => {
    const root = await connected(t, server, '/', { ...RECONNECT, transports: ['websocket'] });
    const foo = root.io.socket('/foo');
    t.after(() => foo.disconnect());
    await connection(foo);
    const ids = [root.id, foo.id];
    for (const socket of [root, foo]) {
      const heard = next(socket, 'first');
      await tell(socket, 'emit', { event: 'first' });
      await heard;
    }
    const back = [connection(root), connection(foo)];
    root.io.engine.close();
    await Promise.all(back);
    assert.deepEqual([root.id, foo.id], ids);
    assert.deepEqual([root.recovered, foo.recovered], [true, true]);
  });

  on('RC03 rooms and exceptions count, volatile packets and questions are not kept', async (t, server) => {
    const { raw, state } = await started(t, server);
    const other = await connected(t, server);
    await raw.send('421["join","in"]');
    await raw.next();
    raw.send('41'); // not stored
    const again = await started(t, server);
    await again.raw.send('421["join","in"]');
    await again.raw.next();
    await tell(other, 'to', { except: 'in', event: 'no' });
    await tell(other, 'to', { to: 'in', event: 'yes' }, 1);
    await tell(other, 'to', { to: 'in', except: again.state.sid, event: 'no' });
    await tell(other, 'to', { from: 'socket', event: 'yes' }, 2);
    const fresh = await RAW.websocket(t, server);
    const { sid, missed } = await join(fresh, again.state);
    assert.equal(sid, again.state.sid);
    assert.deepEqual(missed.map((m) => m.slice(0, 2)), [['yes', 1], ['yes', 2]]);
    const late = await RAW.websocket(t, server);
    assert.notEqual((await join(late, state)).sid, state.sid);
  }, { skip: oursOnly('an old session that looks alive is not resumed') });

  on('RC04 an unknown pid, or no offset of the log: a fresh session', async (t, server) => {
    const { state } = await started(t, server);
    const wrong = [
      { ...state, pid: 'A'.repeat(20) }, { ...state, pid: '' }, { ...state, offset: undefined },
      { ...state, offset: 'nonsense' }, { ...state, offset: 7 }, { ...state, pid: { a: 1 } },
      { ...state, offset: state.offset.slice(0, -1) + 'zzzz' },
    ];
    for (const from of wrong) {
      const raw = await RAW.websocket(t, server);
      const { sid, pid, missed } = await join(raw, from);
      assert.notEqual(sid, state.sid);
      assert.notEqual(pid, state.pid);
      assert.deepEqual(missed, []);
    }
  });

  on('RC06 not after a namespace was left', async (t, server) => {
    for (const leave of ['client', 'server']) {
      const socket = await connected(t, server, '/', { transports: ['websocket'] });
      const { id } = socket;
      const heard = next(socket, 'first');
      await tell(socket, 'emit', { event: 'first' });
      await heard;
      const gone = once(socket, 'disconnect');
      if (leave === 'client') socket.disconnect();
      else socket.emit('disconnect-me');
      await gone;
      socket.connect();
      await connection(socket);
      assert.equal(socket.recovered, false);
      assert.notEqual(socket.id, id);
    }
  });

  for (const kind of Object.keys(RAW)) {
    on(`RC02 2000 at once, while their old sessions look alive (${kind})`, async (t, server) => {
      const COUNT = isSanitized(server) ? 250 : 2000;
      const all = [];
      const before = await counters(server);
      for (let i = 0; i < COUNT; i += 50) {
        const some = Array.from({ length: 50 }, () => started(t, server, kind));
        all.push(...(await Promise.all(some)));
      }
      const other = await connected(t, server);
      await tell(other, 'to', { from: 'socket', event: 'm' }, 1); // nobody reads it
      await tell(other, 'to', { from: 'socket', event: 'm' }, 2);
      const raws = [];
      for (let i = 0; i < COUNT; i += 50) {
        raws.push(...(await Promise.all(Array.from({ length: 50 }, () => RAW[kind](t, server)))));
      }
      const begin = performance.now();
      const back = await Promise.all(raws.map((raw, i) => join(raw, all[i].state)));
      t.diagnostic(`${COUNT} resumed in ${Math.round(performance.now() - begin)} ms`);
      back.forEach((now, i) => {
        assert.equal(now.sid, all[i].state.sid);
        assert.deepEqual(now.missed.map((m) => m.slice(0, 2)), [['m', 1], ['m', 2]]);
      });
      const after = await counters(server);
      assert.equal(after.recovered - before.recovered, COUNT);
      assert.equal(after.recovery_failed, before.recovery_failed);
    }, { skip: oursOnly('gives such clients fresh sessions') });
  }
});

if (!isOfficial) {
  withServer('msgpack', { options: { ...BASE, parser: 'msgpack' } }, (on, onEach) => {
    const parser = createRequire(import.meta.url)('socket.io-msgpack-parser');
    onEach('RC02 PR02 a client with the msgpack parser goes on', async (t, server, options) => {
      const socket = await connected(t, server, '/', { ...RECONNECT, ...options, parser });
      const other = await connected(t, server, '/', { ...options, parser });
      const { id } = socket;
      const got = collect(socket, 'n');
      const many = Array.from({ length: 16 }, (_, i) => i);
      await ask(socket, 'join', 'here');
      await tell(other, 'to', { to: 'here', event: 'n' }, 1, Buffer.from([1, 2]));
      await got.reach(1);
      const back = await lose(socket);
      await tell(other, 'to', { to: 'here', event: 'n' }, ...many);
      await tell(other, 'to', { to: id, event: 'n' }, Buffer.from([3]));
      await back.connected;
      assert.equal(socket.id, id);
      assert.equal(socket.recovered, true);
      await tell(other, 'to', { event: 'n' }, 5);
      await got.reach(4);
      const offsets = got.map((args) => args.pop());
      for (const offset of offsets) assert.match(offset, /^[\w-]{6,20}$/);
      assert.deepEqual(got[1], many);
      assert.deepEqual([got[0][0], got[3][0]], [1, 5]);
      assert.ok(Buffer.from([3]).equals(Buffer.from(got[2][0])));
    });
  });
}

withServer('expiry', { options: { ...BASE, 'recovery-window': 300 } }, (on) => {
  on('RC04 an expired session is not resumed', async (t, server) => {
    const socket = await connected(t, server, '/', { transports: ['websocket'] });
    const { id } = socket;
    const heard = next(socket, 'first');
    await tell(socket, 'emit', { event: 'first' });
    await heard;
    await lose(socket);
    await eventually(() => counters(server), (c) => c.recovery_expired === 1, 'it expires');
    socket.connect();
    await connection(socket);
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
  }, { skip: oursOnly('has no counters') });
});

withServer('few packets', { options: { ...BASE, 'recovery-packets': 10 } }, (on) => {
  on('RC07 no more is kept than configured', async (t, server) => {
    const socket = await connected(t, server, '/', { transports: ['websocket'] });
    const { id } = socket;
    const other = await connected(t, server, '/', { transports: ['websocket'] });
    const heard = next(socket, 'first');
    await tell(socket, 'emit', { event: 'first' });
    await heard;
    await lose(socket);
    for (let i = 0; i < 11; i++) await tell(other, 'to', { event: 'n' }, i);
    const { recovery_packets: kept } = await counters(server);
    assert.equal(kept, 10);
    socket.connect();
    await connection(socket);
    assert.equal(socket.recovered, false);
    assert.notEqual(socket.id, id);
  }, { skip: oursOnly('keeps everything') });
});

for (const skip of [true, false]) {
  const options = { ...BASE, 'recovery-middlewares': !skip };
  withServer(`middlewares are ${skip ? 'skipped' : 'run'}`, { options }, (on) => {
    on(`RC05 middlewares are ${skip ? 'skipped' : 'run'} on resume`, async (t, server) => {
      const auth = {};
      const socket = client(t, server, '/mw-join', { transports: ['websocket'], auth });
      await connection(socket);
      const { id } = socket;
      const heard = next(socket, 'hello');
      socket.emit('hello');
      await heard;
      await lose(socket);
      auth.message = 'refused';
      socket.connect();
      if (skip) {
        await connection(socket);
        assert.equal(socket.id, id);
        assert.equal(socket.recovered, true);
      } else {
        await assert.rejects(connection(socket), /refused/);
      }
    }, { skip: oursOnly('has another set of options here') });
  });
}

withServer('profile sio-client', { profile: 'sio-client', options: {} }, (on) => {
  on('RC01 RC02 its CONNECT has a pid, its events offsets, its clients resume', async (t, server) => {
    const raw = await RAW.websocket(t, server);
    const state = await join(raw);
    await raw.send('42["hi"]');
    const [name, offset] = await event(raw);
    assert.equal(name, 'hi');
    await raw.send('42["doge"]');
    const doge = JSON.parse((await raw.next()).replace(/^451-/, ''));
    assert.deepEqual(doge.slice(0, 2), ['doge', { _placeholder: true, num: 0 }]);
    assert.notEqual(doge[2], offset);
    const again = await join(await RAW.websocket(t, server), { ...state, offset: doge[2] });
    assert.deepEqual([again.sid, again.pid, again.missed], [state.sid, state.pid, []]);
  }, { skip: oursOnly('an old session that looks alive is not resumed') });
});
