// Events and their arguments, in both directions.

import assert from 'node:assert/strict';
import {
  ask, assertNumbered, client, collect, connected, connection, next, notes, rawPolling,
  rawWebSocket, tell, withServer,
} from '../support/client.mjs';
import { OP, settle } from '../support/raw.mjs';
import { isOfficial, oursOnly } from '../support/server.mjs';

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, i) => i));

const VALUES = [
  [],
  [null],
  [true, false, null],
  [0, -1, 1.5, 1e300, -2.5e-10, 9007199254740991],
  ['', 'a', 'line\nbreak\t"quote" \\ \u0000 \u2028 \u2029 \x1e', 'てすと 😀 ü', '\ud83d\ude00'.repeat(50)],
  [[], [[]], [1, [2, [3]]]],
  [{}, { a: { b: { c: [1, { d: null }] } } }, { '': 0, 'ä"': '\\' }],
  ['42["x"]', '[', '{"_placeholder":1}'],
  ['x'.repeat(100_000)],
  [Array.from({ length: 2000 }, (_, i) => ({ i }))],
];

const BINARIES = [
  [ALL_BYTES],
  [Buffer.alloc(0)],
  [Buffer.from('x'), 'text', Buffer.alloc(0), { n: Buffer.from('y') }],
  [{ a: [{ b: ALL_BYTES }, 1], c: Buffer.from([0]) }],
  [Array.from({ length: 10 }, (_, i) => Buffer.alloc(i * 7, i))],
  [Buffer.alloc(200_000, 0xa5)],
];

