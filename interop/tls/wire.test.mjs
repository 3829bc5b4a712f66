// TLS itself, as other implementations of it see it: OpenSSL in Node, and
// sslscan.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { test } from 'node:test';
import { QUIET, request, within } from '../support/raw.mjs';
import { Authority, LOCAL, get, own, rejects, secured, serverFor } from '../support/tls.mjs';

const authority = new Authority();
const local = authority.make('localhost', { names: LOCAL });
const rsa = authority.make('rsa', { names: LOCAL, kind: 'rsa' });
const other = authority.make('other', { names: 'DNS:other.test,DNS:*.wild.test' });

const start = (t, options = {}) => serverFor(t, 'sio-client', { ...QUIET, tls: own(local, rsa, other), ...options });

/** What comes until the peer ends; fails when it does so by an error. */
function readAll(socket) {
  return within(
    new Promise((done, fail) => {
      let text = '';
      socket.setEncoding('utf8');
      socket.on('data', (more) => (text += more));
      socket.on('end', () => done(text));
      socket.on('error', fail);
    }),
    10_000, 'the end',
  );
}

test('RT11 the suites: ephemeral keys, authenticated ciphers', async (t) => {
  const server = await start(t);
  for (const suite of ['ECDHE-ECDSA-AES128-GCM-SHA256', 'ECDHE-RSA-AES128-GCM-SHA256', 'ECDHE-ECDSA-AES256-GCM-SHA384',
    'ECDHE-RSA-AES256-GCM-SHA384', 'ECDHE-ECDSA-CHACHA20-POLY1305', 'ECDHE-RSA-CHACHA20-POLY1305']) {
    const socket = await secured(t, server, authority, { ciphers: suite, maxVersion: 'TLSv1.2' });
    assert.equal(socket.getCipher().name, suite);
    assert.equal(socket.getPeerCertificate().subject.CN, suite.includes('RSA') ? 'rsa' : 'localhost');
    socket.end();
  }
  for (const suite of ['ECDHE-RSA-AES128-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'AES128-GCM-SHA256', 'AES256-SHA', 'DHE-RSA-AES128-GCM-SHA256']) {
    await rejects(secured(t, server, authority, { ciphers: `${suite}:@SECLEVEL=0`, maxVersion: 'TLSv1.2' }), /handshake failure|alert/i);
  }
  for (const curve of ['prime256v1', 'X25519', 'secp384r1']) {
    const socket = await secured(t, server, authority, { ecdhCurve: curve, maxVersion: 'TLSv1.2' });
    socket.end();
  }
});

test('RT11 the server chooses the suite and the curve of TLS 1.2', async (t) => {
  const suites = 'ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256';
  const client = { ciphers: suites, maxVersion: 'TLSv1.2' };
  const server = await start(t);
  const is36 = (await secured(t, server, authority)).getProtocol() === 'TLSv1.3';
  for (const ecdhCurve of ['prime256v1:X25519', 'X25519:prime256v1']) {
    const socket = await secured(t, server, authority, { ...client, ecdhCurve });
    assert.equal(socket.getCipher().name, 'ECDHE-ECDSA-AES128-GCM-SHA256');
    // What takes less time: 3.6 has tables for P-256.
    assert.equal(socket.getEphemeralKeyInfo().name, is36 ? 'prime256v1' : 'X25519');
  }
  const other = await start(t, { 'tls-prefer-chacha20': true });
  const socket = await secured(t, other, authority, client);
  assert.equal(socket.getCipher().name, 'ECDHE-ECDSA-CHACHA20-POLY1305');
});

test('RT11 TLS 1.3 where mbedTLS has it', async (t) => {
  const server = await start(t);
  const newest = { minVersion: 'TLSv1.3' };
  const version = (await secured(t, server, authority)).getProtocol();
  if (process.env.TLS13) assert.equal(version, 'TLSv1.3');
  if (version !== 'TLSv1.3') {
    await rejects(secured(t, server, authority, newest), /protocol version|handshake failure/i);
    return;
  }
  for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']) {
    const socket = await secured(t, server, authority, { ...newest, ciphers: suite });
    assert.equal(socket.getCipher().name, suite);
  }
  for (const curve of ['prime256v1', 'X25519', 'secp384r1']) {
    const socket = await secured(t, server, authority, { ...newest, ecdhCurve: curve });
    assert.equal(socket.getProtocol(), 'TLSv1.3');
  }
});

