// Socket.IO packets to the letter (profile sio5).

import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { OP, Polling, QUIET, RS, WebSocketWire, now, request, settle } from '../support/raw.mjs';
import { startServer } from '../support/server.mjs';

const PATH = { path: '/socket.io/' };
const server = await startServer('sio5', QUIET);
after(server.stop);

const SID = '[A-Za-z0-9_-]{20}';
const sidOf = (packet) => JSON.parse(packet.slice(packet.indexOf('{'))).sid;

/** A websocket that is connected to `/`, its greeting taken. */
async function connected(own = server) {
  const ws = await WebSocketWire.session(own, PATH);
  ws.sendText('40');
  assert.match(await ws.text(), new RegExp(`^40\\{"sid":"${SID}"\\}$`));
  await ws.text('42["auth",{}]');
  return ws;
}

const on = (name, run) =>
  test(name, async () => {
    const ws = await connected();
    try {
      await run(ws);
    } finally {
      ws.destroy();
    }
  });

async function echoes(ws) {
  ws.sendText('42["message","still here"]');
  await ws.text('42["message-back","still here"]');
}

describe('connecting', () => {
  test('CN01 the answer holds the sid alone, which is not the one of the engine', async () => {
    const ws = await WebSocketWire.session(server, PATH);
    ws.sendText('40');
    const packet = await ws.text();
    assert.match(packet, new RegExp(`^40\\{"sid":"${SID}"\\}$`));
    assert.notEqual(sidOf(packet), ws.sid);
    ws.destroy();
  });

  test('CN01 over polling', async () => {
    const session = await Polling.open(server, PATH);
    await session.postOk('40');
    const [connect, greeting] = await session.packets(2);
    assert.match(connect, new RegExp(`^40\\{"sid":"${SID}"\\}$`));
    assert.equal(greeting, '42["auth",{}]');
  });

  test('CN02 the payload is handed on', async () => {
    const ws = await WebSocketWire.session(server, PATH);
    ws.sendText('40{"token":"123","n":{"a":[1,null,"\u00e9"]}}');
    await ws.text();
    await ws.text('42["auth",{"token":"123","n":{"a":[1,null,"\u00e9"]}}]');
    ws.destroy();
  });

  test('CN03 a namespace of its own', async () => {
    const ws = await connected();
    ws.sendText('40/custom,{"token":"abc"}');
    assert.match(await ws.text(), new RegExp(`^40/custom,\\{"sid":"${SID}"\\}$`));
    await ws.text('42/custom,["auth",{"token":"abc"}]');
    await echoes(ws);
    ws.destroy();
  });

  test('CN03 without the comma, and without the main namespace', async () => {
    const ws = await WebSocketWire.session(server, PATH);
    ws.sendText('40/custom');
    const packet = await ws.text();
    assert.match(packet, new RegExp(`^40/custom,\\{"sid":"${SID}"\\}$`));
    await ws.text('42/custom,["auth",{}]');
    ws.destroy();
  });

  test('CN03 each namespace has its own sid', async () => {
    const ws = await WebSocketWire.session(server, PATH);
    ws.sendText('40').sendText('40/custom,');
    const texts = [await ws.text(), await ws.text(), await ws.text(), await ws.text()];
    const sids = texts.filter((text) => text.startsWith('40')).map(sidOf);
    assert.equal(new Set([...sids, ws.sid]).size, 3);
    ws.destroy();
  });

  for (const name of ['/random', '/CUSTOM', '/custom/']) {
    test(`CN04 ${name} is unknown, the connection stays`, async () => {
      const ws = await WebSocketWire.session(server, PATH);
      for (const tail of ['', ',', ',{"a":1}']) {
        ws.sendText(`40${name}${tail}`);
        await ws.text(`44${name},{"message":"Invalid namespace"}`);
      }
      ws.sendText('40');
      assert.match(await ws.text(), /^40\{/);
      ws.destroy();
    });
  }

  for (const packet of ['abc', '0[]', '0""', '0null', '0{', '0{}x', '0/custom,[]', '0/custom,null']) {
    test(`CN05 4${packet} closes the connection`, async () => {
      const ws = await WebSocketWire.session(server, PATH);
      ws.sendText('4' + packet);
      await ws.gone();
    });
  }

  test('CN05 over polling: 6 and 1', async () => {
    const session = await Polling.open(server, PATH);
    await session.postOk('4abc');
    assert.equal((await session.packets(2)).join(), '6,1');
    await session.assertGone();
  });

  test('CN06 no CONNECT within the timeout: closed', async (t) => {
    const own = await startServer('sio5', { ...QUIET, 'connect-timeout': 300 });
    t.after(own.stop);
    const start = now();
    const silent = await WebSocketWire.session(own, PATH);
    const refused = await WebSocketWire.session(own, PATH);
    refused.sendText('40/random');
    await refused.text('44/random,{"message":"Invalid namespace"}');
    const session = await Polling.open(own, PATH);
    const wire = await session.hold();
    await silent.closed(undefined);
    await refused.closed(undefined);
    assert.equal((await wire.response()).text, '1');
    assert.ok(now() - start >= 298);
    await session.assertGone();
    wire.destroy();
  });

  test('CN06 with the values of the profile, silence ends at 500 ms', async (t) => {
    const own = await startServer('sio5');
    t.after(own.stop);
    const start = now();
    const ws = await WebSocketWire.session(own, PATH);
    await ws.text('2');
    await ws.gone();
    assert.ok(now() - start >= 498);
  });

  test('CN06 with the values of the profile, pongs alone end at 1000 ms', async (t) => {
    const own = await startServer('sio5', { 'ping-timeout': 20_000 });
    t.after(own.stop);
    const start = now();
    const ws = await WebSocketWire.session(own, PATH);
    for (;;) {
      const { opcode, payload } = await ws.frame();
      if (opcode === OP.CLOSE) break;
      assert.equal(String(payload), '2');
      ws.sendText('3');
    }
    assert.ok(now() - start >= 998);
    ws.destroy();
  });

  test('CN06 who has connected stays', async (t) => {
    const own = await startServer('sio5', { ...QUIET, 'connect-timeout': 2000 });
    t.after(own.stop);
    const ws = await connected(own);
    const left = await connected(own);
    left.sendText('41');
    await new Promise((done) => setTimeout(done, 2500));
    await echoes(ws);
    left.send(OP.PING, 'there?');
    await left.pong('there?');
    ws.destroy();
    left.destroy();
  });

  on('CN07 a second CONNECT closes the connection', async (ws) => {
    ws.sendText('40');
    await ws.gone();
  });

  for (const packet of ['42["message"]', '42/custom,["message"]', '430[]', '41', '44{}', '44']) {
    test(`CN07 ${packet} before CONNECT closes the connection`, async () => {
      const ws = await WebSocketWire.session(server, PATH);
      ws.sendText(packet);
      await ws.gone();
    });
  }

  for (const packet of ['42/custom,["x"]', '41/custom,', '43/custom,1[]', '42/unknown,["x"]', '44{"message":"x"}', '44']) {
    on(`CN07 ${packet} while only / is connected closes the connection`, async (ws) => {
      ws.sendText(packet);
      await ws.gone();
    });
  }

  on('CN09 after leaving one may come again, with another sid', async (ws) => {
    const sids = new Set();
    for (let i = 0; i < 3; i++) {
      ws.sendText('41').send(OP.PING, 'left');
      await ws.pong('left');
      ws.sendText('40');
      sids.add(sidOf(await ws.text()));
      await ws.text('42["auth",{}]');
    }
    assert.equal(sids.size, 3);
    await echoes(ws);
  });
});

describe('disconnecting', () => {
  test('DC01 after 41 nothing comes before the next ping, and the connection stays', async (t) => {
    const own = await startServer('sio5', { 'ping-interval': 400, 'ping-timeout': 20_000 });
    t.after(own.stop);
    const ws = await connected(own);
    ws.sendText('41');
    await ws.text('2');
    ws.sendText('3');
    await ws.text('2');
    ws.destroy();
  });

  on('DC01 after 41/custom the main namespace goes on', async (ws) => {
    ws.sendText('40/custom');
    await ws.text();
    await ws.text('42/custom,["auth",{}]');
    ws.sendText('41/custom');
    await echoes(ws);
  });

  on('DC01 after 41 the other namespace goes on; an event for the first closes', async (ws) => {
    ws.sendText('40/custom');
    await ws.text();
    await ws.text('42/custom,["auth",{}]');
    ws.sendText('41').sendText('42/custom,["nothing"]');
    ws.send(OP.PING, 'x');
    await ws.pong('x');
    ws.sendText('42["message"]');
    await ws.gone();
  });

  on('DC01 41 with a payload closes the connection', async (ws) => {
    ws.sendText('41{}');
    await ws.gone();
  });
});

describe('events and acks', () => {
  const ECHOED = [
    '1,"2",{"3":[true]}',
    '',
    'null,true,false,0,-1,1.5,1e21,"",[],{}',
    '{"z":1,"a":{"y":2,"b":3}}',
    '"\\u0000\\"\\\\\\n/","é€😀"',
    '[[[[["deep"]]]]]',
  ];

  for (const args of ECHOED) {
    on(`EV01 ${args || '(no argument)'} comes back as it went`, async (ws) => {
      const tail = args && ',' + args;
      ws.sendText(`42["message"${tail}]`);
      const text = await ws.text();
      assert.deepEqual(JSON.parse(text.slice(2)), JSON.parse(`["message-back"${tail}]`));
      assert.ok(text.startsWith('42["message-back"'));
      if (args.startsWith('{')) assert.equal(text, `42["message-back",${args}]`);
    });
  }

  on('EV01 42["message",1,"2",{"3":[true]}], to the letter', async (ws) => {
    ws.sendText('42["message",1,"2",{"3":[true]}]');
    await ws.text('42["message-back",1,"2",{"3":[true]}]');
  });

  on('EV01 a large argument', async (ws) => {
    const text = 'x'.repeat(900_000);
    ws.sendText(`42["message","${text}"]`);
    await ws.text(`42["message-back","${text}"]`);
  });

  on('EV03 two attachments', async (ws) => {
    ws.sendText('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    ws.send(OP.BINARY, [1, 2, 3]).send(OP.BINARY, [4, 5, 6]);
    await ws.text('452-["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    await ws.binary([1, 2, 3]);
    await ws.binary([4, 5, 6]);
  });

  on('EV03 deep in an object, and empty', async (ws) => {
    const tail = ',{"a":[{"_placeholder":true,"num":0},"b"],"c":{"d":{"_placeholder":true,"num":1}}},"e"]';
    ws.sendText('452-["message"' + tail);
    ws.send(OP.BINARY, '').send(OP.BINARY, [255]);
    await ws.text('452-["message-back"' + tail);
    await ws.binary([]);
    await ws.binary([255]);
  });

  on('EV03 heartbeats between attachments', async (ws) => {
    ws.sendText('451-["message",{"_placeholder":true,"num":0}]');
    ws.sendText('3');
    ws.send(OP.PING, 'x');
    await ws.pong('x');
    ws.send(OP.BINARY, [7]);
    await ws.text('451-["message-back",{"_placeholder":true,"num":0}]');
    await ws.binary([7]);
  });

  test('EV03 over polling, in one payload', async () => {
    const session = await Polling.open(server, PATH);
    await session.postOk('40');
    await session.packets(2);
    const data = '["message-back",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]';
    await session.postOk(`452-${data.replace('-back', '')}${RS}bAQID${RS}bBAUG`);
    assert.deepEqual(await session.packets(3), [`452-${data}`, 'bAQID', 'bBAUG']);
  });

  on('EV04 ten attachments are fine, eleven are not', async (ws) => {
    const list = (n) => Array.from({ length: n }, (_, num) => JSON.stringify({ _placeholder: true, num })).join();
    ws.sendText(`4510-["message",${list(10)}]`);
    for (let i = 0; i < 10; i++) ws.send(OP.BINARY, [i]);
    await ws.text(`4510-["message-back",${list(10)}]`);
    for (let i = 0; i < 10; i++) await ws.binary([i]);
    ws.sendText(`4511-["message",${list(11)}]`);
    await ws.gone();
  });

  on('EV05 an ack, to the letter', async (ws) => {
    ws.sendText('42456["message-with-ack",1,"2",{"3":[false]}]');
    await ws.text('43456[1,"2",{"3":[false]}]');
    ws.sendText('420["message-with-ack"]');
    await ws.text('430[]');
  });

  on('EV06 an ack with attachments', async (ws) => {
    ws.sendText('452-789["message-with-ack",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    ws.send(OP.BINARY, [1, 2, 3]).send(OP.BINARY, [4, 5, 6]);
    await ws.text('462-789[{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    await ws.binary([1, 2, 3]);
    await ws.binary([4, 5, 6]);
  });

  on('EV10 acks that nobody waits for are passed over', async (ws) => {
    ws.sendText('430[]').sendText('4312345[1,2]').sendText('439007199254740991[]');
    await echoes(ws);
  });

  on('EV13 events keep their order', async (ws) => {
    for (let i = 0; i < 300; i++) ws.sendText(`42["message",${i}]`);
    for (let i = 0; i < 300; i++) await ws.text(`42["message-back",${i}]`);
  });

  for (const name of ['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener']) {
    on(`EV14 the event name ${name} closes the connection`, async (ws) => {
      ws.sendText(`42["${name}"]`);
      await ws.gone();
    });
  }

  for (const packet of ['42["connection"]', '42["new_namespace"]', '42["unknown",1]', '42["__proto__"]', '42["constructor"]']) {
    on(`EV14 ${packet} is an event like others`, async (ws) => {
      ws.sendText(packet);
      await echoes(ws);
    });
  }

  on('EV15 42["error"] does no harm', async (ws) => {
    ws.sendText('42["error","x"]').sendText('42["error"]');
    await echoes(ws);
  });

  on('EV16 a number as a name, and no payload at all', async (ws) => {
    ws.sendText('42[5]').sendText('42').sendText('42[5,"x"]');
    await echoes(ws);
  });

  const MALFORMED = [
    '4', '47', '49', '4x', '4 2["message"]', '42{}', '42abc["x"]', '42"x"', '42null', '42[]', '42[null]', '42[{}]',
    '42[["x"]]', '42[true]', '42["message"', '42["message"]x', '42["message",]', "42['message']", '42[\u00a0"message"]',
    '42["message",01]', '42["message","\t"]', '421', '43', '43[]', '431{}', '431', '46', '45', '45["message"]',
    '45-["message"]', '450-["message"]', '45x-["message"]', '45-1-["message"]', '451.5-["message"]', '451["message"]',
    '451-["message",{"_placeholder":true,"num":1}]', '451-["message",{"_placeholder":true,"num":-1}]',
    '451-["message",{"_placeholder":true,"num":"0"}]', '451-["message",{"_placeholder":true}]', '42/custom["message"]',
  ];
  // Of these the connection may as well stay, if nothing is called for them.
  const ACCEPTED = ['421', '43', '43[]', '431'];

  for (const packet of MALFORMED.filter((text) => !ACCEPTED.includes(text))) {
    on(`EV17 ${JSON.stringify(packet)} closes the connection`, async (ws) => {
      ws.sendText(packet);
      ws.send(OP.BINARY, [1]); // for those that wait for an attachment
      await ws.gone();
    });
  }

  for (const packet of ACCEPTED) {
    on(`EV17 ${JSON.stringify(packet)} does no harm`, async (ws) => {
      ws.sendText(packet);
      ws.send(OP.CLOSE, '');
      await ws.gone();
    });
  }

  on('EV17 binary without a header closes the connection', async (ws) => {
    ws.send(OP.BINARY, [1]);
    await ws.gone();
  });

  on('EV17 text in place of an attachment closes the connection', async (ws) => {
    ws.sendText('451-["message",{"_placeholder":true,"num":0}]').sendText('42["message"]');
    await ws.gone();
  });

  on('EV17 other clients are not touched', async (ws) => {
    const bad = await connected();
    bad.sendText('42{}');
    await bad.gone();
    await echoes(ws);
  });

  on('EV17 an attachment may be used twice, or not at all', async (ws) => {
    const tail = ',{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]';
    ws.sendText('451-["message"' + tail).send(OP.BINARY, [9]);
    const text = await ws.text();
    const count = Number(/^45(\d+)-\["message-back"/.exec(text)[1]);
    for (let i = 0; i < count; i++) await ws.binary([9]);
    ws.sendText('451-["message"]').send(OP.BINARY, [9]);
    const unused = await ws.text();
    assert.match(unused, /^4(2|51-)\["message-back"\]$/);
    if (unused[1] === '5') await ws.binary([9]);
    await echoes(ws);
  });

  test('EV17 a peer that leaves between attachments', async () => {
    const ws = await connected();
    ws.sendText('452-["message",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]');
    ws.send(OP.BINARY, [1]);
    await settle(server);
    ws.wire.abort();
    await settle(server);
    assert.equal((await request(server, { target: '/hello' })).text, 'hello');
  });
});
