// The chat example in a real browser: see harness.mjs for what it needs.
// SCREENSHOT=1 writes docs/chat.png; screenshots go to a temporary folder
// otherwise.

import assert from 'node:assert/strict';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { io } from 'socket.io-client';
import { Chat, launch, Person, ROOT } from './harness.mjs';

const LIMIT = { timeout: 90_000 };

let browser;
let shots;
before(async () => {
  browser = await launch();
  shots = await mkdtemp(join(tmpdir(), 'chat-shots-'));
});
after(() => browser?.close());

/** Runs `fn` with a server of its own; whoever arrives is seen out. */
async function withChat(fn) {
  const chat = await Chat.start();
  const people = [];
  const arrive = async (options) => {
    const person = new Person(options.name);
    people.push(person);
    await person.arrive(browser, chat, options);
    return person;
  };
  try {
    await fn({ chat, arrive, people });
    for (const person of people) await person.leave();
  } catch (err) {
    err.message += ['', ...people.flatMap((person) => person.errors), chat.stderr].join('\n');
    throw err;
  } finally {
    for (const person of people) await person.context.close();
    await chat.remove();
  }
}

/** Waits until `probe` gives true. */
async function eventually(probe, what) {
  for (const end = Date.now() + 10_000; Date.now() < end; ) {
    if (await probe()) return;
    await new Promise((done) => setTimeout(done, 25));
  }
  assert.fail(what);
}

// -------------------------------------------------------------- transports --

async function converse(ada, ben) {
  await ada.page.locator('.notice', { hasText: 'Ben joined' }).waitFor();
  assert.equal(await ada.page.locator('#people-list li').count(), 2);

  await ada.say('Hello Ben');
  await ben.hears('Hello Ben');
  await ben.say('Grüße, 🌍 и 世界');
  await ada.hears('Grüße, 🌍 и 世界');

  await ben.page.locator('#text').pressSequentially('Hm');
  await ada.page.locator('#typing', { hasText: 'Ben is typing…' }).waitFor();
  await ben.page.fill('#text', '');
  await ada.page.waitForFunction(() => document.getElementById('typing').textContent === '');

  const drawn = await ada.paste(96, 64, 7);
  await ada.page.waitForSelector('#preview:not([hidden])');
  await ada.say('with words');
  assert.equal(await ben.picture(), drawn, 'the pixels of the picture');
  assert.equal(await ben.count('with words'), 1);
  assert.deepEqual(await ada.texts(), await ben.texts());
}

test('browser: two pages chat over polling only', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const ada = await arrive({ name: 'Ada', transports: 'polling' });
    const ben = await arrive({ name: 'Ben', transports: 'polling' });
    await converse(ada, ben);
    for (const person of [ada, ben]) {
      await person.online('polling');
      assert.equal(person.webSockets, 0);
      assert.ok(person.polls > 2);
    }
  }));

test('browser: two pages chat over WebSocket only', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const ada = await arrive({ name: 'Ada', transports: 'websocket' });
    const ben = await arrive({ name: 'Ben', transports: 'websocket' });
    await converse(ada, ben);
    for (const person of [ada, ben]) {
      await person.online('websocket');
      assert.equal(person.webSockets, 1);
      assert.equal(person.polls, 0);
    }
  }));

test('browser: two pages chat through the upgrade', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const ada = await arrive({ name: 'Ada' });
    const ben = await arrive({ name: 'Ben' });
    await ada.say('Said while the connection moves');
    await ben.hears('Said while the connection moves');
    for (const person of [ada, ben]) {
      await person.online('websocket');
      assert.equal(person.webSockets, 1);
      assert.ok(person.polls > 0);
    }
    const polls = ada.polls;
    await converse(ada, ben);
    assert.equal(ada.polls, polls, 'no poll after the upgrade');
  }));

// ----------------------------------------------------------------- history --

for (const transports of ['polling', 'websocket']) {
  test(`browser: a reload shows the history over ${transports}`, LIMIT, () =>
    withChat(async ({ arrive }) => {
      const ada = await arrive({ name: 'Ada', transports });
      await ada.say('First');
      const drawn = await ada.paste(200, 120, 3);
      await ada.page.waitForSelector('#preview:not([hidden])');
      await ada.page.press('#text', 'Enter');
      await ada.page.locator('.msg[data-state=sent] figure img').waitFor();
      await ada.say('Last');

      await ada.page.reload();
      await ada.online();
      assert.deepEqual(await ada.texts(), ['First', 'Last']);
      assert.equal(await ada.picture('.mine'), drawn);

      const ben = await arrive({ name: 'Ben', transports });
      assert.deepEqual(await ben.texts(), ['First', 'Last']);
      assert.equal(await ben.picture(), drawn);
    }));
}

