// Clients of Socket.IO 2, as they speak over Engine.IO 3: the main namespace
// without asking, ids, queries in the place of auth, errors, and rooms that
// they share with clients of Socket.IO 3 and 4.

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { io } from 'socket.io-client';
import { Polling3, WebSocketWire3, upgrade3 } from '../support/eio3.mjs';
import { OP, Polling, QUIET, WebSocketWire, settle } from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';

const PATH = '/socket.io/';
const server = await startServer('sio-client', { ...QUIET, eio3: true });
const rooms = await startServer('bench', { ...QUIET, eio3: true });
const threads = oursOnly('has no threads') ? null : await startServer('bench', { ...QUIET, eio3: true, threads: 3 });
const sio5 = await startServer('sio5', { ...QUIET, eio3: true });
after(() => Promise.all([server, rooms, threads, sio5].map((each) => each?.stop())));

/** A websocket that is in the main namespace. */
async function join(target = server, query = {}) {
  const ws = await WebSocketWire3.session(target, { path: PATH, query });
  await ws.text('40');
  return ws;
}

describe('CONNECT', () => {
  test('V306 websocket: 40 behind the open packet, without a payload', async () => {
    const ws = await join();
    ws.sendText('420["echo",1]');
    await ws.text('430[1]');
    ws.destroy();
  });

  test('V306 polling: 40 in the poll behind the handshake', async () => {
    const session = await Polling3.open(server, { path: PATH });
    await session.receive('40');
    await session.send('420["echo","é€😀"]');
    await session.receive('430["é€😀"]');
  });

  test('V306 polling, and then a websocket', async () => {
    const session = await Polling3.open(server, { path: PATH });
    await session.receive('40');
    const ws = await upgrade3(session);
    ws.sendText('421["getId"]');
    await ws.text(`431["${session.sid}"]`);
    ws.destroy();
  });

  test('V306 CONNECT for the main namespace is one time too many', async () => {
    for (const packet of ['40', '40/', '40/?a=b,']) {
      const ws = await join();
      ws.sendText(packet);
      await ws.closed();
    }
  });

  test('V306 after leaving it, it may be joined again', async () => {
    const ws = await join();
    ws.sendText('41');
    await settle(server);
    ws.sendText('40');
    await ws.text('40');
    ws.destroy();
  });

  test('V306 v4 clients of the same server are connected when they ask', async () => {
    const session = await Polling.open(server, { path: PATH });
    await session.postOk('40');
    assert.match(await session.pollText(), /^40\{"sid":"[\w-]{20}"[,}]/);
  });

  test('V307 other namespaces, with and without comma and query', async () => {
    for (const packet of ['40/foo', '40/foo,', '40/foo?a=b', '40/foo?token=x%2Cy&z=1,', '40/foo?,']) {
      const ws = await join();
      ws.sendText(packet);
      await ws.text('40/foo,');
      ws.sendText('42/foo,5["getId"]');
      await ws.text(`43/foo,5["/foo#${ws.sid}"]`);
      ws.destroy();
    }
  });

  test('V307 the query is auth, of strings; that of the URL is the query', async () => {
    const ws = await join(server, { a: 1 });
    ws.sendText('40/abc?token=abc&name=J%C3%BCrgen+%22x%22&empty=&b,');
    await ws.text('40/abc,');
    const packet = await ws.text();
    assert.match(packet, /^42\/abc,/);
    const [name, handshake] = JSON.parse(packet.slice(7));
    assert.equal(name, 'handshake');
    assert.deepEqual(handshake.auth, { token: 'abc', name: 'Jürgen "x"', empty: '', b: '' });
    assert.equal(handshake.query.a, '1');
    assert.equal(handshake.query.token, undefined);
    ws.destroy();
  });

  test('V307 without a query, auth is empty', async () => {
    const ws = await WebSocketWire3.session(sio5, { path: PATH });
    await ws.text('40');
    await ws.text('42["auth",{}]');
    ws.sendText('40/custom?t=1,');
    await ws.text('40/custom,');
    await ws.text('42/custom,["auth",{"t":"1"}]');
    ws.destroy();
  });

  test('V308 in the main namespace the id is the session\'s', async () => {
    const ws = await join();
    ws.sendText('420["getId"]');
    await ws.text(`430["${ws.sid}"]`);
    ws.destroy();
  });
});

