// What TLS costs the server: its CPU time for full and resumed handshakes and
// for echoes, beside the same without TLS, and its memory for idle sessions.
// The clients are Node's, in this process; only the server is measured.  Each
// figure is the median of several runs, with the least and the greatest.
//
//   TESTSERVER=build/interop/testserver node bench/tls/tls.mjs [--idle N]
//     [--reps N] [--only memory,handshakes,echo,ciphers]

import { randomBytes } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { parseArgs } from 'node:util';
import { startServer } from '../../interop/support/server.mjs';
import { Authority, LOCAL, own } from '../../interop/support/tls.mjs';

const { values } = parseArgs({
  options: {
    idle: { type: 'string', default: '1000' },
    handshakes: { type: 'string', default: '500' },
    echoes: { type: 'string', default: '20000' },
    reps: { type: 'string', default: '5' },
    only: { type: 'string', default: 'memory,handshakes,echo,ciphers' },
  },
});
const REPS = Number(values.reps);
const OLD = { maxVersion: 'TLSv1.2' };
const authority = new Authority();
const keys = {
  ecdsa: authority.make('localhost', { names: LOCAL }),
  rsa: authority.make('rsa', { names: LOCAL, kind: 'rsa' }),
};

/** Seconds of CPU that the process has taken. */
function cpuOf({ pid }) {
  let ns = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    ns += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
  }
  return ns / 1e9;
}

/** KiB that are resident. */
const residentOf = (server) =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))[1]);

// The clients answer no ping: none may come before all of them are there.
const PATIENT = { 'ping-interval': 3_600_000, 'ping-timeout': 60_000 };
const start = (tls) => startServer('bench', { ...PATIENT, 'max-header-bytes': 16384, ...(tls && { tls: own(tls) }) });

/** The median of runs, and the least and greatest. */
async function several(run) {
  const all = [];
  for (let i = 0; i < REPS; i++) all.push(await run());
  all.sort((a, b) => a - b);
  return { median: all[REPS >> 1], least: all[0], most: all[REPS - 1] };
}

const shown = ({ median, least, most }, digits = 0) =>
  `${median.toFixed(digits)} (${least.toFixed(digits)} to ${most.toFixed(digits)})`;

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
async function session(server, tls, options) {
  const socket = await open(server, tls, options);
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
  const { length } = payload;
  const head = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(0x81, ...head, 0, 0, 0, 0), payload]);
}

/** Bytes for each of `n` sessions, behind as many others: by then the heap has
 *  what handshakes under way need. */
async function bytesOfIdle(tls, n) {
  const server = await start(tls);
  const sockets = [];
  let closed = 0;
  const more = async () => {
    await many(n, 20, async () => {
      const socket = await session(server, tls);
      socket.on('close', () => closed++);
      sockets.push(socket);
    });
    await new Promise((done) => setTimeout(done, 1500));
    return residentOf(server);
  };
  const before = await more();
  const each = (((await more()) - before) * 1024) / n;
  if (closed) throw new Error(`${closed} sessions have ended`);
  for (const socket of sockets) socket.destroy();
  await server.stop();
  return each;
}

async function memory() {
  const n = Number(values.idle);
  console.log(`memory of an idle session, bytes (${n} of them)`);
  for (const [name, tls] of Object.entries({ ws: null, 'wss ecdsa': keys.ecdsa, 'wss rsa': keys.rsa })) {
    console.log(`  ${name.padEnd(10)} ${shown(await several(() => bytesOfIdle(tls, n)))}`);
  }
}