test('browser: long histories come in pieces, with all their pictures', LIMIT, () =>
  withChat(async ({ chat, arrive }) => {
    const ada = await arrive({ name: 'Ada' });
    const drawn = await ada.paste(40, 30, 11);
    await ada.page.waitForSelector('#preview:not([hidden])');
    await ada.page.press('#text', 'Enter');
    assert.equal(await ada.picture('.mine'), drawn);

    const bot = io(chat.url, { auth: { token: 'a-token-of-a-bot', name: 'Bot' }, forceNew: true });
    try {
      const received = new Promise((done) => bot.on('message', (head, picture) => done(picture)));
      await bot.emitWithAck('open', 'lobby');
      for (let i = 0; i < 55; i++) {
        const answer = await bot.emitWithAck('message', { room: 'lobby', id: `number-${i}-of-55`, text: `Line ${i}` });
        if (answer.error) {
          assert.ok(answer.retry, answer.error);
          await new Promise((done) => setTimeout(done, 300));
          i--;
        }
      }
      await ada.paste(40, 30, 12);
      await ada.page.waitForSelector('#preview:not([hidden])');
      await ada.page.press('#text', 'Enter');
      const picture = await received;
      await new Promise((done) => setTimeout(done, 1500)); // for the allowance
      for (let i = 0; i < 10; i++) {
        const head = { room: 'lobby', id: `picture-${i}-of-10`, text: '', width: 40, height: 30 };
        const answer = await bot.emitWithAck('message', head, picture);
        assert.equal(answer.error, undefined);
      }
    } finally {
      bot.disconnect();
    }

    const ben = await arrive({ name: 'Ben' });
    assert.equal(await ben.page.locator('.msg').count(), 50);
    await ben.page.locator('#scroll').evaluate((s) => (s.scrollTop = 0));
    await ben.page.click('#older');
    await eventually(async () => (await ben.page.locator('.msg').count()) === 67, 'earlier messages');
    assert.equal(await ben.page.locator('#older').isVisible(), false);
    for (const figure of await ben.page.locator('figure').all()) {
      await figure.scrollIntoViewIfNeeded();
      await figure.locator('img').waitFor();
    }
    assert.equal(await ben.page.locator('figure img').count(), 12);
  }));

// ----------------------------------------------------------------- restart --

for (const transports of ['polling', 'websocket', undefined]) {
  test(`browser: a restart of the server is survived over ${transports ?? 'both'}`, LIMIT, () =>
    withChat(async ({ chat, arrive, people }) => {
      const ada = await arrive({ name: 'Ada', transports });
      const ben = await arrive({ name: 'Ben', transports });
      await ada.say('Before');
      await ben.hears('Before');

      for (const person of people) person.serverMayBeGone = true;
      await chat.stop();
      for (const person of people) await person.state('reconnecting');
      await ada.write('Meanwhile, one');
      await ada.write('Meanwhile, two');
      await ben.write('Meanwhile, three');
      assert.equal(await ada.page.locator('.msg[data-state=waiting]').count(), 2);

      await chat.start();
      for (const person of people) await person.online();
      for (const text of ['Meanwhile, one', 'Meanwhile, two']) await ben.hears(text);
      await ada.hears('Meanwhile, three');
      for (const person of people) {
        await eventually(
          async () => (await person.page.locator('.msg:not([data-state=sent])').count()) === 0,
          'everything is sent',
        );
        for (const text of ['Before', 'Meanwhile, one', 'Meanwhile, two', 'Meanwhile, three']) {
          assert.equal(await person.count(text), 1, `${person.name} has "${text}" once`);
        }
        person.serverMayBeGone = false;
      }
      await ada.say('After');
      await ben.hears('After');
      await ben.page.reload();
      await ben.online();
      assert.deepEqual((await ben.texts()).filter((t) => /one|two/.test(t)), ['Meanwhile, one', 'Meanwhile, two']);
      assert.equal((await ben.texts()).length, 5);
    }));
}

