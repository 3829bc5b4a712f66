// The profile `rows` (see profile_rows.c) on the official server, as far as
// it has the like, so that the tests of client/ can be checked.

const LATE = 'not answered in time';
const OK = 'success';

const log = [];
const waiters = new Set();
const gates = [];
const dataOf = new WeakMap();

function note(entry) {
  log.push(entry);
  for (const check of [...waiters]) check();
}

const noteOf = (socket, what, more) => note({ what, nsp: socket.nsp.name, id: socket.id, ...more });

function getLog(query, answer) {
  const key = query.get('key') ?? '';
  const what = query.get('wait') ?? '';
  const count = Number(query.get('count') ?? 1);
  const check = () => {
    const found = log.filter((e) => !key || e.id === key || e.tag === key || e.room === key);
    if (what && found.filter((e) => e.what === what).length < count) return;
    waiters.delete(check);
    answer(found);
  };
  waiters.add(check);
  check();
}

function operator(socket, { to = [], except = [], from, volatile }) {
  let b = from === 'socket' ? socket : socket.nsp;
  if (from === 'socket') b = b.broadcast;
  for (const room of [to].flat()) b = b.to(room);
  for (const room of [except].flat()) b = b.except(room);
  return volatile ? b.volatile : b;
}

function addEvents(socket) {
  const emit = (...list) => socket.emit(...list);
  const on = (name, handler) => socket.on(name, handler);
  on('echo', (...list) => {
    const ack = typeof list.at(-1) === 'function' ? list.pop() : null;
    if (ack) ack(...list);
    else emit('echo', ...list);
  });
  on('message', (...list) => emit('message', ...list));
  on('emit', ({ event, volatile }, ...list) => {
    const ack = list.pop();
    (volatile ? socket.volatile : socket).emit(event, ...list);
    ack?.(OK);
  });
  on('burst', ({ event = 'n', count, volatile, binary, regular }, ack) => {
    if (regular) emit('regular');
    for (let i = 0; i < count; i++) {
      const list = binary ? [i, Buffer.from([1, 2, 3, 4])] : [i];
      (volatile ? socket.volatile : socket).emit(event, ...list);
    }
    ack?.(OK, 0);
  });
  on('stream', ({ event = 'n', count, every }, ack) => {
    ack?.(OK);
    let next = 0;
    const step = () => {
      emit(event, next++);
      if (next < count && socket.connected) setTimeout(step, every);
    };
    step();
  });
  on('n', (number) => {
    const p = dataOf.get(socket);
    p.disorder += number !== p.next;
    p.next = number + 1;
  });
  on('n-count', (ack) => ack(dataOf.get(socket).next, dataOf.get(socket).disorder));
  for (const [name, close] of [['disconnect-me', false], ['close-me', true]]) {
    on(name, (...list) => {
      if (list.length) emit('last', ...list);
      socket.disconnect(close);
    });
  }
  on('mark', (x) => noteOf(socket, 'mark', { x }));
  on('info', (ack) => {
    const { address, url, issued, xdomain, secure } = socket.handshake;
    ack({
      id: socket.id, nsp: socket.nsp.name, session: socket.conn.id,
      transport: socket.conn.transport.name, protocol: socket.conn.protocol, backlog: 0, rooms: socket.rooms.size,
      'own-room': socket.rooms.has(socket.id), found: true, connected: socket.connected,
      address, url, issued, xdomain, secure, text: dataOf.get(socket).text,
      recovered: socket.recovered,
    });
  });
  on('handshake', (ack) => ack(socket.handshake));
  on('set-data', (text, ack) => {
    dataOf.get(socket).text = text;
    ack?.(OK);
  });
  on('everyone', async (...list) => {
    const ack = list.pop();
    const all = await (list.length ? socket.nsp.in(list[0]) : socket.nsp).fetchSockets();
    ack(all.map((s) => ({ id: s.id, text: dataOf.get(s)?.text ?? '' })));
  });
  on('twice', () => emit('twice', 'first'));
  on('twice', () => emit('twice', 'second'));
  socket.once('once', () => emit('once'));
}

function addAcks(socket) {
  let tries = 0;
  socket.on('ack-twice', (x, ack) => {
    ack?.(x);
    ack?.('again');
    noteOf(socket, 'ack-twice', {});
  });
  socket.on('ack-later', (ms, ...list) => setTimeout(list.pop(), ms, ...list));
  socket.on('ack-never', () => noteOf(socket, 'ack-never', {}));
  socket.on('flaky', (x, ack) => {
    if (++tries % 3 === 0) ack('try', x === undefined ? 'empty' : 'full');
  });
  socket.on('call', ({ event = 'call', timeout }, ...list) => {
    const ack = list.pop();
    const answer = (err, ...answers) => {
      const error = err ? LATE : OK;
      noteOf(socket, 'called', { error });
      ack(error, ...answers);
    };
    if (timeout) socket.timeout(timeout).emit(event, ...list, answer);
    else socket.emit(event, ...list, (...answers) => answer(null, ...answers));
  });
}

