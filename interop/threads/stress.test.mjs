// Everything at once: whatever is numbered comes once and in order, and nothing
// is left behind.
//
//   STRESS_CLIENTS   how many, default 40
//   STRESS_ROUNDS    how often each does everything, default 2
//   SEED             of the order in which they do

import assert from 'node:assert/strict';
import { LIMIT, WAYS, ask, connection, eventually, getJson, next } from '../support/client.mjs';
import { io } from 'socket.io-client';
import { within } from '../support/raw.mjs';
import { counted, deserted, loops, sum, withThreads } from '../support/threads.mjs';

const CLIENTS = Number(process.env.STRESS_CLIENTS ?? 40);
const ROUNDS = Number(process.env.STRESS_ROUNDS ?? 2);
const ROOMS = 5;
const TOLD = 'io server disconnect';

/** Numbers from 0 to 1 that are the same again with the same seed. */
function randomOf(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What an actor has got from each sender: numbers that grow by one. */
class Rows {
  #last = new Map();

  take(what, sender, n) {
    const last = this.#last.get(sender);
    // The first may be any: it was not there for those before.
    if (last !== undefined) assert.equal(n, last + 1, `${what} of ${sender}`);
    this.#last.set(sender, n);
  }

  last(sender) {
    return this.#last.get(sender);
  }
}

/** A client that does one thing after the other, each until it is done; among
 *  them it leaves and comes again as another. */
class Actor {
  constructor(server, index, random) {
    Object.assign(this, { server, index, random, steps: 0, lives: 0, recoveries: 0, errors: [] });
  }

  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  /** A mistake is told of by whoever waits for the actor. */
  watch(fn) {
    return (...list) => {
      try {
        fn(...list);
      } catch (err) {
        this.errors.push(err);
      }
    };
  }

  async enter() {
    const transports = this.pick(Object.values(WAYS));
    const socket = io(this.server.url, { forceNew: true, reconnection: false, transports });
    Object.assign(this, { socket, rows: new Rows(), roomRows: new Rows(), sent: 0, sentRoom: 0, due: 0, emitted: 0 });
    this.lives++;
    socket.on('echo', this.watch((n, bytes) => {
      assert.equal(n, this.due++, 'echo');
      assert.deepEqual(bytes, Buffer.alloc(20, n));
    }));
    socket.on('broadcast', this.watch((sender, n, bytes) => {
      this.rows.take('broadcast', sender, n);
      assert.deepEqual(bytes, Buffer.from(`${sender} ${n}`));
    }));
    socket.on('room', this.watch((sender, n, room) => {
      assert.equal(room, this.room);
      this.roomRows.take('room', sender, n);
    }));
    const bytesOf = (n, bytes) => assert.deepEqual(bytes, Buffer.alloc(100, n & 0xff));
    socket.on('binary', this.watch(bytesOf)).on('far-binary', this.watch(bytesOf));
    socket.on('who', (done) => done(socket.id)).on('question', (done) => done(this.index));
    await connection(socket);
    this.room = `room ${Math.floor(this.random() * ROOMS)}`;
    await ask(socket, 'join', this.room);
  }

  async leave() {
    const { socket } = this;
    const gone = next(socket, 'disconnect');
    const over = `${socket.io.engine.transport.name}${socket.io.engine.upgrading ? ' upgrading' : ''}`;
    const { recovered } = socket;
    const how = this.pick(['disconnect', 'engine', 'far disconnect', 'far close', 'kick']);
    if (how === 'disconnect') socket.disconnect();
    else if (how === 'engine') socket.io.engine.close();
    else if (how === 'kick') socket.emit('kick', socket.id);
    else socket.emit('far', how.slice(4)).emit('far', 'emit', 5).emit('far', 'post');
    const [reason] = await gone;
    if (how === 'kick' || how.startsWith('far')) assert.equal(reason, TOLD, `${how} over ${over}, recovered ${recovered}`);
    socket.disconnect();
    // Calls under way end with their time, not with the life of another.
    await this.enter();
  }

  /** Loses the connection, and goes on with another one: the rows, of which
   *  nobody has been told, go on as if there had been but one. */
  async recover() {
    const { socket } = this;
    const { id } = socket;
    if (socket._lastOffset === undefined) return; // nothing came yet to go on from
    const gone = next(socket, 'disconnect');
    const tcp = socket.io.engine.transport.ws?._socket;
    if (tcp) tcp.destroy();
    else socket.io.engine.close();
    await gone;
    // What came in the tick of the loss the client keeps, and asks for again.
    socket.receiveBuffer.length = 0;
    socket.connect();
    await connection(socket);
    assert.deepEqual([socket.recovered, socket.id], [true, id]);
    this.recoveries++;
  }

  /** Own events of that name come back up to the one that was sent last. */
  async heard(rows, sent, what) {
    const { socket } = this;
    await eventually(() => rows.last(socket.id), (n) => sent === 0 || n === sent - 1, what);
  }

  actions = {
    echo: async () => {
      const upTo = this.emitted + 10;
      while (this.emitted < upTo) this.socket.emit('echo', this.emitted, Buffer.alloc(20, this.emitted++));
      await ask(this.socket, 'ack');
      await eventually(() => this.due, (n) => n === upTo, 'echoes');
    },
    ack: async () => {
      const list = await Promise.all([0, 1, 2, 3, 4].map((n) => ask(this.socket, 'ack', n, Buffer.of(n))));
      assert.deepEqual(list, [0, 1, 2, 3, 4].map((n) => [n, Buffer.of(n)]));
    },
    broadcast: async () => {
      const { id } = this.socket;
      for (let i = 0; i < 3; i++) this.socket.emit('broadcast', id, this.sent, Buffer.from(`${id} ${this.sent++}`));
      await this.heard(this.rows, this.sent, 'own broadcasts');
    },
    room: async () => {
      for (let i = 0; i < 5; i++) this.socket.emit('room', this.room, this.socket.id, this.sentRoom++, this.room);
      await this.heard(this.roomRows, this.sentRoom, 'own room events');
    },
    binary: async () => {
      const came = next(this.socket, 'binary');
      this.socket.emit('binary', 2);
      await came;
    },
    survey: async () => {
      const came = next(this.socket, 'surveyed');
      this.socket.emit('survey', 2000, this.room);
      const [err, answers, expected] = await came;
      assert.ok(err === 0 ? answers.length === expected : answers.length < expected, `${err} ${answers} ${expected}`);
      // Without it, time may have run out for anybody.
      if (err === 0) assert.ok(answers.includes(this.socket.id));
    },
    count: async () => {
      const came = [next(this.socket, 'counted'), next(this.socket, 'fetched')];
      this.socket.emit('count', this.room).emit('fetch', this.room);
      const [[err, n], [, found]] = await Promise.all(came);
      assert.ok(err === 0 && n >= 1 && n <= CLIENTS, `${err} ${n}`);
      assert.ok(found.includes(this.socket.id));
    },
    farEmit: async () => {
      const got = [];
      const take = (n) => got.push(n);
      this.socket.on('far', take);
      await ask(this.socket, 'far', 'emit', 10);
      this.socket.off('far', take);
      assert.deepEqual(got, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    },
    farAsk: async () => {
      const came = next(this.socket, 'answered');
      this.socket.emit('far', 'ask', LIMIT);
      assert.deepEqual((await came).slice(0, 2), [0, this.index]);
    },
    farPost: async () => {
      const came = next(this.socket, 'posted');
      this.socket.emit('far', 'post');
      await came;
    },
    farRooms: async () => {
      await ask(this.socket, 'far', 'join', `own ${this.index}`);
      await ask(this.socket, 'far', 'leave', `own ${this.index}`);
    },
    farBroadcast: async () => {
      const came = next(this.socket, 'far-binary');
      assert.deepEqual(await ask(this.socket, 'far', 'broadcast', 2), ['broadcast']);
      await came;
    },
    leave: () => this.leave(),
    recover: () => this.recover(),
  };

  /** What to do in a round, in any order. */
  shuffled() {
    const names = [
      'echo', 'echo', 'ack', 'ack', 'broadcast', 'room', 'room', 'binary', 'survey', 'count',
      'farEmit', 'farAsk', 'farPost', 'farRooms', 'farBroadcast', 'leave', 'recover', 'recover',
    ];
    return names.map((name) => [this.random(), name]).sort(([a], [b]) => a - b).map(([, name]) => name);
  }

  async run() {
    await this.enter();
    for (const name of Array.from({ length: ROUNDS }, () => this.shuffled()).flat()) {
      await within(this.actions[name](), 2 * LIMIT, name).catch((err) => {
        throw new Error(`${name} of ${this.index}, life ${this.lives}: ${err.message}`, { cause: err });
      });
      assert.deepEqual(this.errors, []);
      this.steps++;
    }
  }
}

// Who leaves while it is being told of a close is waited for as long.
const CLOSE = { 'close-timeout': 3000 };

withThreads('everything at once', { recovery: true, ...CLOSE }, (on) => {
  on(`${CLIENTS} clients do everything ${ROUNDS} times`, async (t, server) => {
    const seed = Number(process.env.SEED ?? Date.now() % 1_000_000);
    t.diagnostic(`seed ${seed}`);
    const random = randomOf(seed);
    const actors = Array.from({ length: CLIENTS }, (_, i) => new Actor(server, i, random));
    t.after(() => actors.forEach(({ socket }) => socket?.disconnect()));
    await Promise.all(actors.map((actor) => actor.run()));

    // All that was sent last has come to everybody who had come before.
    for (const actor of actors) await actor.actions.broadcast();
    for (const actor of actors) await actor.actions.room();
    for (const actor of actors) {
      const { id } = actor.socket;
      const others = actors.filter((other) => other.room === actor.room);
      await eventually(
        () => [actors.filter((o) => o.rows.last(id) !== actor.sent - 1), others.filter((o) => o.roomRows.last(id) !== actor.sentRoom - 1)].map((l) => l.length),
        ([n, m]) => n === 0 && m === 0, `the last events of ${id}`,
      );
    }
    for (const actor of actors) assert.deepEqual(actor.errors, []);
    const young = await loops(server);
    await eventually(() => counted(server, 'sessions'), (n) => n === CLIENTS, 'sessions of these alone');
    assert.ok(young.every((loop) => loop.handed_over > 0 && loop.loop_messages > 0));
    const steps = actors.reduce((n, actor) => n + actor.steps, 0);
    const lives = actors.reduce((n, actor) => n + actor.lives, 0);
    const recoveries = actors.reduce((n, actor) => n + actor.recoveries, 0);
    t.diagnostic(`${steps} steps, ${lives} lives, ${recoveries} recoveries`);
    // Who has got nothing yet has nothing to go on from.
    assert.ok(recoveries > ROUNDS * CLIENTS, `${recoveries} recoveries`);
    assert.equal(sum(young, 'recovery_failed'), 0);
    assert.equal(lives, (ROUNDS + 1) * CLIENTS);
    const rooms = new Set(actors.map(({ room }) => room)).size;
    assert.ok((await getJson(server, '/rooms')) >= rooms);
    actors.forEach(({ socket }) => socket.disconnect());
    await deserted(server);
    assert.equal(await getJson(server, '/rooms'), 0);
    const old = await loops(server);
    for (const what of ['backlog_bytes', 'sessions_polling', 'sessions_websocket']) assert.equal(sum(old, what), 0, what);
    // The one that asks is left.
    await eventually(() => counted(server, 'connections'), (n) => n <= 1, 'connections');
  }, { timeout: 80_000 * ROUNDS });
});