test('browser: what is not sent outlives a reload, once', LIMIT, () =>
  withChat(async ({ chat, arrive }) => {
    const ada = await arrive({ name: 'Ada', transports: 'websocket' });
    // The answer to the message gets lost: the page cannot know that it came.
    await ada.page.evaluate(() => {
      const kept = JSON.stringify([{ cid: 'lost-answer-1', room: 'lobby', text: 'Only once', at: Date.now() }]);
      sessionStorage.setItem('chat:Ada:outbox', kept);
    });
    const token = await ada.page.evaluate(() => localStorage.getItem('chat:Ada:token'));
    const twin = io(chat.url, { auth: { token, name: 'Ada' }, forceNew: true });
    try {
      const first = await twin.emitWithAck('message', { room: 'lobby', id: 'lost-answer-1', text: 'Only once' });
      await ada.page.reload();
      await ada.page.locator('.msg[data-state=sent]', { hasText: 'Only once' }).waitFor();
      assert.equal(await ada.count('Only once'), 1);
      const again = await twin.emitWithAck('message', { room: 'lobby', id: 'lost-answer-1', text: 'Only once' });
      assert.deepEqual(again, first);
    } finally {
      twin.disconnect();
    }
    assert.equal(await ada.count('Only once'), 1);
  }));

// -------------------------------------------------------------------- page --

test('browser: rooms are apart, show who is in them and what is new', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const ada = await arrive({ name: 'Ada' });
    const ben = await arrive({ name: 'Ben', room: 'ideas' });
    await ben.say('Only for ideas');
    await ada.page.locator('#rooms .unread', { hasText: 'ideas' }).waitFor();
    assert.equal(await ada.count('Only for ideas'), 0);

    await ada.page.fill('#new-room-name', 'Größe <b>');
    await ada.page.press('#new-room-name', 'Enter');
    await ben.page.locator('#rooms button', { hasText: 'Größe <b>' }).click();
    await ada.page.locator('.notice', { hasText: 'Ben joined' }).waitFor();
    await ben.page.locator('#rooms button', { hasText: 'lobby' }).click();
    await ada.page.locator('.notice', { hasText: 'Ben left' }).waitFor();
    await ada.page.locator('#rooms button', { hasText: 'ideas' }).click();
    await ada.hears('Only for ideas');
    // Nobody is in it and nothing was said: it goes.
    await ben.page.locator('#rooms button', { hasText: 'Größe <b>' }).waitFor({ state: 'detached' });
  }));

test('browser: names are asked for, shown and changed', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const ben = await arrive({ name: 'Ben' });
    const ada = await arrive({});
    await ada.page.waitForSelector('#name-dialog[open]');
    await ada.page.fill('#name', 'Adda');
    await ada.page.press('#name', 'Enter');
    await ada.online();
    await ada.say('Hello');
    await ben.hears('Hello');
    await ada.page.click('#me');
    await ada.page.fill('#name', 'Ada');
    await ada.page.press('#name', 'Enter');
    await ben.page.locator('.who b', { hasText: /^Ada$/ }).waitFor();
    await ben.page.locator('#people-list .name', { hasText: /^Ada$/ }).waitFor();
    await ada.page.locator('#me-name', { hasText: /^Ada$/ }).waitFor();
    await ada.page.reload();
    await ada.online();
    assert.equal(await ada.page.locator('#me-name').textContent(), 'Ada');
    assert.equal(await ada.page.locator('.msg.mine').count(), 1);
  }));

test('browser: markup stays text', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const evil = '<img src=x onerror="window.broken=1"><script>window.broken=1</script>';
    const ada = await arrive({ name: '<b>Ada</b>', room: '<i>room</i>' });
    const ben = await arrive({ name: 'Ben', room: '<i>room</i>' });
    await ada.say(evil);
    await ada.say('see javascript:alert(1) and https://example.org/?a=<b>"');
    await ben.hears(evil);
    assert.equal(await ben.page.evaluate(() => window.broken), undefined);
    assert.equal(await ben.page.locator('.msg .who b').first().textContent(), '<b>Ada</b>');
    assert.equal(await ben.page.locator('.bubble img, .bubble script, .bubble b').count(), 0);
    await ben.page.locator('.bubble a').waitFor();
    assert.deepEqual(await ben.page.locator('.bubble a').evaluateAll((all) => all.map((a) => a.getAttribute('href'))), [
      'https://example.org/?a=',
    ]);
  }));

test('browser: a picture that is dropped is sent', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const ada = await arrive({ name: 'Ada' });
    const ben = await arrive({ name: 'Ben' });
    await ada.page.evaluate(async () => {
      const canvas = document.createElement('canvas');
      canvas.width = canvas.height = 20;
      const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([blob], 'a.png', { type: 'image/png' }));
      const init = { dataTransfer, bubbles: true, cancelable: true };
      const target = document.getElementById('scroll');
      target.dispatchEvent(new DragEvent('dragenter', init));
      window.covered = !document.getElementById('drop').hidden;
      target.dispatchEvent(new DragEvent('drop', init));
    });
    assert.equal(await ada.page.evaluate(() => window.covered), true);
    assert.equal(await ada.page.locator('#drop').isVisible(), false);
    await ada.page.waitForSelector('#preview:not([hidden])');
    await ada.page.click('#send');
    await ben.page.locator('figure button').click();
    assert.equal(await ben.page.locator('#viewer').isVisible(), true);
    await ben.page.keyboard.press('Escape');
    assert.equal(await ben.page.locator('#viewer').isVisible(), false);
  }));

