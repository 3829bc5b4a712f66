// Namespaces that clients make: by pattern, by a function, and what their
// parent has to do with them.

import assert from 'node:assert/strict';
import { Manager } from 'socket.io-client';
import {
  ask, client, collect, connected, connection, counters, eventually, getJson, next, noted,
  notes, rawWebSocket, withServer,
} from '../support/client.mjs';
import { QUIET } from '../support/raw.mjs';
import { oursOnly } from '../support/server.mjs';

/** Has a client leave; the server has heard of it then. */
async function left(server, socket) {
  const { id } = socket;
  socket.disconnect();
  return noted(server, id, 'disconnect');
}

let names = 0;
const fresh = (prefix) => `${prefix}${process.pid}-${++names}`;

const get = (server, path, query = {}) => getJson(server, `${path}?${new URLSearchParams(query)}`);
const find = (server, nsp) => get(server, '/find', { nsp });
const children = (server) => get(server, '/children');
const made = async (server, nsp) => (await notes(server, nsp)).filter((n) => n.what === 'new_namespace').length;

async function refused(t, server, nsp, options = {}) {
  const socket = client(t, server, nsp, options);
  const [error] = await next(socket, 'connect_error');
  return error.message;
}

withServer('dynamic namespaces', {}, (on, onEach) => {
  onEach('NS02 NS05 a name that fits the pattern is made on demand, once', async (t, server, options) => {
    const nsp = fresh('/dyn-');
    const a = await connected(t, server, nsp, options);
    const b = await connected(t, server, nsp, options);
    assert.deepEqual(await ask(a, 'echo', 1), [1]);
    assert.equal((await noted(server, b.id, 'connection')).nsp, nsp);
    assert.equal((await find(server, nsp)).sockets, 2);
    assert.equal(await made(server, nsp), 1);
  });

  onEach('NS02 a name that does not fit is unknown', async (t, server, options) => {
    for (const nsp of ['/dyn-', `${fresh('/dyn-')}/x`, fresh('/Dyn-'), fresh('/x/dyn-'), '/_0']) {
      assert.equal(await refused(t, server, nsp, options), 'Invalid namespace');
      assert.equal(await find(server, nsp), null);
    }
  });

  on('NS02 one connection may be in several', async (t, server) => {
    const manager = new Manager(server.url, { reconnection: false });
    t.after(() => manager._close());
    const all = [0, 1, 2].map(() => manager.socket(fresh('/dyn-')));
    await Promise.all(all.map(connection));
    for (const socket of all) {
      assert.deepEqual(await ask(socket, 'echo', socket.nsp), [socket.nsp]);
    }
  });

  onEach('NS03 a function decides, later, by name and auth', async (t, server, options) => {
    const nsp = fresh('/tenant-');
    const auth = { token: 'let-in' };
    assert.equal(await refused(t, server, nsp, { ...options, auth: { token: 'x' } }), 'Invalid namespace');
    assert.equal(await refused(t, server, nsp, options), 'Invalid namespace');
    assert.equal(await refused(t, server, fresh('/other-'), { ...options, auth }), 'Invalid namespace');
    assert.equal(await find(server, nsp), null);
    const all = await Promise.all([1, 2, 3].map(() => connected(t, server, nsp, { ...options, auth })));
    assert.equal((await find(server, nsp)).sockets, 3);
    assert.equal(await made(server, nsp), 1);
    assert.deepEqual(await ask(all[0], 'echo', 'x'), ['x']);
    // Once it is there, nobody is asked.
    await connected(t, server, nsp, options);
  });

  on('NS03 a refused client may try again', async (t, server) => {
    let token = 'x';
    const socket = client(t, server, fresh('/tenant-'), { auth: (give) => give({ token }) });
    await next(socket, 'connect_error');
    token = 'let-in';
    socket.connect();
    await connection(socket);
  });

  on('NS03 who says more while a function decides is closed', async (t, server) => {
    const nsp = fresh('/tenant-');
    for (const packet of [`40${nsp},{"token":"let-in"}`, `42${nsp},["echo"]`]) {
      const ws = await rawWebSocket(t, server);
      // In one piece: what came later would come behind the decision.
      ws.sendTexts(`40${nsp},{"token":"let-in"}`, packet);
      await ws.closed();
    }
  }, { skip: oursOnly('starts a second socket of the client') });

  on('NS04 a parent emits to all children, also to one room', async (t, server) => {
    const first = fresh('/dyn-');
    const a = await connected(t, server, first);
    const b = await connected(t, server, fresh('/dyn-'));
    const c = await connected(t, server, fresh('/tenant-'), { auth: { token: 'let-in' } });
    const heard = [a, b, c].map((socket) => collect(socket, 'all'));
    await ask(b, 'join', 'red');
    assert.equal((await get(server, '/parent', { nsp: first })).sockets >= 2, true);
    await get(server, '/parent', { nsp: first, room: 'red' });
    await get(server, '/parent', { nsp: first });
    await heard[0].reach(2);
    await heard[1].reach(3);
    assert.deepEqual(heard.map((list) => list.flat()), [['', ''], ['', 'red', ''], []]);
  });

  on('NS04 a parent has all join, and leave', async (t, server) => {
    const first = fresh('/dyn-');
    const all = [await connected(t, server, first), await connected(t, server, fresh('/dyn-'))];
    await get(server, '/parent', { nsp: first, room: 'blue', do: 'join' });
    for (const socket of all) {
      assert.deepEqual(await ask(socket, 'in', 'blue'), [true]);
    }
    const gone = all.map((socket) => next(socket, 'disconnect'));
    await get(server, '/parent', { nsp: first, do: 'disconnect' });
    for (const [reason] of await Promise.all(gone)) {
      assert.equal(reason, 'io server disconnect');
    }
  });

  onEach("NS04 a parent's middlewares and hooks are each child's", async (t, server, options) => {
    const nsp = fresh('/mw-dyn-');
    assert.equal(await refused(t, server, nsp, { ...options, auth: { message: 'no' } }), 'no');
    await connected(t, server, nsp, options);
    const socket = await connected(t, server, fresh('/dyn-'), options);
    assert.equal((await left(server, socket)).reason, 'client namespace disconnect');
  });

  on('NS05 namespaces of the application are told of, but not "/"', async (t, server) => {
    for (const nsp of ['/foo', '/bar', '/plain', '/any', '/mw-order']) {
      assert.equal(await made(server, nsp), 1);
    }
    assert.equal(await made(server, '/'), 0);
  });

  on('NS06 without the option an empty child stays', async (t, server) => {
    const nsp = fresh('/dyn-');
    const socket = await connected(t, server, nsp);
    await left(server, socket);
    assert.equal((await find(server, nsp)).sockets, 0);
    await connected(t, server, nsp);
    assert.equal(await made(server, nsp), 1);
  });

  on('NS07 one that is asked for belongs to the parent of its pattern', async (t, server) => {
    const other = fresh('/dyn-');
    await connected(t, server, other);
    const { parent } = await find(server, other);
    assert.ok(parent);
    const nsp = fresh('/dyn-');
    assert.deepEqual(await get(server, '/of', { nsp }), { name: nsp, parent, sockets: 0 });
    assert.equal((await get(server, '/of', { nsp: fresh('/tenant-') })).parent, null, 'not by function');
    const socket = await connected(t, server, nsp);
    assert.deepEqual(await ask(socket, 'echo', 1), [1]);
    const heard = next(socket, 'all');
    await get(server, '/parent', { nsp: other });
    assert.deepEqual(await heard, ['']);
  });

  on('NS08 namespaces and their sockets can be listed', async (t, server) => {
    const nsp = fresh('/dyn-');
    const all = [await connected(t, server, nsp), await connected(t, server, nsp)];
    const list = await children(server);
    const byName = new Map(list.map((one) => [one.name, one]));
    assert.equal(byName.size, list.length, 'each once');
    assert.equal(byName.get(nsp).sockets, 2);
    for (const name of ['/', '/foo', '/any']) {
      assert.equal(byName.get(name).parent, null);
    }
    assert.ok(!list.some(({ name }) => name.startsWith('/_')), 'no parents');
    const [found] = await ask(all[0], 'everyone');
    assert.deepEqual(found.map(({ id }) => id).sort(), all.map(({ id }) => id).sort());
  });
});

