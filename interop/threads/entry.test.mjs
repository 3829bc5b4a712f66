// Handshakes that another thread decides on, and ids that the application
// chooses, which may belong to another loop than the one that is asked.

import assert from 'node:assert/strict';
import { WAYS, ask, assertNumbered, client, collect, connected, eventually, next } from '../support/client.mjs';
import { Polling, UNKNOWN_SID, Wire, assertError, encodeFrame, encodeRequest, request, upgradeHeaders } from '../support/raw.mjs';
import {
  OP, PATH, askOn, counted, deserted, loops, pollOn, postOn, sum, webSocketOn, wireOn, withThreads,
} from '../support/threads.mjs';

const EACH = 12; // clients of each kind

const session = (server, query) => new Polling(server, PATH).target(query);
const anyWire = (t, server) => wireOn(t, server, () => true);

/** Clients of all kinds talk at once. */
async function talk(all) {
  const got = all.map((socket) => collect(socket, 'echo'));
  for (let n = 0; n < 20; n++) all.forEach((socket) => socket.emit('echo', n));
  for (const list of got) assertNumbered(await list.reach(20), 20);
}

/** All kinds of clients at once; `query` gives what each asks with. */
function many(t, server, query = () => ({})) {
  const all = [];
  for (const [way, transports] of Object.entries(WAYS)) {
    for (let i = 0; i < EACH; i++) all.push(connected(t, server, '/', { transports, query: query(way, i) }));
  }
  return Promise.all(all);
}

