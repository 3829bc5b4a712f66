// Official clients over https and wss.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { io as io3 } from 'socket.io-client-v3';
import { WAYS } from '../support/client.mjs';
import { QUIET, within } from '../support/raw.mjs';
import { Authority, LOCAL, ask, connected, get, own, rejects, serverFor } from '../support/tls.mjs';

const authority = new Authority();
const strangers = new Authority('Another CA');
const local = authority.make('localhost', { names: LOCAL });
const rsa = authority.make('rsa', { names: LOCAL, kind: 'rsa' });
// mbedTLS 3.6 encrypts its alert, in TLS 1.3, with keys that are past.
const REFUSED = /alert|ECONNRESET|EPIPE|bad record mac/i;
const anna = authority.make('anna');
const stranger = strangers.make('stranger');

/** It may have happened before the namespace was joined. */
async function upgraded({ io: { engine } }) {
  if (engine.transport.name === 'websocket') return;
  await within(new Promise((done) => engine.once('upgrade', done)), 10_000, 'the upgrade');
}

for (const [kind, certificate] of Object.entries({ ECDSA: local, RSA: rsa })) {
  for (const [way, transports] of Object.entries(WAYS)) {
    test(`RT11 a client over TLS, ${kind} (${way})`, async (t) => {
      const server = await serverFor(t, 'sio-client', { ...QUIET, tls: own(certificate) });
      const socket = await connected(t, server, authority, { transports });
      if (way === 'upgrade') await upgraded(socket);
      assert.equal(socket.io.engine.transport.name, way === 'polling' ? 'polling' : 'websocket');
      const handshake = await ask(socket, 'getHandshake');
      assert.equal(handshake.secure, true);
      assert.equal(handshake.xdomain, false);
      assert.equal('clientSubject' in handshake, false);
      for (const length of [0, 1, 16_384, 100_000, 700_000]) {
        const text = 'äö'.repeat(length / 4);
        assert.equal(await ask(socket, 'echo', text), text);
        const bytes = Buffer.alloc(length, length);
        assert.deepEqual(await ask(socket, 'echo', bytes), bytes);
      }
      socket.disconnect();
    });
  }
}

for (const [way, transports] of Object.entries(WAYS)) {
  test(`RT11 a client of version 3 over TLS (${way})`, async (t) => {
    const server = await serverFor(t, 'sio-client', { ...QUIET, tls: own(local) });
    const socket = await connected(t, server, authority, { transports }, io3);
    if (way === 'upgrade') await upgraded(socket);
    assert.equal(await ask(socket, 'echo', 'three'), 'three');
  });
}

test('RT11 rejectUnauthorized', async (t) => {
  const server = await serverFor(t, 'sio-client', { ...QUIET, tls: own(local) });
  const socket = await connected(t, server, { pem: undefined }, { rejectUnauthorized: false });
  assert.equal(await ask(socket, 'echo', 'trusting'), 'trusting');
  await rejects(connected(t, server, strangers, { transports: ['polling'] }), /xhr poll error|certificate|issuer/i);
});

test('RT11 an Origin over https', async (t) => {
  const server = await serverFor(t, 'sio-client', {
    ...QUIET, tls: own(local), 'cors-origin': 'https://app.example', 'cors-enforce': true,
  });
  const from = (origin) => ({ extraHeaders: { origin } });
  const socket = await connected(t, server, authority, from('https://app.example'));
  const handshake = await ask(socket, 'getHandshake');
  assert.equal(handshake.xdomain, true);
  assert.equal(handshake.secure, true);
  await rejects(connected(t, server, authority, { ...from('http://app.example'), transports: ['polling'] }), /error/);
});

test('RT11 certificates of clients, required', async (t) => {
  const server = await serverFor(t, 'sio-client', {
    ...QUIET, tls: own(local), 'tls-client-certs': 'required', 'tls-client-ca': authority.file,
  });
  for (const transports of Object.values(WAYS)) {
    const socket = await connected(t, server, authority, { transports, cert: anna.cert, key: anna.keyPem });
    const handshake = await ask(socket, 'getHandshake');
    assert.equal(handshake.clientSubject, 'O=Acme, CN=anna');
  }
  await rejects(connected(t, server, authority, { transports: ['websocket'] }), /websocket error/);
  await rejects(
    connected(t, server, authority, { transports: ['websocket'], cert: stranger.cert, key: stranger.keyPem }),
    /websocket error/,
  );
  const { body } = await get(server, authority, '/who', { cert: anna.cert, key: anna.keyPem });
  assert.equal(JSON.parse(body).subject, 'O=Acme, CN=anna');
  await rejects(get(server, authority, '/who'), REFUSED);
  await server.stop();
  assert.match(server.stderr(), /warn tls_refused address 127\.0\.0\.1: .*trusted/i);
});

test('RT11 certificates of clients, optional', async (t) => {
  const server = await serverFor(t, 'sio-client', {
    ...QUIET, tls: own(local), 'tls-client-certs': 'optional', 'tls-client-ca': authority.file,
  });
  const known = await connected(t, server, authority, { cert: anna.cert, key: anna.keyPem });
  assert.equal((await ask(known, 'getHandshake')).clientSubject, 'O=Acme, CN=anna');
  const unknown = await connected(t, server, authority);
  assert.equal('clientSubject' in (await ask(unknown, 'getHandshake')), false);
  await rejects(get(server, authority, '/who', { cert: stranger.cert, key: stranger.keyPem }), REFUSED);
});

test('RT11 certificates of clients, revoked', async (t) => {
  const mallory = authority.make('mallory');
  for (const rule of ['required', 'optional']) {
    const server = await serverFor(t, 'sio-client', {
      ...QUIET, tls: own(local), 'tls-client-certs': rule, 'tls-client-ca': authority.file, 'tls-client-crl': authority.revoke(mallory),
    });
    const known = await connected(t, server, authority, { cert: anna.cert, key: anna.keyPem });
    assert.equal((await ask(known, 'getHandshake')).clientSubject, 'O=Acme, CN=anna');
    await rejects(get(server, authority, '/who', { cert: mallory.cert, key: mallory.keyPem }), REFUSED);
    await server.stop();
    assert.match(server.stderr(), /warn tls_refused address 127\.0\.0\.1: .*revoked/i);
  }
});
