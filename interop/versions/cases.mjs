// What a client of any version has to be able to do.  Each case gets the cell
// of the matrix it is for, { version, old, way, transports, server }, with
// `after` for what ends with the case.

import assert from 'node:assert/strict';
import { ask, collect, next, noted, tell } from '../support/client.mjs';
import { AGAIN, beside, connection, info, open, opened, plain, refusal, settled } from './clients.mjs';
import { startProxy } from './proxy.mjs';

const TEXTS = [
  'plain', '', 'wörd', '世界', '😀', '𝒳𝒴 astral 🏳️‍🌈', '"quotes" \\ and \\n \n\r\t', '1:2', '\u0000\u0001\u001e',
  'line \u2028 and paragraph \u2029', '😀'.repeat(1000), '%20 +&=', '\u00ff\u0100\ud7ff\ue000\uffff',
];
const VALUES = [null, true, false, 0, -1.5, 9007199254740991, '', [], {}, [[1, [2]]], { a: { b: [null, { c: 'd' }] } }];
const SIZES = [1, 2, 3, 255, 256, 70_000];

const filled = (size) => Buffer.from(Array.from({ length: size }, (_, i) => (i * 7 + size) & 0xff));

/** Binary values in all sorts of places; a packet takes ten. */
const nested = () => {
  const [one, two, ...more] = SIZES.map(filled);
  return { one, list: [two, [{ deep: more }], 'text 😀', null], same: [one, one], n: 1 };
};

/** A client of the cell in "/". */
const root = (cell, options = {}) =>
  opened(cell, cell.version, cell.server.url, '/', { transports: cell.transports, ...options });

/** The id that the server has to have given: that of the session, in a form,
 *  where the protocol has no other. */
function assertId(cell, socket, told) {
  assert.equal(told.id, socket.id);
  const session = socket.io.engine.id;
  assert.equal(told.session, session);
  if (!cell.old) assert.notEqual(socket.id, session);
  else assert.equal(socket.id, told.nsp === '/' ? session : `${told.nsp}#${session}`);
}

async function connect(cell) {
  const socket = await root(cell);
  assert.equal(socket.connected, true);
  const told = await info(socket);
  assertId(cell, socket, told);
  assert.equal(told.protocol, cell.old ? 3 : 4);
  await settled(socket, cell.way);
  assert.equal((await info(socket)).transport, cell.way === 'polling' ? 'polling' : 'websocket');
  const { id } = socket;
  await noted(cell.server, id, 'connection');
  socket.disconnect();
  assert.equal((await noted(cell.server, id, 'disconnect')).reason, 'client namespace disconnect');
}

async function events(cell) {
  const socket = await root(cell);
  const got = collect(socket, 'message');
  for (const value of VALUES) socket.emit('message', value);
  socket.emit('message');
  socket.emit('message', ...VALUES);
  await got.reach(VALUES.length + 2);
  assert.deepEqual([...got], [...VALUES.map((value) => [value]), [], VALUES]);
}

/** Numbers both ways from the first moment on, through an upgrade too. */
async function order(cell) {
  const socket = await root(cell);
  const count = 150;
  const got = collect(socket, 'tick');
  await tell(socket, 'stream', { event: 'tick', count, every: 1 });
  for (let i = 0; i < count; i++) {
    socket.emit('n', i);
    if (i % 10 === 0) await new Promise((done) => setTimeout(done, 1));
  }
  await got.reach(count);
  await settled(socket, cell.way);
  assert.deepEqual(await ask(socket, 'n-count'), [count, 0]);
  assert.deepEqual(got.slice(0, count).map(([i]) => i), Array.from({ length: count }, (_, i) => i));
}

async function acks(cell) {
  const socket = await root(cell);
  const all = await Promise.all(VALUES.map((value) => ask(socket, 'echo', value)));
  assert.deepEqual(all, VALUES.map((value) => [value]));
  assert.deepEqual(await ask(socket, 'echo'), []);
  assert.deepEqual(await ask(socket, 'echo', ...VALUES), VALUES);
  assert.deepEqual(await ask(socket, 'ack-later', 20, 'late', 1), ['late', 1]);
}

async function calls(cell) {
  const socket = await root(cell);
  socket.on('question', (...list) => list.pop()('answer', ...list));
  for (const list of [[], [1, { two: [2] }], ['😀']]) {
    assert.deepEqual(await tell(socket, 'call', { event: 'question' }, ...list), ['answer', ...list]);
  }
  const back = await tell(socket, 'call', { event: 'question' }, nested());
  assert.deepEqual(back.map(plain), ['answer', nested()]);
  socket.on('mute', () => {});
  const [late] = await ask(socket, 'call', { event: 'mute', timeout: 30 });
  assert.equal(late, 'not answered in time');
}