describe('errors', () => {
  test('V309 a middleware of the main namespace: its message, as JSON', async () => {
    const ws = await WebSocketWire3.session(server, { path: PATH, query: { fail: 1 } });
    await ws.text('44"Auth failed (main namespace)"');
    ws.sendText('40/foo');
    await ws.text('40/foo,');
    ws.destroy();
  });

  test('V309 of another one', async () => {
    const ws = await join();
    ws.sendText('40/no?token=abc,');
    await ws.text('44/no,"Auth failed (custom namespace)"');
    ws.sendText('420["echo",1]');
    await ws.text('430[1]');
    ws.destroy();
  });

  test('V309 an unknown namespace: an object', async () => {
    const ws = await join();
    for (const packet of ['40/nope', '40/nope?a=b,']) {
      ws.sendText(packet);
      await ws.text('44/nope,{"message":"Invalid namespace"}');
    }
    ws.destroy();
  });

  const WRONG = ['4', '4x', '42{}', '47', '42/foo,["a"]', '41/foo,', '44"x"', '40/foo,{', '42["connect"]', '451-["a"'];
  for (const packet of WRONG) {
    test(`V309 ${packet} closes`, async () => {
      const ws = await join();
      ws.sendText(packet);
      await ws.closed();
    });
  }

  test('V309 a long name, and a long query', { skip: oursOnly('has no limit') }, async () => {
    const ws = await join();
    ws.sendText(`40/foo?${'a=b&'.repeat(1000)},`);
    await ws.text('40/foo,');
    ws.sendText(`40/${'x'.repeat(5000)},`);
    await ws.closed();
  });
});

describe('events', () => {
  test('V310 what a client calls binary and is not', { skip: oursOnly('closes') }, async () => {
    const ws = await join();
    ws.sendText('450-3["echo","x"]');
    await ws.text('433["x"]');
    ws.destroy();
  });

  test('V310 msgpack: one binary message for each packet, behind the type', { skip: oursOnly('is not set up here') }, async () => {
    const { decode, encode } = await import('notepack.io').then((pack) => pack.default ?? pack);
    const packed = await startServer('sio-client', { ...QUIET, eio3: true, parser: 'msgpack' });
    try {
      const ws = await WebSocketWire3.session(packed, { path: PATH });
      const read = async () => {
        const data = await ws.binary();
        assert.equal(data[0], 4);
        return decode(data.subarray(1));
      };
      const send = (packet) => ws.send(OP.BINARY, Buffer.concat([Buffer.from([4]), encode(packet)]));
      const connected = await read();
      assert.deepEqual([connected.type, connected.nsp, connected.data ?? null], [0, '/', null]);
      send({ type: 0, nsp: '/foo?a=b' });
      assert.equal((await read()).nsp, '/foo');
      send({ type: 2, nsp: '/foo', id: 1, data: ['getId'] });
      assert.deepEqual((await read()).data, [`/foo#${ws.sid}`]);
      send({ type: 0, nsp: '/no' });
      assert.deepEqual((await read()).data, 'Auth failed (custom namespace)');
      send({ type: 2, nsp: '/', id: 2, data: ['echo', Buffer.from([1, 2])] });
      assert.deepEqual([...(await read()).data[0]], [1, 2]);
      ws.destroy();
    } finally {
      await packed.stop();
    }
  });

  test('V310 acks both ways, with binary', async () => {
    const ws = await join();
    ws.sendText('42["ack"]');
    const [, id] = /^42(\d+)\["ack"\]$/.exec(await ws.text());
    ws.sendText(`43${id}[5,{"test":true}]`);
    await ws.text('42["got it"]');
    ws.destroy();
    const other = await join();
    other.sendText('451-7["echo",{"_placeholder":true,"num":0}]').send(OP.BINARY, [4, 1, 2, 3]);
    await other.text('461-7[{"_placeholder":true,"num":0}]');
    await other.binary([4, 1, 2, 3]);
    other.destroy();
  });

  test('V310 binary events over polling, as octets and as base64', async () => {
    for (const b64 of [undefined, 1]) {
      const session = await Polling3.open(server, { path: PATH, query: { b64 } });
      await session.receive('40');
      await session.send('42["doge"]');
      const bytes = b64 ? `b4${Buffer.from('asdfasdf').toString('base64')}` : Buffer.from('asdfasdf');
      await session.receive('451-["doge",{"_placeholder":true,"num":0}]', bytes);
      const head = '451-["jsonbuff",{"hello":"lol","message":{"_placeholder":true,"num":0},"goodbye":"gotcha"}]';
      if (b64) await session.send(head, 'b4AQID');
      else await session.sendOctets(head, Buffer.from([1, 2, 3]));
      await session.receive('42["jsonbuff-ack"]');
    }
  });

  test('V310 a header over polling, its attachment over the websocket', async () => {
    const session = await Polling3.open(server, { path: PATH });
    await session.receive('40');
    await session.send('451-["buffa",{"_placeholder":true,"num":0}]');
    const ws = await upgrade3(session);
    ws.send(OP.BINARY, [4, 9]);
    await ws.text('42["buffack"]');
    ws.destroy();
  });

  test('V310 leaving: 41 ends the socket, 41/foo, that one', async () => {
    const ws = await join();
    ws.sendText('40/foo');
    await ws.text('40/foo,');
    ws.sendText('41/foo,').sendText('420["echo",2]');
    await ws.text('430[2]');
    ws.sendText('41');
    await settle(server);
    ws.sendText('420["echo",2]');
    await ws.closed();
  });
});

