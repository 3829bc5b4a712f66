// Throw-away certificates, made by openssl when tests run, and what tests of
// https and wss share.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { io } from 'socket.io-client';
import { LIMIT, within } from './raw.mjs';
import { startServer } from './server.mjs';

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'pipe'] });

const KEYS = {
  ecdsa: ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
  rsa: ['-newkey', 'rsa:2048'],
};

/** A folder with a CA and what it has signed; it goes with the process. */
export class Authority {
  constructor(name = 'Test CA') {
    this.folder = mkdtempSync(join(tmpdir(), 'tls-'));
    process.on('exit', () => rmSync(this.folder, { recursive: true, force: true }));
    this.file = this.path('ca.pem');
    openssl(
      'req', '-x509', ...KEYS.ecdsa, '-nodes', '-keyout', this.path('ca.key'), '-out', this.file,
      '-subj', `/O=Test/CN=${name}`, '-days', '2',
    );
    this.pem = readFileSync(this.file);
  }

  path(name) {
    return join(this.folder, name);
  }

  /** { chain, key }: paths of files, and { cert, keyPem }: what is in them.
   *  With `issuer`, what this gave for another name, that has signed it. */
  make(name, { subject = `/O=Acme/CN=${name}`, names, kind = 'ecdsa', days = 2, issuer, isCa = false } = {}) {
    const { chain: ca, key: caKey } = issuer ?? { chain: this.file, key: this.path('ca.key') };
    const chain = this.path(`${name}.pem`);
    const key = this.path(`${name}.key`);
    const request = this.path(`${name}.csr`);
    const extra = this.path(`${name}.ext`);
    openssl('req', '-new', ...KEYS[kind], '-nodes', '-keyout', key, '-out', request, '-subj', subject);
    writeFileSync(extra, `basicConstraints=CA:${isCa ? 'TRUE' : 'FALSE'}\n${names ? `subjectAltName=${names}\n` : ''}`);
    openssl(
      'x509', '-req', '-in', request, '-CA', ca, '-CAkey', caKey, '-CAcreateserial',
      '-out', chain, '-days', String(days), '-extfile', extra,
    );
    return { chain, key, cert: readFileSync(chain), keyPem: readFileSync(key) };
  }

  /** The path of a list with these, which are revoked. */
  revoke(...certificates) {
    const config = this.path('ca.conf');
    const list = this.path('crl.pem');
    const lines = { database: this.path('index.txt'), crlnumber: this.path('crl.number'), certificate: this.file, private_key: this.path('ca.key'), default_md: 'sha256', default_crl_days: 2 };
    writeFileSync(config, `[ca]\ndefault_ca=own\n[own]\n${Object.entries(lines).map((pair) => pair.join('=')).join('\n')}\n`);
    writeFileSync(lines.database, '');
    writeFileSync(lines.crlnumber, '01\n');
    for (const { chain } of certificates) openssl('ca', '-config', config, '-revoke', chain);
    openssl('ca', '-config', config, '-gencrl', '-out', list);
    return list;
  }
}

export const LOCAL = 'DNS:localhost,IP:127.0.0.1';

/** The option --tls for these certificates. */
export const own = (...certificates) => certificates.map(({ chain, key }) => `${chain}:${key}`).join(',');

/** A server that ends with the test. */
export async function serverFor(t, profile, options) {
  const server = await startServer(profile, options);
  t.after(server.stop);
  return { ...server, url: `https://localhost:${server.port}` };
}

/** An official client that trusts `authority`, and ends with the test. */
export async function connected(t, server, authority, options = {}, make = io) {
  const socket = make(server.url, {
    ca: authority.pem, forceNew: true, reconnection: false, ...options,
  });
  t.after(() => socket.disconnect());
  await within(
    new Promise((done, fail) => {
      socket.once('connect', done);
      socket.once('connect_error', fail);
    }),
    LIMIT, 'connecting',
  );
  return socket;
}

export const ask = (socket, ...list) =>
  within(new Promise((done) => socket.emit(...list, done)), LIMIT, `the ack of ${list[0]}`);

/** A TLS connection whose handshake is done; it ends with the test. */
export async function secured(t, server, authority, options = {}) {
  const socket = connect({
    ...(options.socket ? {} : { host: '127.0.0.1', port: server.port }),
    servername: 'localhost', ca: authority.pem, ...options,
  });
  t.after(() => socket.destroy());
  await within(
    new Promise((done, fail) => {
      socket.once('secureConnect', done);
      socket.once('error', fail);
      socket.once('close', () => fail(new Error('closed in the handshake')));
    }),
    LIMIT, 'the handshake',
  );
  socket.on('error', () => {});
  return socket;
}

/** { status, body } of a GET. */
export function get(server, authority, path, options = {}) {
  return within(
    new Promise((done, fail) => {
      const req = httpsRequest(
        { host: '127.0.0.1', port: server.port, path, servername: 'localhost', ca: authority.pem, agent: false, ...options },
        (res) => {
          let body = '';
          res.setEncoding('utf8');
          res.on('data', (text) => (body += text));
          res.on('end', () => done({ status: res.statusCode, body }));
          res.on('error', fail);
        },
      );
      req.on('error', fail);
      req.end();
    }),
    LIMIT, `GET ${path}`,
  );
}

/** Fails unless it does. */
export async function rejects(promise, pattern) {
  await assert.rejects(promise, (err) => {
    const text = `${err.message} ${err.description?.message ?? ''} ${err.context?.message ?? ''} ${err.code ?? ''}`;
    assert.match(text, pattern);
    return true;
  });
}