withServer('events', {}, (on, onEach) => {
  onEach('EV01 any number of arguments of any JSON type', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    for (const list of VALUES) {
      const got = next(socket, 'echo');
      socket.emit('echo', ...list);
      assert.deepEqual(await got, list);
    }
  });

  on('EV01 the text of the arguments goes through unchanged', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    const list = '1,"2",{"3":[true]},{"b":1,"a":2},1.0,1E+2,"\\u00fc\\/"';
    ws.sendText(`42["echo",${list}]`);
    const text = await ws.text();
    if (isOfficial) assert.deepEqual(JSON.parse(text.slice(2)), JSON.parse(`["echo",${list}]`));
    else assert.equal(text, `42["echo",${list}]`);
  });

  on('EV01 arguments by a format', async (t, server) => {
    const socket = await connected(t, server);
    const got = next(socket, 'text');
    await tell(socket, 'emit-text', 'ä"\\', [1]);
    assert.deepEqual(await got, ['"ä\\"\\\\",[1]', { length: Buffer.byteLength('"ä\\"\\\\",[1]') }]);
  }, { skip: oursOnly('a matter of C') });

  onEach('EV02 send is an event named message', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const got = next(socket, 'message');
    socket.send('hello', { a: 1 });
    assert.deepEqual(await got, ['hello', { a: 1 }]);
  });

  onEach('EV03 binary at any depth, empty, several', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    for (const list of BINARIES) {
      const got = next(socket, 'echo');
      socket.emit('echo', ...list);
      assert.deepEqual(await got, list);
    }
  });

  onEach('EV03 UP04 binary right at the connection', async (t, server, options) => {
    const socket = client(t, server, '/', options);
    const got = collect(socket, 'echo');
    for (let i = 0; i < 20; i++) socket.emit('echo', i, Buffer.alloc(1000 + i, i));
    await got.reach(20);
    for (const [i, [number, bytes]] of got.entries()) {
      assert.equal(number, i);
      assert.deepEqual(bytes, Buffer.alloc(1000 + i, i));
    }
  });

  on('EV03 placeholders on the wire: used twice, unused, none', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    const placeholder = (num) => `{"_placeholder":true,"num":${num}}`;
    ws.sendText(`452-["echo",${placeholder(1)},${placeholder(0)}]`);
    ws.send(OP.BINARY, 'a').send(OP.BINARY, 'b');
    const first = await ws.text();
    const parts = [await ws.binary(), await ws.binary()].map(String);
    const sent = JSON.parse(first.slice(first.indexOf('[')));
    assert.deepEqual(sent.slice(1).map((p) => parts[p.num]), ['b', 'a']);
    ws.sendText(`451-["mark",1]`).send(OP.BINARY, 'x');
    ws.sendText('421["echo",7]');
    await ws.text('431[7]');
  });

  on('EV04 more than ten attachments close the connection', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('4511-["echo"]');
    await ws.gone();
    const many = await rawWebSocket(t, server);
    many.sendText('4599999999999999999999-["echo"]');
    await many.gone();
    const ten = await connected(t, server);
    const list = Array.from({ length: 10 }, () => Buffer.from('x'));
    assert.deepEqual(await ask(ten, 'echo', ...list), list);
  });

  const malformed = [
    '4abc', '47', '49["x"]', '42{}', '42"x"', '42[', '42[]', '42["a"', '42["a",]', '42[null]',
    '42[true]', '42[["a"]]', '42["a"]x', '42[\'a\']', '42["\u0001"]', '42/foo["a"]', '42-1["a"]', '42["a"]["b"]',
    '43{}', '431{}', '43["a"', '41[]', '44', '44{"message":"x"}', '45', '45woooot', '45["a"]', '450-["a"]',
    '45-["a"]', '451["a"]', '451.5-["a"]', '46["a"]', '46x-1[]', '452-["a",{"_placeholder":true,"num":2}]',
    '42abc["x"]', '42["' + '\\ud8' + '"]', '42[1.]', '42[01]', '42[nul]',
  ];
  on('EV17 a malformed packet closes the connection, others live', async (t, server) => {
    const other = await connected(t, server);
    for (const packet of malformed) {
      const ws = await rawWebSocket(t, server);
      ws.sendText(packet);
      if (packet.startsWith('452-')) ws.send(OP.BINARY, 'a').send(OP.BINARY, 'b');
      await ws.gone().catch((err) => assert.fail(`${JSON.stringify(packet)}: ${err.message}`));
    }
    assert.deepEqual(await ask(other, 'echo', 'lives'), ['lives']);
  });

  on('EV17 attachments missing or unasked close the connection', async (t, server) => {
    const text = await rawWebSocket(t, server);
    text.sendText('451-["a",{"_placeholder":true,"num":0}]').sendText('42["mark",1]');
    await text.gone();
    const binary = await rawWebSocket(t, server);
    binary.send(OP.BINARY, 'x');
    await binary.gone();
    const session = await rawPolling(server);
    await session.postOk('4abc');
    await settle(server);
    const answer = await session.poll();
    assert.ok(answer.status === 400 || answer.text.endsWith('1'), answer.text);
    for (const { id } of [text, binary]) {
      assert.equal((await notes(server, id)).filter((n) => n.what === 'mark').length, 0);
    }
  });

  on('EV14 the server cannot emit reserved names', async (t, server) => {
    const socket = await connected(t, server);
    const [all] = await ask(socket, 'reserved');
    const names = ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'];
    const wanted = ['the event name is reserved', 'the event name is reserved'];
    assert.deepEqual(all, Object.fromEntries(names.map((name) => [name, wanted])));
  }, { skip: oursOnly('it throws') });

  on('EV14 reserved names from a client close the connection', async (t, server) => {
    for (const name of ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']) {
      const ws = await rawWebSocket(t, server);
      ws.sendText(`42["${name}"]`);
      await ws.gone();
    }
    const ws = await rawWebSocket(t, server);
    ws.sendText('42["connection"]').sendText('42["new_namespace"]').sendText('420["echo",1]');
    await ws.text('430[1]');
  });

  onEach('EV15 an event named error does no harm', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    socket.emit('error', new Error('x').message);
    socket.emit('error');
    assert.deepEqual(await ask(socket, 'echo', 1), [1]);
  });

  on('EV16 numbers as names, and no payload at all', async (t, server) => {
    const ws = await rawWebSocket(t, server, '/any');
    for (const text of ['[5,1,2]', '[1.5]', '', '["x",null]']) ws.sendText(`42/any,${text}`);
    const seen = (await notes(server, ws.id, 'any', 4)).filter((n) => n.what === 'any');
    assert.deepEqual(seen.map((n) => [n.event, n.count]), [['5', 2], ['1.5', 0], ['', 0], ['x', 1]]);
    const root = await rawWebSocket(t, server);
    root.sendText('42').sendText('42[5]').sendText('420["echo",1]');
    await root.text('430[1]');
  });

  onEach('EV20 several handlers of one event run in their order', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const got = collect(socket, 'twice');
    socket.emit('twice');
    socket.emit('twice');
    await ask(socket, 'echo');
    assert.deepEqual([...got], [['first'], ['second'], ['first'], ['second']]);
  });

  on('EV20 a handler is taken back, also while it runs, and set again', async (t, server) => {
    const socket = await connected(t, server, '/foo');
    const got = collect(socket, 'once');
    for (const count of [1, 2]) {
      socket.emit('once');
      socket.emit('once');
      await ask(socket, 'echo');
      assert.equal(got.length, count);
      if (isOfficial) break;
      await tell(socket, 're-once');
    }
  });

  on('EV11 volatile events are dropped for a polling client that does not poll', async (t, server) => {
    const session = await rawPolling(server);
    await session.postOk('42["burst",{"event":"v","count":3,"volatile":true}]');
    await session.postOk('42["burst",{"event":"w","count":1,"volatile":true,"binary":true}]');
    await session.postOk('421["echo","end"]');
    await session.pollText('431["end"]');
    const waiting = await session.hold();
    await session.postOk('42["burst",{"event":"v","count":1,"volatile":true}]');
    assert.equal((await waiting.response()).text, '42["v",0]');
    waiting.destroy();
  });

  onEach('EV11 of a burst of volatile events some may be lost, not their order', async (t, server, options) => {
    const socket = await connected(t, server, '/', options);
    const got = collect(socket, 'v');
    const count = 500;
    await tell(socket, 'burst', { event: 'v', count, volatile: true });
    await ask(socket, 'echo', 1);
    assert.ok(got.length < count, `${got.length}`);
    const numbers = got.map(([n]) => n);
    assert.deepEqual(numbers, [...numbers].sort((a, b) => a - b));
  });

  on('EV11 with nothing waiting a volatile event is sent, behind another it is not', async (t, server) => {
    const ws = await rawWebSocket(t, server);
    ws.sendText('42["burst",{"event":"v","count":3,"volatile":true}]').sendText('421["echo"]');
    await ws.text('42["v",0]');
    await ws.text('431[]');
    ws.sendText('42["burst",{"event":"v","count":3,"volatile":true,"regular":true}]').sendText('422["echo"]');
    await ws.text('42["regular"]');
    await ws.text('432[]');
    ws.sendText('42["burst",{"event":"v","count":2,"volatile":true,"binary":true}]').sendText('423["echo"]');
    await ws.text('451-["v",0,{"_placeholder":true,"num":0}]');
    await ws.binary([1, 2, 3, 4]);
    await ws.text('433[]');
  });

  on('RM12 volatile broadcasts are dropped per recipient', async (t, server) => {
    const room = 'rm12';
    const reader = await rawWebSocket(t, server);
    const idle = await rawPolling(server);
    const binary = await connected(t, server);
    reader.sendText(`420["join","${room}"]`);
    await reader.text();
    await idle.postOk(`420["join","${room}"]`);
    await idle.pollText();
    await tell(binary, 'to', { to: room, event: 'v', volatile: true }, 1, Buffer.from('x'));
    await reader.text('451-["v",1,{"_placeholder":true,"num":0}]');
    await reader.binary('x');
    await tell(binary, 'to', { to: room, event: 'plain' });
    await reader.text('42["plain"]');
    await idle.pollText('42["plain"]');
  });
});