test('browser: a page on a phone fits and works', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const phone = { viewport: { width: 360, height: 740 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
    const ben = await arrive({ name: 'Ben' });
    const ada = await arrive({ name: 'Ada', ...phone, colorScheme: 'dark' });
    await ben.say('A word so long that it has to be broken: ' + 'Donaudampfschiff'.repeat(8));
    await ada.say('It is.');
    await ben.paste(300, 500, 5);
    await ben.page.waitForSelector('#preview:not([hidden])');
    await ben.page.press('#text', 'Enter');
    await ada.page.locator('figure img').waitFor();
    const width = await ada.page.evaluate(() => document.documentElement.scrollWidth);
    assert.equal(width, 360);
    const wide = await ada.page.evaluate(() =>
      [...document.querySelectorAll('#main *')].filter((e) => e.getBoundingClientRect().right > 360.5).length);
    assert.equal(wide, 0, 'nothing sticks out');
    await ada.page.screenshot({ path: join(shots, 'phone.png') });

    assert.equal(await ada.page.locator('#sidebar').isVisible(), false);
    await ada.page.tap('#open-sidebar');
    await ada.page.locator('#rooms button', { hasText: 'ideas' }).tap();
    await ada.page.locator('#room-name', { hasText: 'ideas' }).waitFor();
    await ada.page.locator('#sidebar').waitFor({ state: 'hidden' });
    await ada.page.tap('#open-people');
    await ada.page.locator('#people-list li', { hasText: 'Ada' }).waitFor();
    await ada.page.keyboard.press('Escape');
    await ada.page.locator('#people').waitFor({ state: 'hidden' });
  }));

test('browser: the keyboard is enough', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const ada = await arrive({ name: 'Ada' });
    const { keyboard } = ada.page;
    await keyboard.press('Tab');
    assert.equal(await ada.page.evaluate(() => document.activeElement.className), 'skip');
    await keyboard.press('Enter');
    await keyboard.type('By keyboard');
    await keyboard.press('Shift+Enter');
    await keyboard.type('on two lines');
    await keyboard.press('Enter');
    await ada.page.locator('.msg.mine[data-state=sent] p').waitFor();
    assert.deepEqual(await ada.texts(), ['By keyboard\non two lines']);
    await ada.page.focus('#rooms [data-room=ideas]');
    await keyboard.press('Enter');
    await ada.page.locator('#room-name', { hasText: 'ideas' }).waitFor();
    assert.equal(await ada.page.evaluate(() => document.activeElement.dataset.room), 'ideas');
  }));

// ----------------------------------------------------------------- hostile --

test('browser: what the chat does not accept is refused, and nobody else notices', LIMIT, () =>
  withChat(async ({ chat, arrive }) => {
    const ada = await arrive({ name: 'Ada' });
    const connect = (auth) => io(chat.url, { auth, forceNew: true, reconnection: false });
    const refused = (auth) =>
      new Promise((done, fail) => {
        const socket = connect(auth);
        socket.on('connect', () => fail(new Error(`let in: ${JSON.stringify(auth)}`)));
        socket.on('connect_error', (err) => done(err.message)).on('connect_error', () => socket.disconnect());
      });
    for (const auth of [{}, { token: 1, name: 'x' }, { token: 'short', name: 'x' }, { token: 'a'.repeat(65), name: 'x' },
      { token: 'long-enough', name: '' }, { token: 'long-enough', name: 'x'.repeat(33) },
      { token: 'long-enough', name: 'turned \u202e round' }, { token: "';--long-enough", name: 'x' }]) {
      assert.ok(await refused(auth));
    }

    const eve = connect({ token: 'token-of-eve', name: 'Eve' });
    try {
      const good = { room: 'lobby', id: 'an-id-of-eve', text: 'x' };
      const png = Buffer.from('89504e470d0a1a0a0000', 'hex');
      const sized = { ...good, width: 2, height: 2 };
      for (const [event, ...args] of [
        ['open'], ['open', 5], ['open', ''], ['open', 'x'.repeat(33)], ['open', { toString: 1 }], ['open', Buffer.from('x')],
        ['history'], ['history', 'lobby', 'x'], ['image', -1], ['image', 'x'], ['image', 1e300],
        ['rename', null], ['rename', ' x'], ['rename', 'x\u0007'],
        ['message'], ['message', 'x'], ['message', {}], ['message', { ...good, text: 'x'.repeat(4001) }],
        ['message', { ...good, text: '' }], ['message', { ...good, text: 'bell \u0007' }], ['message', { ...good, id: 'x y' }],
        ['message', { ...good, room: 7 }], ['message', sized, 'no picture'], ['message', sized, Buffer.from('<svg onload=x>')],
        ['message', { ...sized, width: 1e9 }, png], ['message', { ...sized, height: -1 }, png],
        ['message', sized, Buffer.concat([png, Buffer.alloc(1_000_001)])],
      ]) {
        const answer = await eve.timeout(10_000).emitWithAck(event, ...args);
        assert.ok(typeof answer.error === 'string', `${event} ${JSON.stringify(args)?.slice(0, 80)}: ${JSON.stringify(answer)}`);
        if (answer.retry) await new Promise((done) => setTimeout(done, 500));
      }
      eve.emit('typing', { on: 1 });
      eve.emit('typing');
      eve.emit('no such event', Buffer.from('x'));
      const flood = await Promise.all(Array.from({ length: 200 }, (_, i) =>
        eve.timeout(10_000).emitWithAck('message', { ...good, id: `flood-of-eve-${i}` })));
      assert.ok(flood.some((answer) => answer.retry), 'a flood is held up');
    } finally {
      eve.disconnect();
    }
    await ada.say('Still here');
  }));