async function handshakes() {
  const n = Number(values.handshakes);
  console.log(`handshakes in a second of the server's CPU (${n} of each)`);
  for (const [kind, tls] of Object.entries(keys)) {
    const server = await start(tls);
    const first = await open(server, tls, OLD);
    const cases = {
      full: {},
      'full, P-256': { ecdhCurve: 'prime256v1' },
      resumed: { session: first.getSession() },
    };
    first.end();
    for (const [name, options] of Object.entries(cases)) {
      const rate = await several(async () => {
        const before = cpuOf(server);
        await many(n, 8, async () => {
          const socket = await open(server, tls, { ...OLD, ...options });
          if (socket.isSessionReused() !== (name === 'resumed')) throw new Error('resumed, or not');
          socket.destroy();
        });
        return n / (cpuOf(server) - before);
      });
      console.log(`  ${kind.padEnd(6)} ${name.padEnd(14)} ${shown(rate)}`);
    }
    await server.stop();
  }
}

/** Sessions that each have `depth` echoes under way, by turns. */
class Echoes {
  static async start(tls, width, depth, size, options) {
    const self = new Echoes();
    self.server = await start(tls);
    self.sockets = await times(width, () => session(self.server, tls, options));
    self.message = frame(`42["echo","${'x'.repeat(size)}"]`);
    self.depth = depth;
    await self.cost(); // its caches, and ours
    return self;
  }

  /** Microseconds of the server's CPU for one. */
  async cost() {
    const { server, sockets, message, depth } = this;
    const answer = message.length - 4;
    const count = Number(values.echoes) / (1 + message.length / 1000);
    const each = Math.ceil(count / sockets.length / depth) * depth;
    const burst = Buffer.concat(Array(depth).fill(message));
    const before = cpuOf(server);
    await Promise.all(sockets.map((socket) => new Promise((done) => {
      let bytes = 0;
      let sent = 0;
      const go = () => {
        sent += depth;
        socket.write(burst);
      };
      const hear = (data) => {
        bytes += data.length;
        if (bytes < sent * answer) return;
        if (sent < each) {
          go();
          return;
        }
        socket.off('data', hear);
        done();
      };
      socket.on('data', hear);
      go();
    })));
    return ((cpuOf(server) - before) * 1e6) / (each * sockets.length);
  }

  async stop() {
    for (const socket of this.sockets) socket.destroy();
    await this.server.stop();
  }
}

async function echo() {
  console.log("the server's CPU for an echo, µs, and the ratio of echoes in a second");
  for (const [depth, size] of [[1, 20], [16, 20], [1, 100], [16, 100], [1, 1000], [1, 16_000]]) {
    const plain = await Echoes.start(null, 32, depth, size);
    const secure = await Echoes.start(keys.ecdsa, 32, depth, size);
    const ws = [];
    const wss = [];
    const ratio = await several(async () => { // side by side, as the machine changes
      ws.push(await plain.cost());
      wss.push(await secure.cost());
      return ws.at(-1) / wss.at(-1);
    });
    const middle = (list) => list.sort((a, b) => a - b)[REPS >> 1].toFixed(2);
    console.log(`  ${size} bytes, ${depth} at once: ws ${middle(ws)}, wss ${middle(wss)}, wss/ws ${shown(ratio, 2)}`);
    await plain.stop();
    await secure.stop();
  }
}

/** What a cipher costs beside the first, by the size of messages. */
async function ciphers() {
  const names = ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305'];
  console.log(`the server's CPU for an echo, µs; the others as ratios to ${names[0]}`);
  for (const size of [20, 100, 400, 1000, 4000, 16_000]) {
    const all = await Promise.all(names.map((name) => Echoes.start(keys.ecdsa, 8, 1, size, { ...OLD, ciphers: `ECDHE-ECDSA-${name}` })));
    const first = [];
    const others = names.slice(1).map(() => []);
    for (let i = 0; i < REPS; i++) {
      first.push(await all[0].cost());
      for (const [j, list] of others.entries()) list.push((await all[j + 1].cost()) / first[i]);
    }
    const columns = await Promise.all([first, ...others].map((list) => several(async () => list.shift())));
    console.log(`  ${String(size).padStart(6)} bytes: ${columns.map((column) => shown(column, 2)).join(', ')}`);
    await Promise.all(all.map((one) => one.stop()));
  }
}

const parts = { memory, handshakes, echo, ciphers };
for (const name of values.only.split(',')) await parts[name]();
process.exit(0);
