// Starts and stops the server under test, as a process of its own.
//
//   TESTSERVER   path of our binary, default build/interop/testserver
//   TARGET       `official` runs support/official.mjs in its place
//
//   const server = await startServer('eio4', { 'ping-interval': 300, 'no-upgrades': true });
//   after(server.stop);

import { spawn } from 'node:child_process';
import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const HERE = fileURLToPath(new URL('.', import.meta.url));
const START_LIMIT = 20_000; // ms
const STOP_LIMIT = 20_000;
const STDERR_KEPT = 256 * 1024; // characters

export const isOfficial = process.env.TARGET === 'official';

/** For the `skip` option of a test that asks more than the official server
 *  gives; `false` runs it. */
export function oursOnly(reason) {
  return isOfficial ? `the official server: ${reason}` : false;
}

/** A port that is free, and none that the kernel gives away by itself: so a
 *  server can come back to it, whoever connects and listens meanwhile. */
export async function freePort() {
  for (;;) {
    const port = 20_000 + Math.floor(10_000 * Math.random());
    const probe = createServer();
    const isFree = await new Promise((done) => {
      probe.once('error', () => done(false)).listen(port, '127.0.0.1', () => done(true));
    });
    await new Promise((done) => probe.close(done));
    if (isFree) return port;
  }
}

const live = new Set();
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL');
});

function commandOf(profile, options) {
  const args = ['--profile', profile];
  const given = { port: 0, host: '127.0.0.1', ...options };
  for (const [name, value] of Object.entries(given)) {
    if (value === false || value === undefined) continue;
    args.push(`--${name}`);
    if (value !== true) args.push(String(value));
  }
  if (isOfficial) return [process.execPath, [resolve(HERE, 'official.mjs'), ...args]];
  return [process.env.TESTSERVER ?? resolve(HERE, '../../build/interop/testserver'), args];
}

function describeEnd(code, signal) {
  return signal ? `was ended by ${signal}` : `ended with code ${code}`;
}

/**
 * Starts a server and waits until it listens.
 *
 * `options` are command line options without their dashes; `true` stands for
 * one without a value.  `stop` is bound, may be passed to `after` as it is
 * and be called again; it fails unless the server ends by itself, with code
 * 0, after SIGTERM, and did not end before.
 */
export async function startServer(profile, options = {}) {
  const [command, args] = commandOf(profile, options);
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  live.add(child);

  let stdout = '';
  let stderr = '';
  let end = null; // { code, signal } once the process is gone
  child.stderr.setEncoding('utf8');
  child.stderr.on('data', (text) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  const ended = new Promise((done) => {
    child.on('error', (err) => {
      live.delete(child);
      stderr += `${command}: ${err.message}\n`;
      done({ code: -1, signal: null });
    });
    child.on('close', (code, signal) => {
      live.delete(child);
      done({ code, signal });
    });
  });
  ended.then((e) => (end = e));

  const port = await new Promise((done, fail) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      fail(new Error(`${command} does not listen after ${START_LIMIT} ms\n${stderr}`));
    }, START_LIMIT);
    ended.then(({ code, signal }) => {
      clearTimeout(timer);
      fail(new Error(`${command} ${describeEnd(code, signal)} before it listened\n${stderr}`));
    });
    child.stdout.setEncoding('utf8');
    child.stdout.on('data', (text) => {
      stdout = (stdout + text).slice(-STDERR_KEPT);
      const match = /^listening on (\d+)\s*$/m.exec(stdout);
      if (!match) return;
      clearTimeout(timer);
      done(Number(match[1]));
    });
  });

  async function drain() {
    child.kill('SIGUSR1');
    const { code, signal } = await ended;
    if (code !== 0 || signal) {
      throw new Error(`the server ${describeEnd(code, signal)} after SIGUSR1\n${stderr}`);
    }
  }

  async function finish() {
    if (end) throw new Error(`the server ${describeEnd(end.code, end.signal)} too early\n${stderr}`);
    child.kill('SIGTERM');
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT);
    const { code, signal } = await ended;
    clearTimeout(timer);
    if (code !== 0 || signal) {
      throw new Error(`the server ${describeEnd(code, signal)} after SIGTERM\n${stderr}`);
    }
  }

  let stopping = null;
  const host = options.host ?? '127.0.0.1';
  return {
    port,
    host,
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    pid: child.pid,
    stdout: () => stdout,
    stderr: () => stderr,
    stop: () => (stopping ??= finish()),
    /** The same by SIGUSR1, which drains it. */
    drain: () => (stopping ??= drain()),
  };
}
