// What others do to the server meanwhile: half handshakes, connections that
// are cut at any byte; and certificates that are of no use.

import assert from 'node:assert/strict';
import { createServer, connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { QUIET, within } from '../support/raw.mjs';
import { Authority, LOCAL, ask, connected, get, own, serverFor } from '../support/tls.mjs';

const authority = new Authority();
const local = authority.make('localhost', { names: LOCAL });
const next = authority.make('next', { names: LOCAL });

const start = (t, options = {}) => serverFor(t, 'sio-client', { ...QUIET, tls: own(local), ...options });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const times = (n, run) => Promise.all(Array.from({ length: n }, (_, i) => run(i)));

/** The bytes that a client begins with. */
async function clientHello(t) {
  let socket;
  const hello = await within(
    new Promise((done) => {
      const trap = createServer((peer) => peer.once('data', done).on('error', () => {}));
      t.after(() => trap.close());
      trap.listen(0, '127.0.0.1', () => {
        socket = connectTls({ port: trap.address().port, host: '127.0.0.1', servername: 'localhost' });
        socket.on('error', () => {});
      });
    }),
    10_000, 'a hello',
  );
  socket.destroy();
  return hello;
}

/** Nothing, a part, or all of the first flight: then silence. */
function halfHandshake(server, first, counts) {
  return new Promise((done, fail) => {
    const peer = connectTcp(server.port, '127.0.0.1', () => {
      peer.write(first);
      done(peer);
    });
    peer.on('error', fail);
    peer.once('data', () => counts.answered++);
    peer.on('close', () => counts.ended++);
  });
}

test('RT11 a thousand half handshakes beside a client that is well', { timeout: 120_000 }, async (t) => {
  const server = await start(t, { 'tls-handshake-timeout': 8000 });
  const socket = await connected(t, server, authority, { transports: ['websocket'] });
  const hello = await clientHello(t);
  const counts = { answered: 0, ended: 0 };
  const crowd = times(1000, (i) => halfHandshake(server, [hello.subarray(0, 0), hello.subarray(0, 100), hello][i % 3], counts));
  t.after(async () => (await crowd).forEach((peer) => peer.destroy()));
  // How many handshakes were served while an answer came: not how long it
  // took, as that is up to the machine.
  const meanwhile = [];
  while (counts.answered < 333 && counts.ended === 0) {
    const before = counts.answered;
    assert.equal(await ask(socket, 'echo', before), before);
    meanwhile.push(counts.answered - before);
  }
  meanwhile.sort((x, y) => x - y);
  const middle = meanwhile[meanwhile.length >> 1];
  t.diagnostic(`${meanwhile.length} answers, at the median behind ${middle} handshakes, at most ${meanwhile.at(-1)}`);
  assert.ok(meanwhile.length >= 10, `${meanwhile.length} answers`);
  assert.ok(middle <= 8, `${middle} handshakes before an answer`);
  for (const until = Date.now() + 60_000; counts.ended < 1000 && Date.now() < until; ) await sleep(100);
  assert.equal(counts.ended, 1000);
  assert.equal(await ask(socket, 'echo', 'after'), 'after');
});

/** Talks to the server through a wire that is cut after `limit` bytes of the
 *  client, by FIN or RST.  Gives how many bytes went through. */
async function cutAfter(server, limit, how) {
  let carried = 0;
  const front = createServer((client) => {
    const back = connectTcp(server.port, '127.0.0.1');
    const cut = () => {
      if (how === 'RST') back.resetAndDestroy();
      else back.end();
      client.destroy();
    };
    client.on('error', () => {}).on('data', (data) => {
      const part = data.subarray(0, limit - carried);
      carried += part.length;
      if (part.length) back.write(part);
      if (carried >= limit) cut();
    });
    back.on('error', () => {}).on('data', (data) => client.write(data));
    back.on('close', () => client.destroy());
    client.on('close', () => back.destroySoon());
    if (limit === 0) cut();
  });
  await new Promise((done) => front.listen(0, '127.0.0.1', done));
  await within(
    new Promise((done) => {
      const socket = connectTls({
        host: '127.0.0.1', port: front.address().port, servername: 'localhost', ca: authority.pem, maxVersion: 'TLSv1.2',
      });
      socket.on('secureConnect', () => {
        socket.write('GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n');
        socket.end('GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
      });
      socket.on('error', () => {}).on('close', done).resume();
    }),
    20_000, `a connection that is cut after ${limit} bytes`,
  );
  front.close();
  return carried;
}

for (const how of ['FIN', 'RST']) {
  test(`RT11 ${how} after any byte`, { timeout: 240_000 }, async (t) => {
    const server = await start(t);
    const total = await cutAfter(server, 100_000, how);
    assert.ok(total > 400 && total < 2000, `${total} bytes`);
    let at = 0;
    await times(16, async () => {
      while (at < total) {
        const limit = at++;
        assert.equal(await cutAfter(server, limit, how), limit);
      }
    });
    const { body } = await get(server, authority, '/hello');
    assert.equal(body, 'hello');
  });
}

test('RT11 a server with bad certificates does not start, and says why', async (t) => {
  await assert.rejects(start(t, { tls: `${local.chain}:${next.key}` }), /error tls_certificate certificate 0, key .*next\.key: the key is not that/);
  await assert.rejects(start(t, { tls: `/nowhere.pem:${local.key}` }), /error tls_certificate certificate 0, chain \/nowhere\.pem: No such file/);
  await assert.rejects(start(t, { 'tls-client-certs': 'required' }), /error bad_config tls: client_certs needs/);
});
