// Acknowledgements, in both directions.

import assert from 'node:assert/strict';
import {
  LIMIT, ask, assertNumbered, collect, connected, next, noted, notes, rawPolling, rawWebSocket, withServer,
} from '../support/client.mjs';
import { OP, within } from '../support/raw.mjs';
import { isOfficial, oursOnly } from '../support/server.mjs';

const LATE = 'not answered in time';

withServer('acks', {}, (on, onEach) => {
  onEach('EV05 the server acknowledges', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    assert.deepEqual(await ask(socket, 'echo'), []);
    assert.deepEqual(await ask(socket, 'echo', 1), [1]);
    assert.deepEqual(await ask(socket, 'echo', null, 'ü', { a: [1] }), [null, 'ü', { a: [1] }]);
    assert.equal(await socket.emitWithAck('echo', 'first', 'second'), 'first');
    assert.deepEqual(await ask(socket, 'ack-later', 20, 'a', 1), ['a', 1]);
  });

  on('EV05 acks that are put off come as they are sent', async (t, server) => {
    const socket = await connected(t, server, '/', { transports: ['websocket'] });
    const order = [];
    const slow = ask(socket, 'ack-later', 500, 'slow').then(([x]) => order.push(x));
    const fast = ask(socket, 'ack-later', 1, 'fast').then(([x]) => order.push(x));
    await Promise.all([slow, fast]);
    assert.deepEqual(order, ['fast', 'slow']);
  });

  on('EV05 an event is acknowledged once', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('427["ack-twice",1]').sendText('428["echo",2]');
    await ws.text('437[1]');
    await ws.text('438[2]');
    const note = await noted(server, ws.id, 'ack-twice');
    if (isOfficial) return;
    assert.equal(note.first, 'success');
    assert.equal(note.second, 'not possible in the present state');
    assert.equal(note.wants, false);
  });

  on('EV05 the ack\'s id is the event\'s', async (t, server) => {
    const ws = await rawWebSocket(t, server, '/foo');
    for (const id of ['0', '1', '10', '456', '4294967296', '9007199254740991']) {
      ws.sendText(`42/foo,${id}["echo",1]`);
      await ws.text(`43/foo,${id}[1]`);
    }
    ws.sendText('42/foo,5["echo"]');
    await ws.text('43/foo,5[]');
  });

  on('EV05 an event that is not to be acknowledged is not', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('42["ack-twice",1]').sendText('421["ack-never"]').sendText('422["echo"]');
    await ws.text('432[]');
    if (isOfficial) return;
    const twice = await noted(server, ws.id, 'ack-twice');
    assert.equal(twice.first, 'not possible in the present state');
    assert.equal((await noted(server, ws.id, 'ack-never')).took, true);
  });

  onEach('EV06 acks with binary', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const lists = [
      [Buffer.from([1, 2, 3])],
      [Buffer.alloc(0), { a: [Buffer.from('x')] }, 'text', Buffer.alloc(70_000, 7)],
    ];
    for (const list of lists) assert.deepEqual(await ask(socket, 'echo', ...list), list);
  });

  on('EV06 a binary ack on the wire', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('451-12["echo",{"_placeholder":true,"num":0}]').send(OP.BINARY, 'abc');
    await ws.text('461-12[{"_placeholder":true,"num":0}]');
    await ws.binary('abc');
  });

  onEach('EV07 a client acknowledges', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    socket.on('call', (...list) => list.pop()('got', list.length, ...list));
    const call = (...list) => ask(socket, 'call', { event: 'call' }, ...list);
    assert.deepEqual(await call(), ['success', 'got', 0]);
    assert.deepEqual(await call(1, 'two', { three: [3] }), ['success', 'got', 3, 1, 'two', { three: [3] }]);
    assert.deepEqual(await call(Buffer.from('bin')), ['success', 'got', 1, Buffer.from('bin')]);
    socket.on('silent', (done) => done());
    assert.deepEqual(await ask(socket, 'call', { event: 'silent' }), ['success']);
  });

  onEach('EV07 many calls at once each get their own answer', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    socket.on('call', (x, done) => setTimeout(() => done(x), (x * 7) % 13));
    const all = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(socket, 'call', { event: 'call' }, i)));
    assert.deepEqual(all, Array.from({ length: 50 }, (_, i) => ['success', i]));
  });

  onEach('EV08 a call is given up after its time', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const asked = next(socket, 'nobody');
    const begun = performance.now();
    const answer = await ask(socket, 'call', { event: 'nobody', timeout: 80 });
    assert.deepEqual(answer, [LATE]);
    assert.ok(performance.now() - begun > 75);
    await asked;
    socket.on('call', (done) => done('in time'));
    assert.deepEqual(await ask(socket, 'call', { event: 'call', timeout: 10_000 }), ['success', 'in time']);
  });

  on('EV08 the time counts from the call, also when the server was idle before', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    await new Promise((done) => setTimeout(done, 400));
    const begun = performance.now();
    ws.sendText('421["call",{"event":"c","timeout":300}]');
    assert.match(await ws.text(), /^42\d+\["c"\]$/);
    await ws.text(`431["${LATE}"]`);
    const took = performance.now() - begun;
    assert.ok(took > 290, `${took} ms`);
  });

  on('EV09 a call ends once: by its answer, its time, or the client\'s end', async (t, server) => {
    const socket = await connected(t, server);
    const { id } = socket;
    socket.on('call', (done) => {
      done(1);
      done(2);
    });
    await ask(socket, 'call', { event: 'call', timeout: 10_000 });
    await ask(socket, 'call', { event: 'nobody', timeout: 5 });
    socket.emit('call', { event: 'nobody' });
    socket.emit('call', { event: 'nobody', timeout: 60_000 });
    await ask(socket, 'echo');
    socket.disconnect();
    const all = (await notes(server, id, 'called', 4)).filter((n) => n.what === 'called');
    const gone = 'closed before it was done';
    assert.deepEqual(all.map((n) => n.error), ['success', LATE, gone, gone]);
    await noted(server, id, 'disconnect');
  }, { skip: oursOnly('it forgets the calls of a socket that ends') });

  on('EV10 late, unknown and repeated acks are ignored', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('421["call",{"event":"c","timeout":20}]');
    const id = /^42(\d+)\["c"\]$/.exec(await ws.text())[1];
    await ws.text(`431["${LATE}"]`);
    ws.sendText(`43${id}["late"]`).sendText('4399999[1]').sendText('439007199254740991[]');
    ws.sendText('422["call",{"event":"c"}]');
    const second = /^42(\d+)\["c"\]$/.exec(await ws.text())[1];
    assert.notEqual(second, id);
    ws.sendText(`43${second}["first"]`).sendText(`43${second}["again"]`).sendText('423["echo"]');
    await ws.text('432["success","first"]');
    await ws.text('433[]');
    assert.equal((await notes(server, ws.id)).filter((n) => n.what === 'called').length, 2);
  });

  on('EV10 an ack from another client is not taken', async (t, server) => {
    const asked = await rawWebSocket(t, server);
    const other = await rawWebSocket(t, server);
    asked.sendText('421["call",{"event":"c"}]');
    const id = /^42(\d+)\["c"\]$/.exec(await asked.text())[1];
    other.sendText(`43${id}["stolen"]`).sendText('420["echo"]');
    await other.text('430[]');
    asked.sendText(`43${id}["mine"]`);
    await asked.text('431["success","mine"]');
  });

  onEach('EV21 a client tries again until it is acknowledged', async (t, server, options) => {
    const socket = await connected(t, server, '/', { ...options, retries: 4, ackTimeout: 300 });
    const answered = new Promise((done, fail) => {
      socket.emit('flaky', 'x', (err, ...list) => (err ? fail(err) : done(list)));
    });
    const answer = await within(answered, LIMIT, 'the ack of flaky');
    assert.deepEqual(answer, ['try', 'full']);
    const [first, second] = await Promise.all([socket.emitWithAck('echo', 1), socket.emitWithAck('echo', 2)]);
    assert.deepEqual([first, second], [1, 2]);
  });

  on('EV21 ackTimeout is the client\'s own', async (t, server) => {
    const socket = await connected(t, server, '/', { ackTimeout: 50 });
    await assert.rejects(socket.emitWithAck('ack-never'), /timed out/);
    assert.equal(await socket.timeout(LIMIT).emitWithAck('echo', 1), 1);
  });

  onEach('HB09 what is queued is drained, nothing is lost', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const got = collect(socket, 'n');
    await ask(socket, 'burst', { count: 3000, binary: false });
    assertNumbered(await got.reach(3000), 3000);
    const { backlog } = await noted(server, socket.id, 'drained');
    assert.equal(backlog, 0);
  });

  on('HB09 a backlog is visible while a client does not poll', async (t, server) => {
    const session = await rawPolling(server);
    await session.postOk('421["burst",{"event":"n","count":50}]');
    const packets = (await session.pollText()).split('\x1e');
    assert.equal(packets.length, 51);
    const [text, backlog] = JSON.parse(packets[50].slice(3));
    assert.equal(text, 'success');
    if (!isOfficial) assert.ok(backlog >= 50 * '42["n",0]'.length, `${backlog} bytes`);
    await noted(server, session.id, 'drained');
  });
});