function addRooms(socket) {
  const rooms = () => [...socket.rooms];
  socket.on('join', (names, ack) => {
    socket.join(names);
    ack?.(rooms());
  });
  socket.on('leave', (names, ack) => {
    for (const name of [names].flat()) socket.leave(name);
    ack?.(rooms());
  });
  socket.on('rooms', (ack) => ack?.(rooms()));
  socket.on('in', (room, ack) => ack(socket.rooms.has(room)));
  socket.on('to', (options, ...list) => {
    const ack = typeof list.at(-1) === 'function' ? list.pop() : null;
    operator(socket, options).emit(options.event, ...list);
    ack?.(OK);
  });
  socket.on('ask', (options, x, ack) => {
    const expected = 0;
    const answered = (err, answers) => ack(err ? LATE : OK, answers, answers.length, expected);
    operator(socket, options).timeout(options.timeout).emit(options.event, x, answered);
  });
  socket.on('all', (options, ack) => {
    const b = operator(socket, options);
    if (options.do === 'join') b.socketsJoin(options.room);
    else if (options.do === 'leave') b.socketsLeave(options.room);
    else b.disconnectSockets(options.close);
    ack?.(OK);
  });
  socket.on('immutable', () => {
    const red = socket.nsp.to('red');
    red.except(socket.id).emit('m', 3);
    red.emit('m', 2);
    socket.nsp.emit('m', 1);
  });
}

function addLifecycle(nsp) {
  nsp.on('connection', (socket) => {
    dataOf.set(socket, { text: '', next: 0, disorder: 0 });
    const { tag, greet = 0 } = socket.handshake.auth;
    noteOf(socket, 'connection', { tag, connected: true, transport: socket.conn.transport.name });
    for (let i = 0; i < greet; i++) socket.emit('n', i);
    socket.on('disconnecting', (reason) => {
      noteOf(socket, 'disconnecting', { reason, connected: socket.connected, rooms: [...socket.rooms] });
    });
    socket.on('disconnect', (reason) => {
      socket.join('too-late');
      const gone = 'closed before it was done';
      noteOf(socket, 'disconnect', {
        reason, connected: socket.connected, rooms: socket.rooms.size, join: gone, emit: gone,
      });
      if (reason === 'server shutting down') console.error(JSON.stringify(log.at(-1)));
    });
    socket.conn.on('upgrade', ({ name }) => noteOf(socket, 'upgrade', { transport: name }));
    socket.conn.on('drain', () => noteOf(socket, 'drained', { backlog: 0 }));
    addEvents(socket);
  });
  const isOwn = (room) => nsp.sockets.has(room) || room.length === 20;
  const noteRoom = (change, room, id) => {
    if (!isOwn(room)) note({ what: 'room', nsp: nsp.name, change, room, id: id ?? null });
  };
  nsp.adapter.on('create-room', (room) => noteRoom('created', room));
  nsp.adapter.on('join-room', (room, id) => noteRoom('joined', room, id));
  nsp.adapter.on('leave-room', (room, id) => noteRoom('left', room, id));
  nsp.adapter.on('delete-room', (room) => noteRoom('deleted', room));
}

function addMiddlewares(io) {
  const step = (number, then) => (socket, next) => {
    const { tag } = socket.handshake.auth;
    noteOf(socket, 'middleware', { step: number, tag, connected: socket.connected });
    then(next, socket);
  };
  const allow = (next) => next();
  const refuse = (next, socket) => {
    const { message, data } = socket.handshake.auth;
    next(message === undefined ? undefined : Object.assign(new Error(message), { data }));
  };
  const all = {
    '/mw-order': [step(1, allow), step(2, (next) => setTimeout(next, 20)), step(3, allow)],
    '/mw-refuse': [step(1, refuse), step(2, allow)],
    '/mw-emit': [
      (socket, next) => {
        socket.emit('early', 1);
        socket.emit('early', 2);
        next();
      },
    ],
    '/mw-join': [
      (socket, next) => {
        socket.join('kept');
        noteOf(socket, 'joined', { error: OK, in: socket.rooms.has('kept') });
        next();
      },
      (socket, next) => refuse(next, socket),
    ],
    '/mw-gate': [step(1, (next) => gates.push(next)), step(2, allow)],
  };
  for (const [name, list] of Object.entries(all)) {
    const nsp = io.of(name);
    for (const fn of list) nsp.use(fn);
    nsp.on('connection', (socket) => {
      noteOf(socket, 'connection', { tag: socket.handshake.auth.tag });
      socket.on('disconnect', (reason) => noteOf(socket, 'disconnect', { reason }));
      socket.on('kept', (ack) => ack(socket.rooms.has('kept')));
    });
  }
}