describe('mixed rooms', () => {
  /** Clients of each kind; `next()` is what they are told by `room`. */
  async function everybody(target, room) {
    const clients = [];

    const ws3 = await join(target);
    ws3.sendText(`420["join","${room}"]`);
    await ws3.text('430[]');
    clients.push({
      name: 'v2 websocket',
      next: async () => ({ head: await ws3.text(), bytes: await ws3.binary() }),
      text: () => ws3.text(),
      check: ({ head, bytes }, wanted) => {
        assert.equal(head, '451-["room",{"_placeholder":true,"num":0},"é😀"]');
        assert.deepEqual([...bytes], [4, ...wanted]);
      },
      close: () => ws3.destroy(),
      emit: (text) => ws3.sendText(text),
    });

    const b64 = await join(target, { b64: 1 });
    b64.sendText(`420["join","${room}"]`);
    await b64.text('430[]');
    clients.push({
      name: 'v2 websocket, b64',
      next: async () => ({ head: await b64.text(), bytes: await b64.text() }),
      text: () => b64.text(),
      check: ({ bytes }, wanted) => assert.equal(bytes, `b4${Buffer.from(wanted).toString('base64')}`),
      close: () => b64.destroy(),
    });

    for (const query of [{}, { b64: 1 }]) {
      const polling = await Polling3.open(target, { path: PATH, query });
      await polling.receive('40');
      await polling.send(`420["join","${room}"]`);
      await polling.receive('430[]');
      const waiting = [];
      const take = async () => {
        while (waiting.length === 0) waiting.push(...polling.read(await polling.poll()));
        return waiting.shift();
      };
      clients.push({
        name: `v2 polling ${query.b64 ?? ''}`,
        next: async () => ({ head: await take(), bytes: await take() }),
        text: take,
        check: ({ head, bytes }, wanted) => {
          assert.equal(head, '451-["room",{"_placeholder":true,"num":0},"é😀"]');
          if (query.b64) assert.equal(bytes, `b4${Buffer.from(wanted).toString('base64')}`);
          else assert.deepEqual([...bytes], [...wanted]);
        },
        close: () => {},
      });
    }

    const ws4 = await WebSocketWire.session(target, { path: PATH });
    ws4.sendText('40');
    await ws4.text();
    ws4.sendText(`420["join","${room}"]`);
    await ws4.text('430[]');
    clients.push({
      name: 'v4 websocket',
      next: async () => ({ head: await ws4.text(), bytes: await ws4.binary() }),
      text: () => ws4.text(),
      check: ({ bytes }, wanted) => assert.deepEqual([...bytes], [...wanted]),
      close: () => ws4.destroy(),
    });

    const socket = io(target.url, { forceNew: true, reconnection: false });
    await socket.emitWithAck('join', room);
    const heard = [];
    let wake = () => {};
    socket.on('room', (...args) => { heard.push(args); wake(); });
    const shift = async () => {
      while (heard.length === 0) await new Promise((done) => { wake = done; });
      return heard.shift();
    };
    clients.push({
      name: 'v4 client',
      next: shift,
      text: async () => `42${JSON.stringify(['room', ...(await shift())])}`,
      check: ([bytes, text], wanted) => {
        assert.deepEqual([...bytes], [...wanted]);
        assert.equal(text, 'é😀');
      },
      close: () => socket.close(),
    });
    return clients;
  }

  for (const target of [rooms, threads]) {
    const skip = !target && oursOnly('has no threads');
    const kind = target === rooms ? 'default threads' : 'three threads';

    test(`V311 each gets a binary broadcast in its own encoding, ${kind}`, { skip }, async () => {
      const clients = await everybody(target, 'r');
      const sender = await join(target);
      for (const wanted of [[], [1], [4, 0, 255], Array(500).fill(7)]) {
        sender.sendText('451-["room","r",{"_placeholder":true,"num":0},"é😀"]').send(OP.BINARY, [4, ...wanted]);
        for (const client of clients) client.check(await client.next(), wanted);
      }
      for (const client of clients) client.close();
      sender.destroy();
    });

    test(`V311 bursts of text and binary, in order, ${kind}`, { skip }, async () => {
      const clients = await everybody(target, 's');
      const sender = await join(target);
      const bytes = Buffer.from([4, 1, 2, 3]);
      for (let i = 0; i < 20; i++) {
        sender.sendText(`42["room","s",${i}]`);
        sender.sendText('451-["room","s",{"_placeholder":true,"num":0},"é😀"]').send(OP.BINARY, bytes);
      }
      for (const client of clients) {
        for (let i = 0; i < 20; i++) {
          assert.equal(await client.text(), `42["room",${i}]`, client.name);
          client.check(await client.next(), [1, 2, 3]);
        }
        client.close();
      }
      sender.destroy();
    });
  }

  test('V311 a v4 client sends, v2 clients receive, and the other way round', async () => {
    const socket = io(rooms.url, { forceNew: true, reconnection: false });
    await socket.emitWithAck('join', 'both');
    const ws = await join(rooms);
    ws.sendText('420["join","both"]');
    await ws.text('430[]');
    socket.emit('room', 'both', { a: Buffer.from([7]) });
    await ws.text('451-["room",{"a":{"_placeholder":true,"num":0}}]');
    await ws.binary([4, 7]);
    const heard = new Promise((done) => socket.on('room', (x) => x === 'x' && done()));
    ws.sendText('42["room","both","x"]');
    await ws.text('42["room","x"]');
    await heard;
    socket.close();
    ws.destroy();
  });
});

