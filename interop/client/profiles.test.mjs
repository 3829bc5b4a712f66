// The profiles that the official suites are run against, by their tables.

import assert from 'node:assert/strict';
import { ask, client, collect, connected, next, rawWebSocket, withServer } from '../support/client.mjs';
import { OP } from '../support/raw.mjs';

const EIGHT = Buffer.from('asdfasdf');
const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

withServer('profile sio-client', { profile: 'sio-client', options: { 'no-recovery': true } }, (on, onEach) => {
  onEach('EV01 sio-client: plain events', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const answer = async (event, wanted, ...list) => {
      const got = next(socket, wanted);
      socket.emit(event, ...list);
      return got;
    };
    assert.deepEqual(await answer('hi', 'hi'), []);
    assert.deepEqual(await answer('false', 'false'), [false]);
    assert.match((await answer('getDate', 'takeDate'))[0], ISO);
    assert.match((await answer('getDateObj', 'takeDateObj'))[0].date, ISO);
    assert.deepEqual(await answer('doge', 'doge'), [EIGHT]);
    assert.deepEqual(await answer('getbin', 'takebin'), [EIGHT]);
    const texts = collect(socket, 'takeUtf8');
    socket.emit('getUtf8');
    await texts.reach(5);
    const wanted = ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string'];
    assert.deepEqual(texts.map(([x]) => x), wanted);
  });

  onEach('EV03 sio-client: binary events', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const json = { hello: 'lol', message: EIGHT, goodbye: 'gotcha' };
    const bufferAck = next(socket, 'buffack');
    socket.emit('buffa', EIGHT);
    await bufferAck;
    const jsonAck = next(socket, 'jsonbuff-ack');
    socket.emit('jsonbuff', { ...json, message: 'text' });
    socket.emit('jsonbuff', { ...json, goodbye: 'x' });
    socket.emit('jsonbuff', json);
    await jsonAck;
    const acks = collect(socket, 'abuff2-ack');
    socket.emit('abuff2', 'too early');
    await ask(socket, 'echo', 1);
    assert.equal(acks.length, 0);
    socket.emit('abuff1', EIGHT);
    socket.emit('abuff2', 'arrayBuff');
    await acks.reach(1);
  });

  onEach('EV05 EV07 sio-client: acks', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    for (const x of [null, 5, 'x', { a: [EIGHT] }, EIGHT]) assert.deepEqual(await ask(socket, 'echo', x), [x]);
    assert.match((await ask(socket, 'getAckDate', { test: true }))[0], ISO);
    assert.deepEqual(await ask(socket, 'getId'), [socket.id]);
    const done = next(socket, 'got it');
    socket.on('ack', (answer) => answer(5, { test: true }));
    socket.emit('ack', () => assert.fail('acknowledged'));
    await done;
    await ask(socket, 'echo', 1);
  });

  onEach('SA01 sio-client: the handshake', async (t, server, options) => {
    const socket = await connected(t, server, '/', { ...options, query: { e: 'f', '&a': '&=?a' }, auth: { c: 'd' } });
    const [h] = await ask(socket, 'getHandshake');
    assert.equal(h.query.e, 'f');
    assert.equal(h.query['&a'], '&=?a');
    assert.equal(h.query.c, undefined);
    assert.deepEqual(h.auth, { c: 'd' });
    const abc = client(t, server, '/abc', { ...options, query: { b: 'c' } });
    const [told] = await next(abc, 'handshake');
    assert.equal(told.query.b, 'c');
    assert.deepEqual(told.auth, {});
  });

  onEach('MW02 sio-client: refusals and namespaces', async (t, server, options) => {
    const fail = client(t, server, '/', { ...options, query: { fail: 1 } });
    assert.equal((await next(fail, 'connect_error'))[0].message, 'Auth failed (main namespace)');
    const no = client(t, server, '/no', options);
    assert.equal((await next(no, 'connect_error'))[0].message, 'Auth failed (custom namespace)');
    const invalid = client(t, server, '/invalid', options);
    assert.equal((await next(invalid, 'connect_error'))[0].message, 'Invalid namespace');
    for (const nsp of ['/timeout_socket', '/valid', '/asd']) await connected(t, server, nsp, options);
    const foo = await connected(t, server, '/foo', options);
    assert.deepEqual(await ask(foo, 'getId'), [foo.id]);
  });
});

withServer('profile sio5', { profile: 'sio5', options: { 'ping-interval': 60_000, 'connect-timeout': 60_000 } }, (on) => {
  on('EV01 EV03 EV05 EV06 sio5: the packets of the protocol suite', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    await ws.text('42["auth",{}]');
    ws.sendText('42["message",1,"2",{"3":[true]}]');
    await ws.text('42["message-back",1,"2",{"3":[true]}]');
    const two = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}';
    ws.sendText(`452-["message",${two}]`).send(OP.BINARY, [1, 2, 3]).send(OP.BINARY, [4, 5, 6]);
    await ws.text(`452-["message-back",${two}]`);
    await ws.binary([1, 2, 3]);
    await ws.binary([4, 5, 6]);
    ws.sendText('42456["message-with-ack",1,"2",{"3":[false]}]');
    await ws.text('43456[1,"2",{"3":[false]}]');
    ws.sendText(`452-789["message-with-ack",${two}]`).send(OP.BINARY, [1]).send(OP.BINARY, [2]);
    await ws.text(`462-789[${two}]`);
    await ws.binary([1]);
    await ws.binary([2]);
  });

  on('CN02 sio5: auth', async (t, server) => {
    const ws = await rawWebSocket(t, server, '/custom', '{"token":"abc"}');
    await ws.text('42/custom,["auth",{"token":"abc"}]');
    ws.sendText('40/random');
    await ws.text('44/random,{"message":"Invalid namespace"}');
  });
});

withServer('profile bench', { profile: 'bench', options: {} }, (on, onEach) => {
  onEach('RM07 bench: every event of the table', async (t, server, options) => {
    const [one, two] = [await connected(t, server, '/', options), await connected(t, server, '/', options)];
    const list = [1, { a: EIGHT }, 'x'];
    const echo = next(one, 'echo');
    one.emit('echo', ...list);
    assert.deepEqual(await echo, list);
    assert.deepEqual(await ask(one, 'ack', ...list), list);
    const all = Promise.all([next(one, 'broadcast'), next(two, 'broadcast')]);
    one.emit('broadcast', ...list);
    assert.deepEqual(await all, [list, list]);
    const strays = collect(one, 'room');
    assert.deepEqual(await ask(two, 'join', 'r'), []);
    const room = next(two, 'room');
    one.emit('room', 'r', ...list);
    assert.deepEqual(await room, list);
    const bare = next(two, 'room');
    one.emit('room', 'r');
    assert.deepEqual(await bare, []);
    await ask(one, 'ack');
    assert.equal(strays.length, 0);
    for (const nsp of ['/n1', '/n2', '/n3', '/n4']) {
      const socket = await connected(t, server, nsp, options);
      assert.deepEqual(await ask(socket, 'ack', ...list), list);
    }
  });
});