// -------------------------------------------------------------- screenshot --

/** Draws hills in the morning and pastes them. */
function pasteHills(person) {
  return person.page.evaluate(async () => {
    const [w, h] = [720, 400];
    const canvas = Object.assign(document.createElement('canvas'), { width: w, height: h });
    const at = canvas.getContext('2d');
    const sky = at.createLinearGradient(0, 0, 0, h);
    for (const [stop, colour] of [[0, '#2c4a6b'], [0.45, '#c98a78'], [0.7, '#f6cf9a']]) sky.addColorStop(stop, colour);
    at.fillStyle = sky;
    at.fillRect(0, 0, w, h);
    at.fillStyle = '#fff1cf';
    at.arc(500, 205, 34, 0, 7);
    at.fill();
    const ridges = ['#a98590', '#7b7389', '#4f5f77', '#2e4a5c', '#173540'];
    for (const [i, colour] of ridges.entries()) {
      at.fillStyle = colour;
      at.beginPath();
      at.moveTo(0, h);
      for (let x = 0; x <= w; x += 4) {
        const hill = Math.sin(x / (150 - 18 * i) + i * 2.1) * 26 + Math.sin(x / (47 - 5 * i) + i) * 9;
        at.lineTo(x, 225 + i * 36 - hill);
      }
      at.lineTo(w, h);
      at.fill();
    }
    const blob = await new Promise((done) => canvas.toBlob(done, 'image/png'));
    const clipboardData = new DataTransfer();
    clipboardData.items.add(new File([blob], 'hills.png', { type: 'image/png' }));
    document.dispatchEvent(new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }));
  });
}

test('browser: a conversation to show', LIMIT, () =>
  withChat(async ({ arrive }) => {
    const noor = await arrive({ name: 'Noor Haddad' });
    const kim = await arrive({ name: 'Kim', room: 'ideas' });
    const ada = await arrive({ name: 'Ada Lindqvist', deviceScaleFactor: 2 });
    await kim.say('Shall we plan the walk in here?');
    await ada.page.locator('#rooms .unread', { hasText: 'ideas' }).waitFor();
    await noor.say('Good morning! Are you on the train already?');
    await ada.say('Since six. The connection comes and goes with the tunnels.');
    await ada.say('But look at this:');
    await pasteHills(ada);
    await ada.page.waitForSelector('#preview:not([hidden])');
    await ada.page.press('#text', 'Enter');
    await noor.page.locator('figure img').waitFor();
    await ada.page.locator('.msg.mine[data-state=sent] figure').waitFor();
    await noor.say('Worth getting up for. 🌄');
    await noor.page.locator('#text').pressSequentially('Shall we');
    await ada.page.locator('#typing', { hasText: 'Noor Haddad is typing…' }).waitFor();
    await ada.online('websocket');
    await ada.page.evaluate(() => Promise.all(document.getAnimations().map((a) =>
      a.effect.getComputedTiming().iterations === Infinity ? null : a.finished)));
    const path = process.env.SCREENSHOT === '1' ? join(ROOT, 'docs/chat.png') : join(shots, 'chat.png');
    await ada.page.screenshot({ path });
  }));