function verdicts(on) {
  on('HS06 clients are allowed by another thread, over all transports', async (t, server) => {
    const all = await many(t, server);
    await talk(all);
    assert.equal(sum(await loops(server), 'sessions'), all.length);
    assert.ok((await loops(server)).every((loop) => loop.sessions > 0));
  });

  on('HS06 clients are refused', async (t, server) => {
    for (const transports of Object.values(WAYS)) {
      const all = Array.from({ length: EACH }, () => client(t, server, '/', { transports, query: { deny: 1 } }));
      await Promise.all(all.map((socket) => next(socket, 'connect_error')));
    }
    const response = await request(server, { target: session(server, { deny: 1 }) });
    assertError(response, 403, 4, 'Forbidden');
    assert.equal(await counted(server, 'sessions'), 0);
  });

  on('clients that leave before the verdict', async (t, server) => {
    const old = await counted(server, 'accepted');
    for (let i = 0; i < 60; i++) {
      const wire = await Wire.open(server);
      const transport = i % 2 ? 'websocket' : 'polling';
      const headers = i % 2 ? upgradeHeaders() : {};
      await wire.writePieces([encodeRequest(server, { target: session(server, { transport }), headers })]);
      if (i % 3) wire.destroy();
      else wire.abort();
    }
    await eventually(() => counted(server, 'accepted'), (n) => n >= old + 60, 'connections');
    await eventually(() => counted(server, 'connections'), (n) => n <= 1, 'no connections');
    await deserted(server);
  });

  on('what is sent behind the request waits for the verdict', async (t, server) => {
    const wire = await anyWire(t, server);
    const ws = await webSocketOn(server, wire, {}, encodeFrame(OP.TEXT, '40'));
    assert.match(await ws.text(), /^0\{/);
    assert.match(await ws.text(), /^40\{"sid"/);
    ws.destroy();
    const other = await anyWire(t, server);
    other.write(Buffer.concat([
      encodeRequest(server, { target: session(server) }), encodeRequest(server, { target: '/hello' }),
    ]));
    const opened = await other.response();
    assert.equal((await other.response()).text, 'hello');
    const sid = JSON.parse(opened.text.slice(1)).sid;
    await request(server, { method: 'POST', target: session(server, { sid }), headers: { 'Content-Type': 'text/plain' }, body: '1' });
  });
}

function chosenIds(on, delayed) {
  on('HS07 sessions with chosen ids, over all transports', async (t, server) => {
    const old = await counted(server, 'handed_over');
    const all = await many(t, server, (way, i) => ({ id: `${way}.${i}~${delayed}` }));
    for (const socket of all) assert.equal(socket.io.engine.id, socket.io.opts.query.id);
    await talk(all);
    assert.ok((await counted(server, 'handed_over')) > old);
    const young = await loops(server);
    assert.equal(sum(young, 'sessions'), all.length);
    assert.ok(young.every((loop) => loop.sessions > 0), 'ids belong to all loops');
    for (const socket of all) socket.emit('far', 'emit', 10);
    await Promise.all(all.map((socket) => ask(socket, 'ack')));
  });

  on('HS07 what comes behind a handshake goes with it', async (t, server) => {
    const old = await counted(server, 'handed_over');
    for (let i = 0; i < 8; i++) {
      const sid = `piped-${i}`;
      const wire = await anyWire(t, server);
      const at = new Polling(server, PATH, sid);
      wire.write(Buffer.concat([
        encodeRequest(server, { target: session(server, { id: sid }) }),
        encodeRequest(server, { target: '/hello' }),
        encodeRequest(server, { method: 'POST', target: at.target(), headers: { 'Content-Type': 'text/plain' }, body: '40' }),
        encodeRequest(server, { target: at.target() }),
      ]));
      const opened = await wire.response();
      assert.equal(JSON.parse(opened.text.slice(1)).sid, sid);
      for (const name of ['x-first', 'x-second', 'x-initial', 'x-every']) {
        assert.ok(opened.header(name), `${name} comes along`);
        assert.equal(opened.headers[name].length, 1, `${name} comes once`);
      }
      const hello = await wire.response();
      assert.deepEqual([hello.text, hello.header('x-initial')], ['hello', undefined]);
      assert.equal((await wire.response()).text, 'ok');
      assert.match((await wire.response()).text, /^40\{/);
      await postOn(at, wire, '42["echo",1]');
      assert.equal(await pollOn(at, wire), '42["echo",1]');
      const other = await anyWire(t, server);
      const ws = await webSocketOn(server, other, { id: `ws-${i}` }, encodeFrame(OP.TEXT, '40'));
      assert.equal(ws.response.headers['x-initial'].length, 1);
      assert.equal(JSON.parse((await ws.text()).slice(1)).sid, `ws-${i}`);
      assert.match(await ws.text(), /^40\{/);
      ws.destroy();
      await postOn(at, wire, '1');
    }
    assert.ok((await counted(server, 'handed_over')) > old);
  });

  on('HS07 an id that is in use, or not allowed, is refused on every loop', async (t, server) => {
    const holder = await connected(t, server, '/', { transports: ['websocket'], query: { id: 'taken' } });
    for (let i = 0; i < 12; i++) {
      const wire = await anyWire(t, server);
      for (const id of ['taken', 'a b', '']) {
        const response = await askOn(server, wire, { target: session(server, { id }) });
        assertError(response, 400, 3, 'Bad request');
      }
    }
    assert.deepEqual(await ask(holder, 'ack', 1), [1]);
  });

  on('one id, asked for from everywhere at once, is given once', async (t, server) => {
    const wires = await Promise.all(Array.from({ length: 16 }, () => Wire.open(server)));
    const target = session(server, { id: 'only-one' });
    const answers = await Promise.all(wires.map((wire) => askOn(server, wire, { target })));
    assert.equal(answers.filter((r) => r.status === 200).length, 1);
    assert.equal(answers.filter((r) => r.status === 400).length, 15);
    wires.forEach((wire) => wire.destroy());
    await request(server, { method: 'POST', target: session(server, { sid: 'only-one' }), headers: { 'Content-Type': 'text/plain' }, body: '1' });
    await eventually(
      () => request(server, { method: 'HEAD', target: session(server, { sid: 'only-one' }) }),
      (r) => r.status === UNKNOWN_SID[0], 'it ends',
    );
  });

  on('RT05 engine middlewares refuse before and after a hand-over', async (t, server) => {
    const holder = await connected(t, server, '/', { transports: ['websocket'], query: { id: 'looked' } });
    for (let i = 0; i < 8; i++) {
      for (const sid of [undefined, 'looked']) {
        const refused = await request(server, { target: session(server, { sid, mw: 'refuse' }) });
        assertError(refused, 400, 3, 'Bad request');
        const answered = await request(server, { target: session(server, { sid, mw: 'answer' }) });
        assert.deepEqual([answered.status, answered.text], [403, 'no entry']);
      }
    }
    assert.deepEqual(await ask(holder, 'ack', 1), [1]);
  });

  on('clients with chosen ids that leave at once', async (t, server) => {
    for (let i = 0; i < 60; i++) {
      const wire = await Wire.open(server);
      const transport = i % 2 ? 'websocket' : 'polling';
      const target = session(server, { transport, id: `gone-${i}` });
      await wire.writePieces([encodeRequest(server, { target, headers: i % 2 ? upgradeHeaders() : {} })]);
      if (i % 3) wire.destroy();
      else wire.abort();
      const sid = `gone-${i}`;
      await request(server, { method: 'POST', target: session(server, { sid }), headers: { 'Content-Type': 'text/plain' }, body: '1' });
    }
    const all = await many(t, server, (way, i) => ({ id: `after-${way}-${i}` }));
    await talk(all);
  });
}

// A verdict may be quicker than who leaves, whose session then goes by its time.
withThreads('verdicts from another thread', { 'allow-delay': 20, 'deny-query': true, 'connect-timeout': 5000 }, verdicts);
withThreads('chosen session ids', { hooks: true }, (on) => chosenIds(on, 0));
withThreads('chosen session ids behind verdicts from another thread', { hooks: true, 'allow-delay': 5 }, (on) => chosenIds(on, 1));
