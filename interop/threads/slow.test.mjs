// Clients that do not read, among others that do.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connected, eventually, rawWebSocket } from '../support/client.mjs';
import { within } from '../support/raw.mjs';
import { OP, eachFrame, isSanitized, loops, sum, withThreads } from '../support/threads.mjs';

const SLOW = 20;
const RAW = 16; // healthy ones
const OFFICIAL = 4;
const COUNT = 10_000; // broadcasts ...
const PAD = 'x'.repeat(1000); // ... of about 1 KiB
const WINDOW = 24; // on their way at a time
const MAX_BACKLOG = 262_144;
const MAX_GROWTH = 64; // MiB
const LIMIT = 80_000; // ms, for a slow build on a slow machine

/** The memory of the server, in MiB. */
function memory(server) {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024;
}

/** A promise that is kept when `check` has been called for each number. */
function row(name) {
  let settle;
  let due = 0;
  const done = new Promise((good, bad) => (settle = { good, bad }));
  done.catch(() => {}); // it is awaited later
  const check = (n, isRight) => {
    if (n !== due || !isRight) settle.bad(new Error(`${name} gets ${n} where ${due} is due`));
    else if (++due === COUNT) settle.good();
  };
  return { done, check, get due() { return due; } };
}

/** `closed` is kept when the server says that this is the end. */
function rawRow(ws, name) {
  const one = row(name);
  one.closed = new Promise((done) => {
    eachFrame(ws, (opcode, payload) => {
      if (opcode === OP.CLOSE) {
        ws.send(OP.CLOSE, payload);
        done();
        return;
      }
      const text = `42["broadcast",${one.due},"${PAD}"]`;
      one.check(one.due, opcode === OP.TEXT && payload.equals(Buffer.from(text)));
    });
  });
  return one;
}

function officialRow(socket, name) {
  const one = row(name);
  socket.on('broadcast', (n, pad) => one.check(n, pad === PAD));
  return one;
}

/** Broadcasts so that no more are on their way to the sender than fit into the
 *  window; `each` is told now and then. */
async function broadcastAll(sender, each) {
  let [sent, came] = [0, 0];
  const all = new Promise((done) => {
    sender.on('broadcast', () => {
      came++;
      if (came % 200 === 0) each();
      if (came === COUNT) done();
      else if (sent < COUNT) sender.emit('broadcast', sent++, PAD);
    });
  });
  while (sent < WINDOW) sender.emit('broadcast', sent++, PAD);
  await within(all, LIMIT, 'the broadcasts').catch((err) => {
    throw new Error(`${err.message}; ${came} of ${sent} came`);
  });
}

// Those that are cut off are left their time to read why.
withThreads('clients that do not read', { 'max-backlog': MAX_BACKLOG, 'close-timeout': LIMIT }, (on) => {
  on('OP02 they are cut off, and nobody else notices', async (t, server) => {
    const slow = await Promise.all(Array.from({ length: SLOW }, () => rawWebSocket(t, server)));
    const raw = await Promise.all(Array.from({ length: RAW }, () => rawWebSocket(t, server)));
    const official = await Promise.all(Array.from({ length: OFFICIAL }, () => connected(t, server, '/', { transports: ['websocket'] })));
    const [sender] = official;
    slow.forEach((ws) => ws.wire.pause());
    const rows = [
      ...raw.map((ws, i) => rawRow(ws, `raw client ${i}`)),
      ...official.map((socket, i) => officialRow(socket, `client ${i}`)),
    ];
    const before = memory(server);
    let most = before;
    await broadcastAll(sender, () => (most = Math.max(most, memory(server))));
    await within(Promise.all(rows.map((one) => one.done)), LIMIT, 'all broadcasts to all');
    most = Math.max(most, memory(server));

    const young = await eventually(() => loops(server), (list) => sum(list, 'sessions') === RAW + OFFICIAL, 'the slow ones are gone');
    assert.equal(sum(young, 'backlog_closed'), SLOW);
    assert.equal(sum(young, 'disconnected_transport_error'), SLOW);
    assert.equal(sum(young, 'sockets'), RAW + OFFICIAL);
    await eventually(() => server.stderr().match(/send_failed/g)?.length, (n) => n === SLOW, 'each is logged');

    // They find what had left for them, in order, and then the end.
    const left = slow.map((ws, i) => rawRow(ws, `slow client ${i}`));
    for (const ws of slow) ws.wire.resume();
    await within(Promise.race([Promise.all(left.map((one) => one.closed)), ...left.map((one) => one.done)]), LIMIT, 'the end of the slow ones');
    for (const one of left) assert.ok(one.due > 0 && one.due < COUNT, `${one.due} broadcasts`);
    await Promise.all(slow.map((ws) => ws.wire.ended({ limit: LIMIT })));
    t.diagnostic(`memory: ${before.toFixed(1)} MiB, at most ${most.toFixed(1)}`);
    // Sanitizers keep what was freed for a while, and shadows of it.
    if (!isSanitized(server)) assert.ok(most - before < MAX_GROWTH, `from ${before} to ${most} MiB`);
  }, { timeout: 2 * LIMIT });
});