async function text(cell) {
  const socket = await root(cell);
  const got = collect(socket, 'message');
  const names = collect(socket, 'ünï😀');
  for (const one of TEXTS) socket.emit('message', one);
  await got.reach(TEXTS.length);
  assert.deepEqual(got.map(([one]) => one), TEXTS);
  assert.deepEqual(await Promise.all(TEXTS.map((one) => ask(socket, 'echo', { [one]: one }))), TEXTS.map((one) => [{ [one]: one }]));
  await tell(socket, 'emit', { event: 'ünï😀' }, 1);
  assert.deepEqual(await names.reach(1).then((list) => [...list]), [[1]]);
}

async function binary(cell) {
  const socket = await root(cell);
  const got = collect(socket, 'message');
  const sent = [...SIZES.map(filled), nested(), 'text between', [nested(), filled(0), filled(4)], filled(1)];
  for (const one of sent) socket.emit('message', one);
  await got.reach(sent.length);
  assert.deepEqual(got.map(([one]) => plain(one)), sent);
  assert.deepEqual((await ask(socket, 'echo', nested(), 'x')).map(plain), [nested(), 'x']);
  assert.deepEqual((await ask(socket, 'echo', Buffer.alloc(0))).map(plain), [Buffer.alloc(0)]);
  await settled(socket, cell.way);
  assert.deepEqual((await ask(socket, 'echo', nested())).map(plain), [nested()]);
}

/** Bytes that are made elsewhere: what an echo hides shows here. */
async function bytes(cell) {
  const socket = await root(cell);
  const made = collect(socket, 'made');
  await ask(socket, 'burst', { event: 'made', count: 3, binary: true });
  await made.reach(3);
  assert.deepEqual(made.map(plain), [0, 1, 2].map((i) => [i, Buffer.from([1, 2, 3, 4])]));

  const witness = await opened(cell, '4.8.4', cell.server.url, '/', { transports: ['websocket'] });
  const [heard, told] = [witness, socket].map((one) => collect(one, 'said'));
  for (const one of [filled(1), nested(), filled(70_000)]) {
    await tell(socket, 'to', { to: witness.id, event: 'said' }, one);
    await tell(witness, 'to', { to: socket.id, event: 'said' }, one);
  }
  for (const list of [heard, told]) {
    await list.reach(3);
    assert.deepEqual(list.map(plain), [[filled(1)], [nested()], [filled(70_000)]]);
  }
}

/** Options of a namespace on a connection that is there. */
const given = (cell, auth) => (cell.old ? { query: new URLSearchParams(auth).toString() } : { auth });

async function namespace(cell) {
  const auth = { token: 'ä &=😀', two: '2', empty: '' };
  const main = await root(cell);
  const foo = beside(cell, main, '/foo', given(cell, auth));
  await connection(foo);
  for (const socket of [main, foo]) assertId(cell, socket, await info(socket));
  assert.equal((await info(foo)).nsp, '/foo');
  assert.deepEqual((await ask(foo, 'handshake'))[0].auth, auth);
  assert.deepEqual((await ask(main, 'handshake'))[0].auth, {});

  const strays = collect(main, 'message');
  foo.emit('message', 'for foo');
  assert.deepEqual(await next(foo, 'message'), ['for foo']);
  await ask(main, 'echo');
  assert.equal(strays.length, 0);
  assert.deepEqual((await ask(foo, 'echo', nested())).map(plain), [nested()]);

  const { id } = foo;
  foo.disconnect();
  assert.equal((await noted(cell.server, id, 'disconnect')).reason, 'client namespace disconnect');
  assert.deepEqual(await ask(main, 'echo', 'stays'), ['stays']);
  foo.connect();
  await connection(foo);
  assert.deepEqual(await ask(foo, 'echo', 'again'), ['again']);

  const alone = await opened(cell, cell.version, cell.server.url, '/foo', { transports: cell.transports, auth });
  assert.deepEqual((await ask(alone, 'handshake'))[0].auth, auth);
}

