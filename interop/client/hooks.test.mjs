// Middlewares of events, catch-all handlers of both directions, and what there
// is to know of sockets and their connections.

import assert from 'node:assert/strict';
import { Manager } from 'socket.io-client';
import {
  ask, collect, connected, connection, eventually, next, noted, notes, rawWebSocket, sessions,
  withServer,
} from '../support/client.mjs';
import { oursOnly } from '../support/server.mjs';

const only = { skip: oursOnly('its test server has no such namespace') };
const SILENCE = 100; // ms

const named = (list, what) => list.filter((n) => n.what === what);

/** Emits, and tells whether there was an ack before that of a later event. */
async function acked(socket, event, ...list) {
  const got = [];
  socket.emit(event, ...list, (...answer) => got.push(answer));
  await ask(socket, 'plain', 'behind');
  return got[0];
}

withServer('hooks of events', {}, (on, onEach) => {
  onEach('MW07 catch-all handlers, then middlewares in order, then handlers', async (t, server, options) => {
    const socket = await connected(t, server, '/ev-use', options);
    assert.deepEqual(await ask(socket, 'plain', 1, 'two'), ['h']);
    const all = await notes(server, socket.id, 'handled');
    assert.deepEqual(all.map((n) => n.what + n.mark), ['any', 'step1', 'step2', 'handled']);
    assert.ok(all.every((n) => n.event === 'plain' && n.args === '1,"two"' && n.ack));
  }, only);

  onEach('MW07 an event with attachments waits for a slow middleware', async (t, server, options) => {
    const socket = await connected(t, server, '/ev-use', options);
    const slow = ask(socket, 'slow', Buffer.from('abc'), { deep: [Buffer.alloc(0)] });
    assert.deepEqual(await acked(socket, 'plain'), ['h'], 'later events overtake');
    assert.deepEqual(await slow, ['h']);
    const handled = named(await notes(server, socket.id), 'handled').map((n) => n.event);
    assert.deepEqual(handled, ['plain', 'plain', 'slow']);
    const { binaries } = named(await notes(server, socket.id), 'handled').at(-1);
    assert.equal(binaries, 2);
  }, only);

  on('MW07 a middleware drops, changes, or acknowledges an event', async (t, server) => {
    const socket = await connected(t, server, '/ev-use');
    assert.equal(await acked(socket, 'drop', 1), undefined);
    assert.deepEqual(await ask(socket, 'edit', 'gone', 2, [3]), ['h']);
    assert.deepEqual(await ask(socket, 'answer'), ['m']);
    const all = await notes(server, socket.id);
    const handled = named(all, 'handled').filter((n) => n.event !== 'plain');
    assert.deepEqual(handled.map((n) => [n.event, n.args]), [['edited', '2,[3]']]);
    assert.deepEqual(named(all, 'any').map((n) => n.event), ['drop', 'plain', 'edit', 'answer']);
    assert.equal(named(all, 'event-error').length, 0);
  }, only);

  on('MW07 a socket that leaves in a middleware gets nothing more', async (t, server) => {
    const socket = await connected(t, server, '/ev-use');
    const gone = next(socket, 'disconnect');
    socket.emit('slow', 1);
    socket.emit('leave');
    assert.equal((await gone)[0], 'io server disconnect');
    await new Promise((done) => setTimeout(done, SILENCE));
    assert.equal(named(await notes(server, socket.id), 'handled').length, 0);
  }, only);

  onEach('MW08 an error is told on this side; the client gets nothing', async (t, server, options) => {
    const socket = await connected(t, server, '/ev-use', options);
    const heard = [];
    socket.onAny((...list) => heard.push(list));
    assert.equal(await acked(socket, 'fail', 'not "you"', { code: 1 }), undefined);
    const all = await notes(server, socket.id, 'event-error');
    assert.deepEqual(named(all, 'event-error').map(({ event, message, data }) => [event, message, data]),
      [['fail', 'not "you"', '{"code":1}']]);
    assert.ok(named(all, 'handled').every((n) => n.event === 'plain'));
    assert.deepEqual(heard, []);
    assert.ok(socket.connected);
  }, only);

  on('MW08 nothing is on the wire but the answer to the event behind', async (t, server) => {
    const ws = await rawWebSocket(t, server, '/ev-use');
    ws.sendText('42/ev-use,7["fail","no",null]');
    ws.sendText('42/ev-use,8["error"]');
    await ws.text('43/ev-use,8["h"]');
    assert.equal((await noted(server, ws.id, 'event-error')).data, 'null');
  }, only);

  onEach('MW09 a middleware has the first request', async (t, server, options) => {
    const socket = await connected(t, server, '/ev-use', {
      ...options, query: { from: 'me' }, extraHeaders: { 'X-Token': 'a "b"' },
    });
    const [{ method, url, address, eio, headers }] = await ask(socket, 'request');
    assert.equal(method, 'GET');
    assert.match(url, /^\/socket\.io\/\?.*from=me/);
    assert.match(url, new RegExp(`transport=${options.transports[0]}`));
    assert.equal(address, '127.0.0.1');
    assert.equal(eio, '4');
    assert.equal(headers['x-token'], 'a "b"');
    assert.equal(headers.host, server.url.replace(/^.*\/\//, ''));
    assert.ok(Object.keys(headers).every((name) => name === name.toLowerCase()));
  }, only);

  onEach('EV18 catch-all handlers: in order, one in front, with the ack', async (t, server, options) => {
    const socket = await connected(t, server, '/catch', options);
    assert.deepEqual(await ask(socket, 'catch-ack', 1), ['a']);
    const all = named(await notes(server, socket.id, 'catch', 3), 'catch');
    assert.deepEqual(all.map((n) => [n.mark, n.event, n.ack]), [
      ['p', 'catch-ack', true], ['a', 'catch-ack', true], ['b', 'catch-ack', false]]);
  }, only);

  onEach('EV19 what goes out is told of, emits and broadcasts', async (t, server, options) => {
    const [one, two] = [await connected(t, server, '/out', options), await connected(t, server, '/out', options)];
    const got = collect(two, 'to-all');
    await ask(one, 'emit', { event: 'x' }, 1, Buffer.from('abc'));
    await ask(one, 'to', { event: 'to-all' }, 'all');
    await ask(one, 'to', { event: 'to-all', from: 'socket' }, 'others');
    one.on('call', (x, done) => done(x));
    assert.deepEqual(await ask(one, 'call', { event: 'call' }, 5), ['success', 5]);
    await ask(one, 'echo', 'an ack is no event');
    const echo = next(one, 'echo');
    one.emit('echo', 'back');
    assert.deepEqual(await echo, ['back']);
    assert.deepEqual([...await got.reach(2)], [['all'], ['others']]);
    const told = async (socket) => named(await notes(server, socket.id), 'out')
      .map((n) => [n.mark, n.event, n.args, n.binaries, n.ack].join(' '));
    const hole = '{"_placeholder":true,"num":0}';
    const twice = (list) => list.flatMap((text) => [`1 ${text}`, `2 ${text}`]);
    assert.deepEqual(await told(one), twice([
      `x 1,${hole} 1 false`, 'to-all "all" 0 false', 'call 5 0 false', 'echo "back" 0 false']));
    assert.deepEqual(await told(two), twice(['to-all "all" 0 false', 'to-all "others" 0 false']));
  }, only);

  on('EV19 volatile and room broadcasts, and many of them, in order', async (t, server) => {
    const all = await Promise.all([1, 2, 3].map(() => connected(t, server, '/out')));
    for (const socket of all.slice(0, 2)) await ask(socket, 'join', 'ev19');
    const got = all.map((socket) => collect(socket, 'room'));
    for (let i = 0; i < 50; i++) all[2].emit('to', { event: 'room', to: 'ev19' }, i);
    for (const list of got.slice(0, 2)) {
      assert.deepEqual((await list.reach(50)).map(([n]) => n), Array.from({ length: 50 }, (_, i) => i));
    }
    const out = named(await notes(server, all[0].id), 'out').filter((n) => n.mark === '2');
    assert.deepEqual(out.map((n) => n.args), Array.from({ length: 50 }, (_, i) => `${i}`));
    assert.equal(named(await notes(server, all[2].id), 'out').length, 0);
  }, only);

  // These take handlers back for good, so they come last.
  on('EV18 handlers are listed, taken back one by one, and all', async (t, server) => {
    const socket = await connected(t, server, '/catch');
    assert.deepEqual(await ask(socket, 'listed'), [3, true]);
    await ask(socket, 'off');
    assert.deepEqual(await ask(socket, 'listed'), [2, true]);
    socket.emit('x');
    await ask(socket, 'off-all');
    assert.deepEqual(await ask(socket, 'listed'), [0, true]);
    const all = named(await notes(server, socket.id), 'catch');
    assert.deepEqual(all.filter((n) => n.event === 'x').map((n) => n.mark), ['p', 'a']);
    // The first one of `off-all` has heard of it.
    assert.deepEqual(all.filter((n) => n.event === 'off-all').map((n) => n.mark), ['p', 'a']);
  }, only);

  on('EV20 a handler for one event', async (t, server) => {
    const [one, two] = [await connected(t, server, '/catch'), await connected(t, server, '/catch')];
    const got = [collect(one, 'single'), collect(two, 'single')];
    for (const count of [1, 2]) {
      await ask(one, 'once-more');
      two.emit('single');
      await got[1].reach(count);
      one.emit('single');
      two.emit('single');
      await ask(two, 'listed');
    }
    await ask(one, 'listed');
    assert.deepEqual(got.map((list) => list.length), [0, 2]);
  }, only);
});

withServer('what there is to know of sockets', {}, (on, onEach) => {
  onEach('SV01 sockets are fetched with rooms, data and handshake', async (t, server, options, way) => {
    const all = await Promise.all(['a', 'b', 'c'].map((who) => connected(t, server, '/foo', {
      ...options, query: { who }, auth: { tag: `sv01-${who}` },
    })));
    const room = `sv01-${way}`;
    for (const [i, socket] of all.slice(0, 2).entries()) {
      await ask(socket, 'join', [room, `own-${i}`]);
      await ask(socket, 'set-data', `data ${i}`);
    }
    const [error, infos] = await ask(all[2], 'infos', room);
    assert.equal(error, 'success');
    assert.equal(infos.length, 2);
    for (const [i, socket] of all.slice(0, 2).entries()) {
      const info = infos.find((one) => one.id === socket.id);
      assert.equal(info.rooms[0], socket.id);
      assert.deepEqual(info.rooms.slice(1).sort(), [`own-${i}`, room].sort());
      assert.equal(info.text, `data ${i}`);
      assert.equal(info.handshake.query.who, 'ab'[i]);
      assert.deepEqual(info.handshake.auth, { tag: `sv01-${'ab'[i]}` });
      assert.equal(info.handshake.address, '127.0.0.1');
      assert.equal(typeof info.handshake.headers.host, 'string');
    }
    assert.deepEqual(await ask(all[2], 'infos', 'nobody is here'), ['success', []]);
    all[0].disconnect();
    await eventually(() => ask(all[2], 'infos', room), ([, list]) => list.length === 1, 'one left');
  }, only);

  onEach('SV05 the ids of all sockets, or of a room', async (t, server, options) => {
    const all = await Promise.all([1, 2, 3].map(() => connected(t, server, '/bar', options)));
    const ids = all.map((socket) => socket.id).sort();
    const of = async (...list) => (await ask(all[0], 'ids', ...list))[1].sort();
    assert.deepEqual(await of(), ids);
    await ask(all[1], 'join', 'sv05');
    assert.deepEqual(await of('sv05'), [all[1].id]);
    assert.deepEqual(await of(all[2].id), [all[2].id]);
    assert.deepEqual(await of('nobody'), []);
  }, only);

  onEach('RM11 a local broadcast reaches this server\'s sockets', async (t, server, options) => {
    const all = await Promise.all([1, 2, 3].map(() => connected(t, server, '/foo', options)));
    const got = all.map((socket) => collect(socket, 'rm11'));
    for (const socket of all.slice(0, 2)) await ask(socket, 'join', 'rm11');
    assert.deepEqual(await ask(all[2], 'local', { event: 'rm11', to: 'rm11' }, 1, Buffer.from('x')), ['success']);
    for (const list of got.slice(0, 2)) assert.deepEqual([...await list.reach(1)], [[1, Buffer.from('x')]]);
    await ask(all[2], 'rooms');
    assert.equal(got[2].length, 0);
  }, only);

  onEach('SA03 id, namespace, rooms, connected, and the connection shared by namespaces', async (t, server, options) => {
    const manager = new Manager(server.url, { reconnection: false, ...options });
    t.after(() => manager._close());
    const [root, foo] = [manager.socket('/'), manager.socket('/foo')];
    await Promise.all([connection(root), connection(foo)]);
    const [[a], [b]] = [await ask(root, 'conn'), await ask(foo, 'conn')];
    assert.equal(a.id, manager.engine.id);
    assert.equal(b.id, a.id);
    assert.deepEqual([a.namespaces, b.namespaces], [['/', '/foo'], ['/', '/foo']]);
    assert.ok(a.same && b.same);
    const [info] = await ask(foo, 'info');
    assert.deepEqual([info.id, info.nsp, info.connected, info.rooms], [foo.id, '/foo', true, 1]);
    const { id } = foo;
    foo.disconnect();
    const last = await noted(server, id, 'disconnect');
    assert.deepEqual([last.connected, last.rooms], [false, 0]);
    assert.deepEqual((await ask(root, 'conn'))[0].namespaces, ['/']);
  }, only);

  onEach('SA05 the end of a connection, after its sockets, with the reason', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const { id } = socket.io.engine;
    const socketId = socket.id;
    socket.io.engine.close();
    const closed = await noted(server, id, 'conn-closed');
    assert.equal(closed.reason, (await noted(server, socketId, 'disconnect')).reason);
    const all = await notes(server, '');
    const at = (what, key) => all.findIndex((n) => n.what === what && n.id === key);
    assert.ok(at('disconnect', socketId) < at('conn-closed', id));
  }, only);

  on('SA05 one that has joined no namespace ends, too', async (t, server) => {
    const ws = await rawWebSocket(t, server, null);
    await sessions(server, 1);
    ws.sendText('41');
    await ws.gone();
    const all = await eventually(() => notes(server, ''), (list) =>
      list.some((n) => n.what === 'conn-closed' && n.reason === 'forced close'), 'an end');
    assert.ok(all.length > 0);
  }, only);
});

withServer('packets of connections', { profile: 'rows-tap' }, (on, onEach) => {
  onEach('SA05 packets that come and go, as they are', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const { id } = socket.io.engine;
    assert.deepEqual(await ask(socket, 'echo', 1, Buffer.from('xyz')), [1, Buffer.from('xyz')]);
    assert.deepEqual(await ask(socket, 'echo', 2), [2]);
    const echo = next(socket, 'echo');
    socket.emit('echo', 3);
    assert.deepEqual(await echo, [3]);
    const hole = '{"_placeholder":true,"num":0}';
    const all = await notes(server, id);
    const of = (what) => named(all, what).filter((n) => n.type === 4).map((n) => (n.binary ? 'binary' : n.text));
    assert.deepEqual(of('conn-in'), [
      '0', `51-0["echo",1,${hole}]`, 'binary', '21["echo",2]', '2["echo",3]']);
    const [connect, ...rest] = of('conn-out');
    assert.match(connect, /^0\{"sid":"/);
    assert.deepEqual(rest, [`61-0[1,${hole}]`, 'binary', '31[2]', '2["echo",3]']);
    const drained = await noted(server, id, 'conn-drained');
    assert.equal(drained.backlog, 0);
  }, only);

  on('SA05 each packet of a broadcast, to each connection', async (t, server) => {
    const all = await Promise.all([1, 2].map(() => connected(t, server, '/bar', { transports: ['websocket'] })));
    const got = all.map((socket) => collect(socket, 'sa05'));
    for (let i = 0; i < 20; i++) all[0].emit('to', { event: 'sa05' }, i);
    for (const [i, list] of got.entries()) {
      await list.reach(20);
      const out = named(await notes(server, all[i].io.engine.id), 'conn-out').map((n) => n.text);
      assert.deepEqual(out.filter((text) => text.includes('sa05')), Array.from({ length: 20 }, (_, n) => `2/bar,["sa05",${n}]`));
    }
  }, only);

  on('SA05 pings and pongs', async (t, server) => {
    const ws = await rawWebSocket(t, server, '/');
    ws.sendText('3');
    ws.sendText('4' + '20["echo"]');
    await ws.text('430[]');
    const all = await notes(server, '');
    assert.ok(all.some((n) => n.what === 'conn-in' && n.type === 3));
  }, only);
});