const cleaning = { options: { ...QUIET, 'cleanup-empty': true, 'max-dynamic': 20 } };

withServer('empty namespaces', cleaning, (on, onEach) => {
  onEach('NS06 NS05 a child goes with its last socket and can come again', async (t, server, options) => {
    const nsp = fresh('/dyn-');
    const a = await connected(t, server, nsp, options);
    const b = await connected(t, server, nsp, options);
    await left(server, a);
    assert.equal((await find(server, nsp)).sockets, 1);
    b.disconnect();
    await eventually(() => find(server, nsp), (one) => one === null, nsp);
    await connected(t, server, nsp, options);
    assert.equal(await made(server, nsp), 2);
  });

  on('NS06 a child goes when a middleware lets nobody in', async (t, server) => {
    const nsp = fresh('/mw-dyn-');
    assert.equal(await refused(t, server, nsp, { auth: { message: 'no' } }), 'no');
    await eventually(() => find(server, nsp), (one) => one === null, nsp);
    assert.equal(await made(server, nsp), 1);
  });

  on('NS06 what the application asked for stays', async (t, server) => {
    const nsp = fresh('/dyn-');
    await get(server, '/of', { nsp });
    const socket = await connected(t, server, nsp);
    await left(server, socket);
    assert.equal((await find(server, nsp)).sockets, 0);
  }, { skip: oursOnly('it goes too') });

  on('NS06 names without end make no more than the limit', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    let joined = 0;
    for (let i = 0; i < 40; i++) {
      const nsp = fresh('/dyn-');
      ws.sendText(`40${nsp},`);
      const text = await ws.text();
      if (text.startsWith(`40${nsp},{"sid":`)) joined++;
      else assert.equal(text, `44${nsp},{"message":"Invalid namespace"}`);
    }
    assert.ok(joined > 0 && joined <= 20, `${joined} joined`);
    const { namespaces_refused: missed } = await counters(server);
    assert.equal(missed, 40 - joined);
    assert.match(server.stderr(), /warn namespace_limit/);
    ws.destroy();
    await eventually(() => children(server), (list) => !list.some(({ name, sockets }) => name.startsWith('/dyn-') && sockets), 'they');
    await connected(t, server, fresh('/dyn-'));
  }, { skip: oursOnly('it has no limit') });
});