async function refused(cell) {
  const main = await root(cell);
  const told = (message, data) => ({ message, ...(data && { data }) });
  const at = (nsp, auth) => beside(cell, main, nsp, given(cell, auth));
  const no = at('/mw-refuse', { message: 'Not you 😀' });
  assert.deepEqual(await refusal(no, cell.version), cell.old ? 'Not you 😀' : told('Not you 😀'));
  assert.equal(no.connected, false);
  const nowhere = at('/nowhere', {});
  assert.deepEqual(await refusal(nowhere, cell.version), told('Invalid namespace'));
  assert.deepEqual(await ask(main, 'echo', 'stays'), ['stays']);

  const why = open(cell, cell.version, cell.server.url, '/mw-refuse', {
    transports: cell.transports, auth: { message: 'no', data: 'more' },
  });
  assert.deepEqual(await refusal(why, cell.version), cell.old ? 'more' : told('no', 'more'));
  const yes = await opened(cell, cell.version, cell.server.url, '/mw-refuse', { transports: cell.transports, auth: {} });
  assert.equal(yes.connected, true);
}

async function disconnect(cell) {
  const main = await root(cell, AGAIN);
  const foo = beside(cell, main, '/foo');
  if (!foo.connected) await connection(foo);
  const { id } = foo;
  const last = next(foo, 'last');
  const end = next(foo, 'disconnect');
  foo.emit('disconnect-me', 'bye');
  assert.deepEqual(await last, ['bye']);
  assert.equal((await end)[0], 'io server disconnect');
  assert.equal(foo.connected, false);
  assert.equal((await noted(cell.server, id, 'disconnect')).reason, 'server namespace disconnect');
  assert.deepEqual(await ask(main, 'echo', 'stays'), ['stays']);

  const closed = next(main, 'disconnect');
  main.emit('close-me');
  assert.equal((await closed)[0], 'io server disconnect');
  const again = connection(main); // not by itself
  main.connect();
  await again;
  assert.deepEqual(await ask(main, 'echo', 'again'), ['again']);
}

async function reconnect(cell) {
  const proxy = await startProxy(cell, cell.server);
  const options = { transports: cell.transports, ...AGAIN };
  const socket = await opened(cell, cell.version, proxy.url, '/', options);
  const foo = beside(cell, socket, '/foo');
  if (!foo.connected) await connection(foo);
  await settled(socket, cell.way);
  const ids = [socket.id, foo.id];
  const refusedOne = proxy.refused();
  const ends = Promise.all([next(socket, 'disconnect'), next(foo, 'disconnect')]);
  proxy.cut();
  for (const [reason] of await ends) assert.match(reason, /^transport (close|error)$/);
  const back = Promise.all([next(socket, 'connect'), next(foo, 'connect')]);
  const answers = [ask(socket, 'echo', 'kept'), ask(foo, 'echo', filled(9))];
  await refusedOne;
  proxy.mend();
  await back;
  assert.deepEqual((await Promise.all(answers)).map(plain), [['kept'], [filled(9)]]);
  for (const [i, one] of [socket, foo].entries()) {
    assert.notEqual(one.id, ids[i]);
    assertId(cell, one, await info(one));
  }
  await settled(socket, cell.way);
}

async function room(cell) {
  const [one, two, three] = await Promise.all([root(cell), root(cell), root(cell)]);
  const name = `${cell.version} ${cell.way} 😀`;
  await ask(one, 'join', name);
  await ask(two, 'join', [name, 'another']);
  const heard = [one, two, three].map((socket) => collect(socket, 'said'));
  await tell(one, 'to', { to: name, event: 'said' }, 'all', 1);
  await tell(one, 'to', { to: name, event: 'said', from: 'socket' }, 'others', nested());
  await tell(three, 'to', { to: name, event: 'said' }, filled(300));
  await ask(two, 'leave', name);
  await tell(three, 'to', { to: name, event: 'said' }, 'who stayed');
  await Promise.all([one, two, three].map((socket) => ask(socket, 'echo')));
  const [all, others, last] = [['all', 1], ['others', nested()], [filled(300)]];
  assert.deepEqual(heard.map((list) => list.map(plain)), [
    [all, last, ['who stayed']], [all, others, last], [],
  ]);
  for (const socket of [one, two]) socket.on('who', (x, answer) => answer(x, filled(2)));
  await ask(two, 'join', name);
  const [error, answers, count] = await ask(three, 'ask', { to: name, event: 'who', timeout: 5000 }, 7);
  assert.equal(error, 'success');
  assert.equal(count, 2);
  assert.equal(answers.length, 2);
}

export const CASES = {
  connect, events, order, acks, calls, text, binary, bytes, namespace, refused, disconnect, reconnect, room,
};