const describeNamespace = (nsp) => (nsp ? { name: nsp.name, parent: parentOf(nsp)?.name ?? null, sockets: nsp.sockets.size } : null);
const parents = [];
const parentOf = (nsp) => parents.find((parent) => parent.children.has(nsp));

function addNamespaces(io) {
  io.on('new_namespace', ({ name }) => note({ what: 'new_namespace', nsp: name, tag: name }));
  const all = (nsp) => {
    nsp.on('connection', (socket) => {
      dataOf.set(socket, { text: '', next: 0, disorder: 0 });
      const { tag } = socket.handshake.auth;
      noteOf(socket, 'connection', { tag });
      socket.on('disconnect', (reason) => noteOf(socket, 'disconnect', { reason }));
      addEvents(socket);
      addAcks(socket);
      addRooms(socket);
    });
    return nsp;
  };
  parents.push(all(io.of(/^\/dyn-[^/]+$/)));
  const guarded = io.of(/^\/mw-dyn-[^/]+$/);
  guarded.use((socket, next) => {
    const { message } = socket.handshake.auth;
    next(message === undefined ? undefined : new Error(message));
  });
  parents.push(guarded);
  parents.push(all(io.of((name, auth, next) => {
    if (!name.startsWith('/tenant-') || JSON.stringify(auth) !== '{"token":"let-in"}') next(null, false);
    else setTimeout(next, 5, null, true);
  })));
}

function parentAnswer(io, query) {
  const nsp = io._nsps.get(query.get('nsp'));
  const parent = nsp && parentOf(nsp);
  if (!parent) return { sockets: -1 };
  const sockets = [...parent.children].reduce((sum, child) => sum + child.sockets.size, 0);
  const room = query.get('room') ?? '';
  if (query.get('do') === 'join') parent.children.forEach((child) => child.socketsJoin(room));
  else if (query.get('do') === 'disconnect') parent.children.forEach((child) => child.disconnectSockets());
  else (room ? parent.to(room) : parent).emit('all', room);
  return { sockets };
}

function httpAnswer(io, url, answer) {
  const query = url.searchParams;
  if (url.pathname === '/children') return answer([...io._nsps.values()].map(describeNamespace));
  if (url.pathname === '/find') return answer(describeNamespace(io._nsps.get(query.get('nsp'))));
  if (url.pathname === '/of') return answer(describeNamespace(io.of(query.get('nsp'))));
  if (url.pathname === '/parent') return answer(parentAnswer(io, query));
  if (url.pathname === '/log') return getLog(query, answer);
  if (url.pathname === '/gate') return answer({ opened: gates.splice(0).map((next) => next()).length });
  if (url.pathname === '/counters') {
    const sockets = [...io._nsps.values()].reduce((sum, nsp) => sum + nsp.sockets.size, 0);
    return answer({ sessions: io.engine.clientsCount, sockets });
  }
  if (url.pathname === '/rooms') {
    const nsp = io.of(query.get('nsp') ?? '/');
    const own = (room) => nsp.sockets.has(room);
    const rooms = [...nsp.adapter.rooms.keys()].filter((room) => !own(room)).length;
    const members = nsp.adapter.rooms.get(query.get('room'))?.size ?? 0;
    return answer({ sockets: nsp.sockets.size, members, rooms });
  }
  if (url.pathname === '/namespaces') {
    const name = query.get('name');
    return answer({ name: io.of(name).name, same: io.of(name) === io.of('/' + name), comma: false });
  }
  return undefined;
}

export default function rows(io) {
  addNamespaces(io);
  for (const name of ['/', '/foo', '/bar', 'plain']) {
    const nsp = io.of(name);
    addLifecycle(nsp);
    nsp.on('connection', (socket) => {
      addAcks(socket);
      addRooms(socket);
    });
  }
  const any = io.of('/any');
  addLifecycle(any);
  any.on('connection', (socket) => {
    socket.onAny((event, ...list) => {
      const count = list.filter((x) => typeof x !== 'function').length;
      noteOf(socket, 'any', { event: String(event ?? ''), count });
    });
  });
  addMiddlewares(io);

  const paths = new Set(['/log', '/gate', '/counters', '/rooms', '/namespaces', '/children', '/find', '/of', '/parent']);
  const others = io.httpServer.listeners('request');
  io.httpServer.removeAllListeners('request');
  io.httpServer.on('request', (req, res) => {
    const url = new URL(req.url, 'http://x');
    if (!paths.has(url.pathname)) return others.forEach((listener) => listener(req, res));
    return httpAnswer(io, url, (json) => {
      res.setHeader('Content-Type', 'application/json');
      res.end(JSON.stringify(json));
    });
  });
}
