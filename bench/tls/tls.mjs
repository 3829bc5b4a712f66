// What TLS costs the server: its CPU time for full and resumed handshakes and
// for echoes, beside the same without TLS, and its memory for idle sessions.
// The clients are Node's, in this process; only the server is measured.
//
//   TESTSERVER=build/interop/testserver node bench/tls/tls.mjs [--idle N]

import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseArgs } from 'node:util';
import { QUIET } from '../../interop/support/raw.mjs';
import { startServer } from '../../interop/support/server.mjs';
import { Authority, LOCAL, own } from '../../interop/support/tls.mjs';

const { values } = parseArgs({
  options: {
    idle: { type: 'string', default: '2000' },
    handshakes: { type: 'string', default: '2000' },
    echoes: { type: 'string', default: '200000' },
    only: { type: 'string', default: 'memory,handshakes,echo' },
  },
});
const TICK = Number(execFileSync('getconf', ['CLK_TCK']));
const authority = new Authority();
const keys = {
  ecdsa: authority.make('localhost', { names: LOCAL }),
  rsa: authority.make('rsa', { names: LOCAL, kind: 'rsa' }),
};

/** Seconds of CPU that the process has taken. */
function cpuOf(server) {
  const stat = readFileSync(`/proc/${server.pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICK;
}

/** KiB that are resident. */
const residentOf = (server) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))[1]);

const start = (tls) => startServer('bench', { ...QUIET, 'max-header-bytes': 16384, ...(tls && { tls: own(tls) }) });

function open(server, tls, options = {}) {
  return new Promise((done, fail) => {
    const socket = tls
      ? connectTls({ host: '127.0.0.1', port: server.port, servername: 'localhost', ca: authority.pem, ...options }, () => done(socket))
      : connectTcp({ host: '127.0.0.1', port: server.port, noDelay: true }, () => done(socket));
    socket.once('error', fail);
  });
}

const times = (n, run) => Promise.all(Array.from({ length: n }, (_, i) => run(i)));

/** `n` runs, `width` at a time. */
async function many(n, width, run) {
  let left = n;
  await times(width, async () => {
    while (left-- > 0) await run();
  });
}

/** A WebSocket with a session and the main namespace joined. */
async function session(server, tls) {
  const socket = await open(server, tls);
  let chunks = '';
  const joined = new Promise((done) => {
    const look = (data) => {
      chunks += data.toString('latin1');
      if (!chunks.includes('40{"sid"')) return;
      socket.off('data', look);
      done();
    };
    socket.on('data', look);
  });
  socket.write(
    `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
  );
  socket.write(frame('40'));
  await joined;
  return socket;
}

function frame(text) {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.of(0x81, 0x80 | payload.length, 0, 0, 0, 0), payload]);
}

async function memory() {
  const n = Number(values.idle);
  const row = {};
  for (const [name, tls] of Object.entries({ ws: null, 'wss ecdsa': keys.ecdsa, 'wss rsa': keys.rsa })) {
    const server = await start(tls);
    const warm = await times(50, () => session(server, tls));
    const before = residentOf(server);
    const sockets = [];
    await many(n, 20, async () => sockets.push(await session(server, tls)));
    await new Promise((done) => setTimeout(done, 1500));
    row[name] = ((residentOf(server) - before) * 1024) / n;
    for (const socket of [...warm, ...sockets]) socket.destroy();
    await server.stop();
  }
  console.log(`memory of an idle session, bytes (${n} of them)`);
  for (const [name, bytes] of Object.entries(row)) console.log(`  ${name.padEnd(10)} ${bytes.toFixed(0)}`);
}

async function handshakes() {
  const n = Number(values.handshakes);
  console.log(`handshakes in a second of the server's CPU (${n} of each)`);
  for (const [kind, tls] of Object.entries(keys)) {
    const server = await start(tls);
    const first = await open(server, tls, { maxVersion: 'TLSv1.2' });
    const ticket = first.getSession();
    first.end();
    for (const [name, options] of Object.entries({ full: {}, resumed: { session: ticket } })) {
      const before = cpuOf(server);
      await many(n, 8, async () => {
        const socket = await open(server, tls, { maxVersion: 'TLSv1.2', ...options });
        if (socket.isSessionReused() !== (name === 'resumed')) throw new Error('resumed, or not');
        socket.destroy();
      });
      console.log(`  ${kind.padEnd(6)} ${name.padEnd(8)} ${(n / (cpuOf(server) - before)).toFixed(0)}`);
    }
    await server.stop();
  }
}

/** Microseconds of the server's CPU for an echo, by `width` sessions which
 *  each have `depth` of them under way. */
async function echoCost(tls, width, depth, size) {
  const server = await start(tls);
  const sockets = await times(width, () => session(server, tls));
  const message = frame(`42["echo","${'x'.repeat(size)}"]`);
  const answer = message.length - 4;
  const each = Math.floor(Number(values.echoes) / width / depth) * depth;
  const before = cpuOf(server);
  await Promise.all(sockets.map((socket) => new Promise((done) => {
    let bytes = 0;
    let sent = 0;
    const burst = Buffer.concat(Array(depth).fill(message));
    const go = () => {
      sent += depth;
      socket.write(burst);
    };
    socket.on('data', (data) => {
      bytes += data.length;
      if (bytes < sent * answer) return;
      if (sent >= each) done();
      else go();
    });
    go();
  })));
  const cost = ((cpuOf(server) - before) * 1e6) / (each * width);
  for (const socket of sockets) socket.destroy();
  await server.stop();
  return cost;
}

async function echo() {
  console.log("the server's CPU for an echo, µs, and the ratio of echoes in a second");
  for (const [depth, size] of [[1, 20], [16, 20], [1, 100], [16, 100]]) {
    const plain = await echoCost(null, 32, depth, size);
    const secure = await echoCost(keys.ecdsa, 32, depth, size);
    console.log(`  ${size} bytes, ${depth} at once: ws ${plain.toFixed(2)}, wss ${secure.toFixed(2)}, wss/ws ${(plain / secure).toFixed(2)}`);
  }
}

const parts = { memory, handshakes, echo };
for (const name of values.only.split(',')) await parts[name]();
process.exit(0);
