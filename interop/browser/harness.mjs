// The chat example as a process, and people in front of it in Chromium.
//
//   CHAT        path of the program, default build/examples/chat/chat
//   CLIENT_DIR  folder of the client's bundles and their VERSION, default
//               build/client
//   CHROMIUM    path of the browser, default /usr/bin/chromium

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const CHAT = process.env.CHAT ?? join(ROOT, 'build/examples/chat/chat');
const CLIENT_DIR = process.env.CLIENT_DIR ?? join(ROOT, 'build/client');
const PAGE = join(ROOT, 'examples/chat/page');
const START_LIMIT = 20_000; // ms
const STOP_LIMIT = 20_000;

export const WAIT = 15_000; // ms that a page may take for what it has to do

const live = new Set();
process.on('exit', () => {
  for (const child of live) child.kill('SIGKILL');
});

/** A chat server with a history of its own.  stop() and start() may follow
 *  each other: port and history stay the same. */
export class Chat {
  #folder;
  #child = null;
  #ended = null; // promise of {code, signal}
  port = 0;
  stderr = '';

  static async start() {
    const chat = new Chat();
    chat.#folder = await mkdtemp(join(tmpdir(), 'chat-'));
    await chat.start();
    return chat;
  }

  get url() {
    return `http://127.0.0.1:${this.port}/`;
  }

  async start() {
    const child = spawn(
      CHAT,
      ['--host', '127.0.0.1', '--port', String(this.port), '--db', join(this.#folder, 'chat.db'),
        '--page', PAGE, '--client-dir', CLIENT_DIR],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    live.add(child);
    this.#child = child;
    child.stderr.setEncoding('utf8').on('data', (text) => (this.stderr += text));
    this.#ended = new Promise((done) => {
      child.on('error', (err) => done({ code: err.message, signal: null }));
      child.on('close', (code, signal) => done({ code, signal }));
    }).finally(() => live.delete(child));
    this.port = await new Promise((done, fail) => {
      const timer = setTimeout(() => fail(new Error(`${CHAT} does not listen\n${this.stderr}`)), START_LIMIT);
      this.#ended.then((end) => {
        clearTimeout(timer);
        fail(new Error(`${CHAT} ended with ${end.code ?? end.signal}\n${this.stderr}`));
      });
      let stdout = '';
      child.stdout.setEncoding('utf8').on('data', (text) => {
        stdout += text;
        const match = /^chat: http:\/\/.*:(\d+)$/m.exec(stdout);
        if (!match) return;
        clearTimeout(timer);
        done(Number(match[1]));
      });
    });
  }

  /** Fails unless the server runs until now and then ends by itself. */
  async stop() {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
      const end = await this.#ended;
      throw new Error(`the chat ended too early, with ${end.code ?? end.signal}\n${this.stderr}`);
    }
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_LIMIT);
    const { code, signal } = await this.#ended;
    clearTimeout(timer);
    if (code !== 0) throw new Error(`the chat ended with ${code ?? signal} after SIGTERM\n${this.stderr}`);
  }

  async remove() {
    try {
      await this.stop();
    } finally {
      await rm(this.#folder, { recursive: true, force: true });
    }
  }
}

/** With further arguments of the command line. */
export function launch(...more) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
      '--disable-background-networking', '--disable-component-update', '--disable-sync', ...more],
  });
}

// What Chromium itself logs while nobody listens.
const NO_SERVER = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_INCOMPLETE_CHUNKED|WebSocket connection to/;

/** Somebody in front of a page of their own, with storage of their own. */
export class Person {
  errors = []; // of page and console
  polls = 0; // requests that were polls
  webSockets = 0;
  serverMayBeGone = false;

  /** Without a name, the page will ask for one. */
  constructor(name) {
    this.name = name;
  }

  async arrive(browser, chat, { room = 'lobby', transports, name, ...options }) {
    this.context = await browser.newContext({ viewport: { width: 1280, height: 800 }, locale: 'en-GB', ...options });
    this.context.setDefaultTimeout(WAIT);
    this.page = await this.context.newPage();
    this.#watch();
    const query = new URLSearchParams({ room, ...(name && { name }), ...(transports && { transports }) });
    await this.page.goto(`${chat.url}?${query}`);
    if (name) await this.online();
  }

  #watch() {
    const { page } = this;
    page.on('pageerror', (err) => this.errors.push(`${this.name}: ${err.stack ?? err}`));
    page.on('console', (message) => {
      if (message.type() !== 'error') return;
      if (this.serverMayBeGone && NO_SERVER.test(message.text())) return;
      this.errors.push(`${this.name}: console: ${message.text()} ${message.location().url}`);
    });
    page.on('request', (request) => {
      if (request.url().includes('transport=polling')) this.polls++;
    });
    page.on('websocket', () => this.webSockets++);
  }

  state(state) {
    return this.page.waitForSelector(`#status[data-state=${state}]`);
  }

  /** Connected, and the room is open. */
  async online(transport) {
    const by = transport ? `[data-transport=${transport}]` : '';
    await this.page.waitForSelector(`#status[data-state=online]${by}`);
    await this.page.waitForSelector('#main[aria-busy=false]');
  }

  async write(text) {
    await this.page.fill('#text', text);
    await this.page.press('#text', 'Enter');
  }

  /** Writes, and waits for the tick. */
  async say(text) {
    await this.write(text);
    await this.#message(text, '.mine[data-state=sent]').waitFor();
  }

  #message(text, more = '') {
    return this.page.locator(`.msg${more}`, { has: this.page.locator('.bubble p').getByText(text, { exact: true }) });
  }

  hears(text) {
    return this.#message(text, ':not(.mine)').waitFor();
  }

  count(text) {
    return this.#message(text).count();
  }

  texts() {
    return this.page.locator('.msg .bubble p').allTextContents();
  }

  /** Pastes a picture into the page; gives its pixels as drawn. */
  paste(width, height, seed) {
    return this.page.evaluate(
      async ([w, h, s]) => {
        const canvas = document.createElement('canvas');
        canvas.width = w;
        canvas.height = h;
        const at = canvas.getContext('2d');
        const pixels = at.createImageData(w, h);
        let x = s;
        for (let i = 0; i < pixels.data.length; i++) {
          x = (Math.imul(x, 1103515245) + 12345) >>> 0;
          pixels.data[i] = i % 4 === 3 ? 255 : x >>> 24;
        }
        at.putImageData(pixels, 0, 0);
        const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
        const clipboardData = new DataTransfer();
        clipboardData.items.add(new File([blob], 'pasted.png', { type: 'image/png' }));
        const init = { clipboardData, bubbles: true, cancelable: true };
        document.getElementById('text').dispatchEvent(new ClipboardEvent('paste', init));
        return Array.from(pixels.data).join();
      },
      [width, height, seed],
    );
  }

  /** The pixels of the newest picture in the room. */
  async picture(of = '') {
    const image = this.page.locator(`.msg${of} figure img`).last();
    await image.waitFor();
    return image.evaluate(async (img) => {
      await img.decode();
      const canvas = document.createElement('canvas');
      canvas.width = img.naturalWidth;
      canvas.height = img.naturalHeight;
      const at = canvas.getContext('2d');
      at.drawImage(img, 0, 0);
      return Array.from(at.getImageData(0, 0, canvas.width, canvas.height).data).join();
    });
  }

  async leave() {
    await this.context.close();
    if (this.errors.length > 0) throw new Error(this.errors.join('\n'));
  }
}