/** What the server does once a client of TLS 1.3 wants other keys. */
async function changeKeys(t, server) {
  const args = ['s_client', '-connect', `127.0.0.1:${server.port}`, '-servername', 'localhost', '-CAfile', authority.file, '-tls1_3', '-msg'];
  const child = spawn('openssl', args);
  t.after(() => child.kill());
  let text = '';
  child.stdout.on('data', (data) => {
    if (!text.includes('Verify return code') && `${text}${data}`.includes('Verify return code')) child.stdin.write('K\n');
    text += data;
  });
  child.stdin.on('error', () => {});
  await within(new Promise((done) => child.once('close', done)), 10_000, 'the end');
  return text;
}

test('RT11 a client that wants other keys is told no', async (t) => {
  const server = await start(t);
  if ((await secured(t, server, authority)).getProtocol() !== 'TLSv1.3') return;
  for (let i = 0; i < 3; i++) {
    const text = await changeKeys(t, server);
    assert.match(text, /KeyUpdate/);
    assert.match(text, /fatal unexpected_message/);
  }
  await server.stop();
  assert.match(server.stderr(), /warn tls_refused address 127\.0\.0\.1: .*unexpected message/i);
});

test('RT11 TLS 1.1 and older are refused', async (t) => {
  const server = await start(t);
  for (const version of ['TLSv1', 'TLSv1.1']) {
    await rejects(
      secured(t, server, authority, { minVersion: version, maxVersion: version, ciphers: 'DEFAULT:@SECLEVEL=0' }),
      /protocol version|alert|unsupported/i,
    );
  }
});

test('RT11 sslscan finds nothing weak', async (t) => {
  const server = await start(t);
  const xml = execFileSync('sslscan', ['--xml=-', '--show-cipher-ids', '--sni-name=localhost', `127.0.0.1:${server.port}`], { encoding: 'utf8' });
  const versions = [...xml.matchAll(/<protocol type="(\w+)" version="([\d.]+)" enabled="(\d)"/g)];
  assert.ok(versions.length >= 6, xml);
  for (const [, type, version, enabled] of versions) {
    if (version !== '1.3') assert.equal(enabled, type === 'tls' && version === '1.2' ? '1' : '0', `${type} ${version}`);
  }
  const ciphers = [...xml.matchAll(/<cipher status="\w+" sslversion="TLSv1\.[23]" bits="(\d+)" cipher="([\w-]+)"[^>]*strength="(\w+)"/g)];
  assert.ok(ciphers.length >= 6, xml);
  for (const [, bits, name, strength] of ciphers) {
    assert.match(name, /^(ECDHE-|TLS_).*(GCM|CHACHA20|POLY1305)/);
    assert.ok(Number(bits) >= 128, name);
    assert.match(strength, /^(strong|acceptable)$/, name);
  }
  assert.doesNotMatch(xml, /<heartbleed[^>]*vulnerable="1"/);
  assert.doesNotMatch(xml, /<compression supported="1"/);
  assert.match(xml, /<renegotiation supported="0"|<renegotiation[^>]*secure="1"/);
});

test('RT11 the name that the client asks for chooses the certificate', async (t) => {
  const server = await start(t);
  const rows = [['localhost', 'localhost'], ['other.test', 'other'], ['OTHER.test', 'other'], ['a.wild.test', 'other'],
    ['unknown.test', 'localhost']];
  for (const [servername, want] of rows) {
    const socket = await secured(t, server, authority, { servername, checkServerIdentity: () => undefined });
    assert.equal(socket.getPeerCertificate().subject.CN, want, servername);
    socket.end();
  }
});

test('RT11 a chain: the certificates between the own one and the root are sent', async (t) => {
  const middle = authority.make('middle', { isCa: true });
  const leaf = authority.make('leaf', { names: LOCAL, issuer: middle });
  const bare = await start(t, { tls: own(leaf) });
  await rejects(secured(t, bare, authority), /unable to verify|UNABLE_TO_VERIFY/i);
  const chain = authority.path('chain.pem');
  writeFileSync(chain, Buffer.concat([leaf.cert, middle.cert]));
  const whole = await start(t, { tls: own({ chain, key: leaf.key }) });
  const socket = await secured(t, whole, authority);
  assert.equal(socket.getPeerCertificate(true).issuerCertificate.subject.CN, 'middle');
});