withServer('order', {}, (on, onEach) => {
  const COUNT = 2000;

  onEach('EV13 numbered events from a client arrive in order', async (t, server, options) => {
    const socket = client(t, server, '/', options);
    for (let i = 0; i < COUNT; i++) socket.emit('n', i);
    await connection(socket);
    for (let i = COUNT; i < 2 * COUNT; i++) {
      if (i % 10) socket.emit('n', i);
      else socket.emit('n', i, Buffer.from([i & 255]));
      if (i % 100 === 0) await new Promise((done) => setImmediate(done));
    }
    assert.deepEqual(await ask(socket, 'n-count'), [2 * COUNT, 0]);
  });

  onEach('EV13 numbered events of the server arrive in order', async (t, server, options) => {
    const socket = client(t, server, '/', { ...options, auth: { greet: COUNT } });
    const got = collect(socket, 'n');
    const bin = collect(socket, 'b');
    await connection(socket);
    await tell(socket, 'burst', { event: 'b', count: COUNT / 4, binary: true });
    assertNumbered(await got.reach(COUNT), COUNT);
    assertNumbered(await bin.reach(COUNT / 4), COUNT / 4);
    assert.ok(bin.every(([, bytes]) => bytes.equals(Buffer.from([1, 2, 3, 4]))));
  });

  onEach('EV13 echoes keep their order, acks too', async (t, server, options) => {
    const socket = client(t, server, '/', options);
    const got = collect(socket, 'echo');
    const acks = [];
    for (let i = 0; i < COUNT; i++) {
      if (i % 2) socket.emit('echo', i, () => acks.push(i));
      else socket.emit('echo', i / 2);
    }
    assertNumbered(await got.reach(COUNT / 2), COUNT / 2);
    await ask(socket, 'echo');
    assert.deepEqual(acks, Array.from({ length: COUNT / 2 }, (_, i) => 2 * i + 1));
  });

  for (let round = 0; round < 5; round++) {
    on(`UP03 nothing is lost or doubled while a client upgrades, round ${round}`, async (t, server) => {
      const socket = client(t, server, '/', { auth: { greet: 100 } });
      const greeting = collect(socket, 'n');
      const streamed = collect(socket, 's');
      const echoed = collect(socket, 'echo');
      const upgraded = new Promise((done) => {
        socket.io.once('open', () => socket.io.engine.once('upgrade', done));
      });
      await connection(socket);
      await tell(socket, 'stream', { event: 's', count: 100, every: round });
      let sent = 0;
      let done = false;
      upgraded.then(() => (done = true));
      while (!done || sent < 300) {
        for (let i = 0; i < 5; i++, sent++) {
          socket.emit('n', sent);
          if (sent % 3) socket.emit('echo', sent);
          else socket.emit('echo', sent, Buffer.alloc(round * 100, sent & 255));
        }
        await new Promise((more) => setTimeout(more, round));
      }
      assertNumbered(await echoed.reach(sent), sent);
      assertNumbered(await streamed.reach(100), 100);
      assertNumbered(greeting, 100);
      assert.deepEqual(await ask(socket, 'n-count'), [sent, 0]);
      assert.equal(socket.io.engine.transport.name, 'websocket');
    });
  }
});
