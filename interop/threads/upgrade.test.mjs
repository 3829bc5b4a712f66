// Upgrades whose WebSocket comes in on another loop than the session's.

import assert from 'node:assert/strict';
import { assertNumbered, client, collect, connection, eventually, next } from '../support/client.mjs';
import { UNKNOWN_SID, encodeFrame, encodeRequest, upgradeHeaders } from '../support/raw.mjs';
import {
  OP, PATH, counted, foreignWire, loopOf, loops, pollOn, postOn, sessionOn, sum, webSocketOn, withThreads,
} from '../support/threads.mjs';

const CLIENTS = 40;
const EVENTS = 60; // of each kind, at least

/** A client that is talked to all the time while it upgrades: echoes in both
 *  directions, one by one, and events that another thread of the server emits. */
async function upgradeUnderWay(t, server) {
  const socket = client(t, server, '/');
  const echoes = collect(socket, 'echo');
  const far = collect(socket, 'far');
  const isUpgraded = () => socket.io.engine.transport.name === 'websocket';
  await connection(socket);
  socket.emit('far', 'emit', EVENTS);
  let n = 0;
  for (; n < EVENTS || !isUpgraded(); n++) {
    assert.ok(n < 200 * EVENTS, 'it upgrades');
    socket.emit('echo', n, n % 3 ? 'text' : Buffer.from([n & 255]));
    await echoes.reach(n + 1);
  }
  assertNumbered(echoes, n);
  for (const [i, what] of echoes) assert.deepEqual(what, i % 3 ? 'text' : Buffer.from([i & 255]));
  assertNumbered(await far.reach(EVENTS), EVENTS);
  return { socket, echoes, far, n };
}

withThreads('upgrades over several loops', {}, (on) => {
  on('official clients upgrade, and nothing is lost or doubled', async (t, server) => {
    const old = await loops(server);
    const all = await Promise.all(Array.from({ length: CLIENTS }, () => upgradeUnderWay(t, server)));
    const young = await eventually(() => loops(server), (list) => sum(list, 'upgrades') - sum(old, 'upgrades') === CLIENTS, 'upgrades');
    assert.ok(sum(young, 'handed_over') > sum(old, 'handed_over'));
    assert.equal(sum(young, 'sessions_websocket'), CLIENTS);
    for (const { socket, echoes, far, n } of all) {
      socket.emit('far', 'post');
      assert.deepEqual(await next(socket, 'posted'), ['websocket']);
      assertNumbered(echoes, n);
      assertNumbered(far, EVENTS);
    }
  });

  on('a WebSocket is handed over to its session', async (t, server) => {
    for (let i = 0; i < 4; i++) {
      const session = await sessionOn(t, server);
      const wire = await foreignWire(t, server, session.loop);
      const old = await counted(server, 'handed_over');
      const ws = await webSocketOn(server, wire, { sid: session.sid });
      assert.equal((await counted(server, 'handed_over')) - old, 1);
      ws.sendText('2probe');
      await ws.text('3probe');
      assert.equal(await pollOn(session, session.wire), '6');
      ws.sendText('5').sendText('42["echo",1]');
      await ws.text('42["echo",1]');
    }
  });

  on('frames that come in one piece with the request are not lost', async (t, server) => {
    const session = await sessionOn(t, server);
    const wire = await foreignWire(t, server, session.loop);
    session.wire.write(encodeRequest(server, { target: session.target() }));
    const ws = await webSocketOn(server, wire, { sid: session.sid }, encodeFrame(OP.TEXT, '2probe'));
    await ws.text('3probe');
    assert.equal((await session.wire.response()).text, '6');
    ws.wire.write(Buffer.concat([encodeFrame(OP.TEXT, '5'), encodeFrame(OP.TEXT, '42["echo",2]')]));
    await ws.text('42["echo",2]');
  });

  on('a request to upgrade behind pipelined others', async (t, server) => {
    const session = await sessionOn(t, server);
    const wire = await foreignWire(t, server, session.loop);
    wire.write(encodeRequest(server, { target: '/hello' }));
    wire.write(encodeRequest(server, { target: '/slow' }));
    wire.write(encodeRequest(server, {
      target: session.target({ transport: 'websocket' }), headers: upgradeHeaders(),
    }));
    assert.equal((await wire.response()).text, 'hello');
    assert.equal((await wire.response()).text, 'slow');
    assert.equal((await wire.response()).status, 101);
  });

  on('what waits for the session goes where it has gone', async (t, server) => {
    const session = await sessionOn(t, server);
    const wire = await foreignWire(t, server, session.loop);
    const ws = await webSocketOn(server, wire, { sid: session.sid });
    ws.sendText('2probe');
    await ws.text('3probe');
    assert.equal(await pollOn(session, session.wire), '6');
    await postOn(session, session.wire, '421["far","emit",50]');
    ws.sendText('5');
    for (let n = 0; n < 50; n++) await ws.text(`42["far",${n}]`);
    await ws.text('431["emit"]');
  });

  on('a handed-over probe that is given up leaves the session alone', async (t, server) => {
    const session = await sessionOn(t, server);
    for (let i = 0; i < 10; i++) {
      const wire = await foreignWire(t, server, session.loop);
      if (i % 2) {
        (await webSocketOn(server, wire, { sid: session.sid }, encodeFrame(OP.TEXT, '2probe'))).destroy();
      } else {
        wire.write(encodeRequest(server, { target: session.target({ transport: 'websocket' }), headers: upgradeHeaders() }));
        wire.abort();
      }
    }
    await postOn(session, session.wire, '42["echo",3]');
    const packets = (await pollOn(session, session.wire)).split('\x1e');
    assert.equal(packets.at(-1), '42["echo",3]');
  });

  on('no WebSocket for an id that nobody has, and the connection of a refused one ends', async (t, server) => {
    const wire = await foreignWire(t, server, -1);
    wire.write(encodeRequest(server, {
      target: `${PATH}?EIO=4&transport=websocket&sid=nobody`, headers: upgradeHeaders(),
    }));
    const response = await wire.response();
    assert.deepEqual([response.status, response.text], [UNKNOWN_SID[0], UNKNOWN_SID[2]]);
    await wire.endedSilently();
  });

  on('a WebSocket of its own stays on the loop that has it', async (t, server) => {
    const wire = await foreignWire(t, server, -1);
    const loop = await loopOf(server, wire);
    const old = await loops(server);
    const ws = await webSocketOn(server, wire);
    assert.match(await ws.text(), /^0\{/);
    const young = await loops(server);
    assert.deepEqual(young.map((l, i) => l.handshakes - old[i].handshakes), young.map((_, i) => (i === loop ? 1 : 0)));
    ws.destroy();
  });
});