test('RT11 ALPN: http/1.1, and nothing else', async (t) => {
  const server = await start(t);
  const both = await secured(t, server, authority, { ALPNProtocols: ['h2', 'http/1.1'] });
  assert.equal(both.alpnProtocol, 'http/1.1');
  await rejects(secured(t, server, authority, { ALPNProtocols: ['h2'] }), /no application protocol|alert/i);
});

for (const [name, options] of Object.entries({ tickets: { 'tls-session-cache': 0 }, 'a cache': { 'tls-no-tickets': true } })) {
  test(`RT11 sessions are resumed by ${name}`, async (t) => {
    const server = await start(t, options);
    const first = await secured(t, server, authority, { maxVersion: 'TLSv1.2' });
    assert.equal(first.isSessionReused(), false);
    const session = first.getSession();
    first.end();
    for (let i = 0; i < 3; i++) {
      const next = await secured(t, server, authority, { session, maxVersion: 'TLSv1.2' });
      assert.equal(next.isSessionReused(), true);
      next.end();
    }
    // What is no ticket, or none of ours, makes a full handshake.
    const torn = Buffer.from(session);
    for (let i = 100; i < torn.length - 8; i += 7) torn[i] ^= 0x55;
    const full = await secured(t, server, authority, { session: torn, maxVersion: 'TLSv1.2' }).catch(() => null);
    if (full) assert.equal(full.isSessionReused(), false);
  });
}

test('RT11 an answer that ends the connection ends TLS too', async (t) => {
  const server = await start(t);
  const socket = await secured(t, server, authority);
  socket.write('GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
  // Without close_notify OpenSSL 3 reports an unexpected end.
  assert.match(await readAll(socket), /^HTTP\/1\.1 200 OK\r\n[^]*hello$/);
});

test('RT11 one who ends his side after asking still gets the answer', async (t) => {
  const server = await start(t);
  const socket = await secured(t, server, authority, { allowHalfOpen: true });
  const answer = readAll(socket);
  socket.end('GET /hello HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.match(await answer, /^HTTP\/1\.1 200 OK\r\n[^]*hello$/);
});

test('RT11 records of one byte', async (t) => {
  const server = await start(t);
  const socket = await secured(t, server, authority);
  socket.setNoDelay(true);
  const answer = readAll(socket);
  for (const byte of Buffer.from('GET /hello HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')) {
    socket.write(Buffer.of(byte));
  }
  assert.match(await answer, /^HTTP\/1\.1 200 OK\r\n[^]*hello$/);
});

test('RT11 plain HTTP gets a plain answer', async (t) => {
  const server = await start(t);
  const answer = await request(server, { target: '/hello' });
  assert.equal(answer.status, 400);
  assert.match(answer.text, /TLS/);
  await server.stop();
  assert.match(server.stderr(), /warn tls_refused address 127\.0\.0\.1: plain HTTP/);
});

test('RT11 a port with TLS and one without, of one server', async (t) => {
  const server = await start(t, { direct: true });
  const port = Number(/^direct on (\d+)$/m.exec(server.stdout())[1]);
  const plain = await request({ port, host: '127.0.0.1' }, { target: '/who' });
  assert.equal(JSON.parse(plain.text).secure, false);
  const { body } = await get(server, authority, '/who');
  assert.equal(JSON.parse(body).secure, true);
});

test('RT11 a PROXY header comes before TLS', async (t) => {
  const server = await start(t, { 'proxy-protocol': true, trust: '127.0.0.1' });
  for (const cut of [0, 20, 42]) {
    const line = 'PROXY TCP4 198.51.100.7 192.0.2.1 4711 443\r\n';
    const socket = connectTcp(server.port, '127.0.0.1');
    t.after(() => socket.destroy());
    socket.write(line.slice(0, cut));
    await new Promise((done) => setTimeout(done, 50));
    socket.write(line.slice(cut));
    const tls = await secured(t, server, authority, { socket });
    tls.write('GET /who HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n');
    const [, body] = (await readAll(tls)).split('\r\n\r\n');
    assert.deepEqual(JSON.parse(body), { address: '198.51.100.7', secure: true });
  }
});

test('RT11 connections of one address are counted, and forgotten when they end', async (t) => {
  const server = await start(t, { 'max-connections-per-address': 2 });
  for (let i = 0; i < 4; i++) {
    const both = [await secured(t, server, authority), await secured(t, server, authority)];
    await rejects(secured(t, server, authority), /disconnected|reset|ECONNRESET|closed|hang up/i);
    for (const socket of both) {
      const closed = new Promise((done) => socket.once('close', done));
      socket.end();
      await closed;
    }
  }
});
