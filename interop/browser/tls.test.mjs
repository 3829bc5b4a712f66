// Chromium over https and wss, with a page that the server itself serves.  It
// takes the certificate by the hash of its key, as its CA is a throw-away one.

import assert from 'node:assert/strict';
import { X509Certificate, createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { QUIET } from '../support/raw.mjs';
import { Authority, LOCAL, own, serverFor } from '../support/tls.mjs';
import { launch, WAIT } from './harness.mjs';

const LIMIT = { timeout: 90_000 };
const authority = new Authority();
const certificates = {
  ECDSA: authority.make('localhost', { names: LOCAL }),
  RSA: authority.make('rsa', { names: LOCAL, kind: 'rsa' }),
};

/** What --ignore-certificate-errors-spki-list wants to know of it. */
function keyHash({ cert }) {
  const spki = new X509Certificate(cert).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64');
}

let browser;
before(async () => {
  writeFileSync(authority.path('index.html'), '<!doctype html><title>A page</title>');
  const hashes = Object.values(certificates).map(keyHash).join(',');
  browser = await launch(`--ignore-certificate-errors-spki-list=${hashes}`);
});
after(() => browser?.close());

const start = (t, certificate) =>
  serverFor(t, 'sio-client', {
    ...QUIET, tls: own(certificate), 'client-dir': process.env.CLIENT_DIR, static: authority.folder,
  });

async function open(t, server) {
  const context = await browser.newContext();
  t.after(() => context.close());
  context.setDefaultTimeout(WAIT);
  const page = await context.newPage();
  await page.goto(`${server.url}/`);
  await page.addScriptTag({ url: `${server.url}/socket.io/socket.io.js` });
  return page;
}

/** Connects in the page, and tells what came of it. */
function talk(page, transports) {
  return page.evaluate(async (ways) => {
    const socket = window.io({ forceNew: true, reconnection: false, timeout: 10_000, transports: ways });
    const ask = (...list) => new Promise((done) => socket.emit(...list, done));
    try {
      await new Promise((done, fail) => {
        socket.on('connect', done);
        socket.on('connect_error', fail);
      });
      const { engine } = socket.io;
      if (ways.length > 1 && engine.transport.name !== 'websocket') {
        await new Promise((done) => engine.once('upgrade', done));
      }
      const large = 'x'.repeat(300_000);
      const bytes = new Uint8Array(70_000).fill(7);
      return {
        same: (await ask('echo', large)) === large,
        bytes: new Uint8Array(await ask('echo', bytes)).length,
        handshake: await ask('getHandshake'),
        transport: engine.transport.name,
      };
    } catch (err) {
      return { error: err.message };
    } finally {
      socket.disconnect();
    }
  }, transports);
}

for (const [kind, certificate] of Object.entries(certificates)) {
  test(`RT11 a page over https, ${kind}`, LIMIT, async (t) => {
    const server = await start(t, certificate);
    const page = await open(t, server);
    assert.equal(await page.evaluate(() => window.isSecureContext && location.protocol), 'https:');
    for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
      const result = await talk(page, transports);
      assert.equal(result.error, undefined);
      assert.equal(result.same, true);
      assert.equal(result.bytes, 70_000);
      assert.equal(result.handshake.secure, true);
      assert.equal(result.transport, transports.at(-1));
    }
    assert.doesNotMatch(server.stderr(), /tls_refused/);
  });
}

test('RT11 a certificate that the browser does not trust', LIMIT, async (t) => {
  const server = await start(t, authority.make('unknown', { names: LOCAL }));
  await assert.rejects(open(t, server), /ERR_CERT_AUTHORITY_INVALID/);
});
