// Idle clients of Engine.IO 3, which send the pings themselves: they stay for
// as long as they do, and no longer.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ask, next } from '../support/client.mjs';
import { within } from '../support/raw.mjs';
import { oursOnly, startServer } from '../support/server.mjs';
import { OLD, WAYS, opened, settled, transportOf } from './clients.mjs';

const INTERVAL = 400; // ms
const TIMEOUT = 800;
const IDLE = 2 * (INTERVAL + TIMEOUT) + 200;
const LIMIT = { timeout: 30_000 };

/** Idles; fails when the client is disconnected, or gets other than the pongs
 *  to its own pings. */
async function idle(socket) {
  const { engine } = socket.io;
  const got = [];
  const end = new Promise((_, fail) => socket.once('disconnect', (why) => fail(new Error(`disconnected: ${why}`))));
  end.catch(() => {}); // when the test ends it
  const take = ({ type }) => got.push(type);
  engine.on('packet', take);
  await Promise.race([end, new Promise((done) => setTimeout(done, IDLE))]);
  engine.off('packet', take);
  assert.ok(got.length >= 3, `${got.length} packets`);
  assert.deepEqual(got.filter((type) => type !== 'pong'), []);
}

/** The client does not ping any more, nor does it miss the pongs. */
function fallSilent(socket) {
  const { engine } = socket.io;
  clearTimeout(engine.pingIntervalTimer);
  clearTimeout(engine.pingTimeoutTimer);
  engine.ping = () => {};
  engine.setPing = () => {};
  engine.onHeartbeat = () => {};
  engine.off('heartbeat');
}

describe('idle clients of Engine.IO 3', { concurrency: 100 }, () => {
  let server;
  before(async () => {
    server = await startServer('rows', { 'ping-interval': INTERVAL, 'ping-timeout': TIMEOUT, eio3: true });
  });
  after(async () => server?.stop());

  for (const version of OLD) {
    for (const [way, transports] of Object.entries(WAYS)) {
      const name = `V305 ${version} stays for longer than interval and timeout (${way})`;
      test(way === 'upgrade' ? `V312 ${name}` : name, LIMIT, async (t) => {
        const socket = await opened(t, version, server.url, '/', { transports });
        await settled(socket, way);
        await idle(socket);
        assert.deepEqual(await ask(socket, 'echo', 'there'), ['there']);
      });
    }

    test(`V305 V312 ${version} stays before and after an upgrade`, LIMIT, async (t) => {
      const socket = await opened(t, version, server.url, '/', { transports: WAYS.polling });
      const { id } = socket;
      await idle(socket);
      socket.io.engine.probe('websocket');
      await within(next(socket.io.engine, 'upgrade'), 10_000, 'the upgrade');
      assert.equal(transportOf(socket), 'websocket');
      await idle(socket);
      assert.deepEqual(await ask(socket, 'echo', 'there'), ['there']);
      assert.equal(socket.id, id);
    });
  }

  for (const [way, transports] of Object.entries(WAYS)) {
    const skip = way === 'upgrade' && oursOnly('it forgets the timer in the upgrade');
    test(`V305 one that does not ping is closed after interval and timeout (${way})`, { ...LIMIT, skip }, async (t) => {
      const socket = await opened(t, '2.5.0', server.url, '/', { transports });
      await settled(socket, way);
      const { id } = socket;
      fallSilent(socket);
      const begun = performance.now();
      const beat = setInterval(() => socket.emit('message', 'is no ping'), 100);
      const [[why]] = await Promise.all([next(socket, 'disconnect')]).finally(() => clearInterval(beat));
      const took = performance.now() - begun;
      assert.match(why, /^transport (close|error)$/);
      assert.ok(took > TIMEOUT - 50 && took < INTERVAL + TIMEOUT + 1500, `${took} ms`);
      const log = await (await fetch(`${server.url}/log?${new URLSearchParams({ key: id, wait: 'disconnect' })}`)).json();
      assert.equal(log.find(({ what }) => what === 'disconnect').reason, 'ping timeout');
    });
  }
});