test('V311 broadcasts over permessage-deflate have the type inside', { skip: oursOnly('is not set up here') }, async () => {
  const { default: WebSocket } = await import('ws');
  const deflating = await startServer('bench', { ...QUIET, eio3: true, deflate: true, 'deflate-threshold': 10 });
  try {
    const all = await Promise.all([3, 4].map(async (eio) => {
      const ws = new WebSocket(`ws://127.0.0.1:${deflating.port}/socket.io/?EIO=${eio}&transport=websocket`);
      const messages = [];
      let wake = () => {};
      ws.on('message', (data, binary) => { messages.push(binary ? data : data.toString()); wake(); });
      ws.next = async () => {
        while (messages.length === 0) await new Promise((done) => { wake = done; });
        return messages.shift();
      };
      await new Promise((done, fail) => ws.on('open', done).on('error', fail));
      assert.match(ws.extensions, /permessage-deflate/);
      await ws.next();
      if (eio === 4) ws.send('40');
      await ws.next();
      return ws;
    }));
    const bytes = Buffer.alloc(3000, 'abcd');
    all[0].send('451-["broadcast",{"_placeholder":true,"num":0}]');
    all[0].send(Buffer.concat([Buffer.from([4]), bytes]));
    for (const [i, ws] of all.entries()) {
      assert.equal(await ws.next(), '451-["broadcast",{"_placeholder":true,"num":0}]');
      assert.deepEqual(await ws.next(), i === 0 ? Buffer.concat([Buffer.from([4]), bytes]) : bytes);
      ws.close();
    }
  } finally {
    await deflating.stop();
  }
});
