// Ten thousand clients in rooms, on all loops: each gets what it is to get, and
// nothing is left when they have gone.  How long that takes is reported.
//
//   MANY_CLIENTS   how many, default 10000, as far as descriptors go

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { WebSocketWire, now } from '../support/raw.mjs';
import { eventually, getJson } from '../support/client.mjs';
import { PATH, counted, population, withThreads } from '../support/threads.mjs';

const FILES = Number(/^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))[1]);
const CLIENTS = Math.min(Number(process.env.MANY_CLIENTS ?? 10_000), Math.floor(FILES * 0.8));
const ROOMS = 100;
const AT_ONCE = 250;
const LIMIT = 120_000; // ms

/** One client, in a room. */
class Client {
  static async open(server, room) {
    const client = new Client();
    client.ws = await WebSocketWire.session(server, { path: PATH });
    client.ws.sendText('40');
    assert.match(await client.ws.text(), /^40\{/);
    client.ws.sendText(`420["join","${room}"]`);
    await client.ws.text('430[]');
    return client;
  }

  /** Resolves with the time at which `text` has come. */
  async hears(text) {
    await this.ws.text(text, { limit: LIMIT });
    return now();
  }
}

/** Does it for all, not too many at a time. */
async function each(count, run) {
  let next = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < count) await run(next++);
  }));
}

function spread(times) {
  times.sort((a, b) => a - b);
  const part = (p) => times[Math.floor((times.length - 1) * p)].toFixed(0);
  return `first ${part(0)} ms, p50 ${part(0.5)} ms, p99 ${part(0.99)} ms, last ${part(1)} ms`;
}

// No ping comes before all have.
const TIMES = { 'ping-interval': 10 * LIMIT, 'connect-timeout': LIMIT };

withThreads('many clients', { threads: 2, ...TIMES }, (on) => {
  on(`OP03 ${CLIENTS} clients in ${ROOMS} rooms`, async (t, server) => {
    const clients = [];
    const start = now();
    await each(CLIENTS, async (i) => {
      clients[i] = await Client.open(server, `r${i % ROOMS}`);
    });
    t.diagnostic(`${CLIENTS} clients have come in ${(now() - start).toFixed(0)} ms`);
    await population(server, CLIENTS);
    assert.equal(await counted(server, 'sockets'), CLIENTS);

    for (const [label, say, members, hears] of [
      ['to all', '42["broadcast",1]', clients, '42["broadcast",1]'],
      ['to a room', '42["room","r7",2]', clients.filter((_, i) => i % ROOMS === 7), '42["room",2]'],
    ]) {
      const from = now();
      const heard = members.map((client) => client.hears(hears));
      clients[7].ws.sendText(say);
      const times = (await Promise.all(heard)).map((at) => at - from);
      t.diagnostic(`${label}, ${members.length}: ${spread(times)}`);
    }
    // Nobody else has got what was for the room.
    clients[8].ws.sendText('421["ack","x"]');
    await clients[8].ws.text('431["x"]');

    for (const { ws } of clients) ws.destroy();
    await eventually(() => counted(server, 'connections'), (n) => n <= 2, 'connections');
    await eventually(() => getJson(server, '/rooms'), (n) => n === 0, 'rooms');
  }, { timeout: 300_000 });
});
