// TLS with several loops: connections that move between them, certificates that
// change meanwhile.

import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { WAYS } from '../support/client.mjs';
import { QUIET } from '../support/raw.mjs';
import { Authority, LOCAL, ask, connected, get, own, secured, serverFor } from '../support/tls.mjs';

const authority = new Authority();
const local = authority.make('localhost', { names: LOCAL });
const next = authority.make('next', { names: LOCAL });

const times = (n, run) => Promise.all(Array.from({ length: n }, (_, i) => run(i)));

test('RT11 several threads: connections move from loop to loop', async (t) => {
  const server = await serverFor(t, 'sio-client', { ...QUIET, threads: 3, tls: own(local) });
  const clients = [];
  for (let i = 0; i < 30; i++) {
    const transports = Object.values(WAYS)[i % 3];
    clients.push(connected(t, server, authority, { transports }));
  }
  const sockets = await Promise.all(clients);
  const text = 'x'.repeat(50_000);
  for (let round = 0; round < 2; round++) {
    await Promise.all(sockets.map(async (socket) => assert.equal((await ask(socket, 'echo', text)), text)));
  }
});

test('RT11 certificates are exchanged while clients come and talk', { timeout: 60_000 }, async (t) => {
  const files = { chain: authority.path('live.pem'), key: authority.path('live.key') };
  const install = ({ chain, key }) => {
    copyFileSync(chain, files.chain);
    copyFileSync(key, files.key);
  };
  install(local);
  const server = await serverFor(t, 'sio-client', { ...QUIET, tls: own(files), threads: 2 });
  const subject = async () => {
    const socket = await secured(t, server, authority);
    const { CN } = socket.getPeerCertificate().subject;
    socket.end();
    return CN;
  };
  const old = await times(10, () => connected(t, server, authority));
  let talking = true;
  const talk = old.map(async (socket, i) => {
    for (let n = 0; talking; n++) assert.equal(await ask(socket, 'echo', `${i} ${n}`), `${i} ${n}`);
  });
  const come = times(4, async () => {
    while (talking) (await connected(t, server, authority, { transports: ['websocket'] })).disconnect();
  });
  for (let round = 0; round < 4; round++) {
    const wanted = round % 2 ? local : next;
    install(wanted);
    assert.equal((await get(server, authority, '/reload-tls')).status, 200);
    assert.equal(await subject(), round % 2 ? 'localhost' : 'next');
  }
  writeFileSync(files.key, 'no key');
  const failed = await get(server, authority, '/reload-tls');
  assert.equal(failed.status, 500);
  assert.equal(failed.body, 'certificate or key cannot be used');
  assert.equal(await subject(), 'localhost');
  talking = false;
  await Promise.all([...talk, come]);
  for (const socket of old) assert.equal(await ask(socket, 'echo', 'still'), 'still');
  await server.stop();
  assert.match(server.stderr(), /error tls_certificate certificate 0, key .*live\.key: /);
});
