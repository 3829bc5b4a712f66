// slowhttptest, of Debian: a thousand connections of each of its attacks, while
// official clients talk.  The server has to end all of them by its own limits,
// and the clients have to get everything, in order.
//
// How long their messages take is reported.  The one bound on that is that half
// of them take less than the server's own time limit: whoever was served only
// when slow connections had been given up would wait as long each time.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { stripVTControlCharacters } from 'node:util';
import { connected, counters, eventually, withServer } from '../support/client.mjs';
import { QUIET, now, within } from '../support/raw.mjs';
import { oursOnly } from '../support/server.mjs';

const COUNT = 1000;
const TIME = 2000; // ms, of the server's limits
const ATTACK = 60; // seconds; it ends when it has no connection left
const STEP = 5; // ms from one message to the next
const MAX_GROWTH = 300; // MiB; a slow reader costs 128 KiB here
const SMALL = 100_000;
const LATE = 'not answered in time';
const skip = oursOnly('has limits of minutes');

const folder = mkdtempSync(join(tmpdir(), 'slowhttptest-'));
after(() => rmSync(folder, { recursive: true }));
for (const [name, size] of [['small.bin', SMALL], ['large.bin', 20_000_000]]) {
  writeFileSync(join(folder, name), '');
  truncateSync(join(folder, name), size);
}
// What ASan keeps of freed memory would hide what the server keeps.
process.env.ASAN_OPTIONS = `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=8`;

/** Runs it to its end; what it says. */
async function attack(t, server, target, ...args) {
  const all = ['-c', COUNT, '-r', COUNT, '-l', ATTACK, '-i', 1, '-p', 3, '-u', server.url + target, ...args];
  const child = spawn('slowhttptest', all.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout.on('data', (text) => (said = (said + text).slice(-1000)));
  const ended = new Promise((done, fail) => child.on('error', fail).on('close', done));
  assert.equal(await within(ended, 2000 * ATTACK, 'slowhttptest'), 0, said);
  assert.match(stripVTControlCharacters(said), /Exit status: *No open connections left/);
}

/** A client that says something every few milliseconds, whatever has come back
 *  until then; `end` resolves to how long each took, in ms, sorted. */
async function talker(t, server, transports) {
  const socket = await connected(t, server, '/', { transports });
  const sent = [];
  const times = [];
  let stop = false;
  let lost = null;
  socket.on('disconnect', (reason) => (lost = reason));
  socket.on('echo', (n) => {
    assert.equal(n, times.length);
    times.push(now() - sent[n]);
  });
  const talk = async () => {
    while (!stop) {
      socket.emit('echo', sent.push(now()) - 1);
      await sleep(STEP);
    }
  };
  const talking = talk();
  return async () => {
    stop = true;
    await talking;
    await eventually(() => times.length, (n) => n === sent.length, 'what was said');
    assert.equal(lost, null);
    return times.sort((a, b) => a - b);
  };
}

const memory = (server) => Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))[1]) / 1024;
const descriptors = (server) => readdirSync(`/proc/${server.pid}/fd`).length;
const late = ({ errors }) => errors[LATE] ?? 0;

const options = {
  ...QUIET, 'header-timeout': TIME, 'body-timeout': TIME, 'keep-alive': TIME, 'connect-timeout': TIME, static: folder,
};

/** `run` makes the attack; then `check` gets what the server counted. */
function underAttack(on, name, run, check) {
  on(name, async (t, server) => {
    const before = await counters(server);
    const [files, used] = [descriptors(server), memory(server)];
    const ends = [await talker(t, server, ['websocket']), await talker(t, server, ['polling'])];
    await run(t, server);
    for (const [i, way] of ['WebSocket', 'polling'].entries()) {
      const times = await ends[i]();
      const part = (p) => times[Math.floor((times.length - 1) * p)];
      const text = [0.5, 0.99, 1].map((p) => part(p).toFixed(1)).join(', ');
      t.diagnostic(`${way}: ${times.length} messages; p50, p99, most: ${text} ms`);
      assert.ok(times.length > 100 && part(0.5) < TIME, text);
    }
    const grown = memory(server) - used;
    t.diagnostic(`memory: grown by ${grown.toFixed(1)} MiB`);
    assert.ok(grown < MAX_GROWTH, `grown by ${grown} MiB`);
    const young = await counters(server);
    const got = (of) => of(young) - of(before);
    assert.ok(got((c) => c.accepted) >= COUNT);
    check(got);
    assert.equal(got((c) => c.disconnected_transport_close + c.disconnected_transport_error), 0);
    // The two clients may have a connection or two each.
    await eventually(() => descriptors(server), (n) => n <= files + 4, 'descriptors');
  }, { skip });
}

withServer('slowhttptest', { options }, (on) => {
  underAttack(on, 'OP01 slow heads, by slowhttptest', (t, server) => attack(t, server, '/hello', '-H'), (got) => {
    assert.equal(got(late), COUNT);
  });

  underAttack(on, 'OP01 slow bodies, by slowhttptest', (t, server) => attack(t, server, '/echo', '-B'), (got) => {
    assert.equal(got(late), COUNT);
  });

  // So few bytes in a second do not count as reading.
  underAttack(on, 'OP01 slow readers, by slowhttptest', (t, server) => (
    attack(t, server, '/large.bin', '-X', '-n', 1, '-z', 512, '-w', 512, '-y', 1024)
  ), (got) => {
    assert.equal(got(late), COUNT);
  });

  // Of many ranges none is more than the file, which is sent once.
  underAttack(on, 'OP01 ranges without number, by slowhttptest', (t, server) => (
    attack(t, server, '/small.bin', '-R', '-t', 'GET')
  ), (got) => {
    assert.equal(got(late), 0);
    assert.ok(got((c) => c.http_requests) >= COUNT);
    assert.ok(got((c) => c.bytes_out) < 2 * COUNT * SMALL);
  });
});
