// The test server's profiles on the official packages, so that the tests
// themselves can be checked: TARGET=official, see server.mjs.  It takes the
// same command line.  A profile that is not here is looked for in
// official-<profile>.mjs, whose default export gets (io, options).

import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Server as Engine } from 'engine.io';
import { Server as SocketServer } from 'socket.io';
import msgpack from 'socket.io-msgpack-parser';

const text = { type: 'string' };
const flag = { type: 'boolean', default: false };

const { values: args } = parseArgs({
  options: {
    profile: text,
    port: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    'ping-interval': text,
    'ping-timeout': text,
    'connect-timeout': text,
    'upgrade-timeout': text,
    'max-payload': text,
    path: text,
    transports: text,
    'no-upgrades': flag,
    eio3: flag,
    'no-trailing-slash': flag,
    'no-serve-client': flag,
    'client-dir': text,
    'cors-origin': text,
    'cors-reflect': flag,
    'cors-ask': text,
    'cors-credentials': flag,
    'cors-methods': text,
    'cors-allowed-headers': text,
    'cors-exposed-headers': text,
    'cors-max-age': text,
    cookie: text,
    'cookie-path': text,
    'no-cookie-path': flag,
    'cookie-domain': text,
    'cookie-max-age': text,
    'cookie-expires': text,
    'no-cookie-http-only': flag,
    'cookie-secure': flag,
    'cookie-partitioned': flag,
    'cookie-same-site': text,
    'cookie-priority': text,
    'initial-packet': text,
    parser: text,
    static: text,
    'header-timeout': text,
    'body-timeout': text,
    'close-timeout': text,
    'keep-alive': text,
    'cleanup-empty': flag,
    'max-dynamic': text,
    'max-backlog': text,
    'max-header-bytes': text,
    'max-headers': text,
    'allow-delay': text,
    'deny-query': flag,
    'destroy-upgrade-timeout': text,
    'no-destroy-upgrade': flag,
    threads: text,
    recovery: flag,
    'no-recovery': flag,
    'recovery-window': text,
    'recovery-middlewares': flag,
    'recovery-packets': text,
  },
});

const PRESETS = {
  eio4: { pingInterval: 300, pingTimeout: 200 },
  eio3: { pingInterval: 300, pingTimeout: 200, allowEIO3: true },
  sio5: { pingInterval: 300, pingTimeout: 200, connectTimeout: 1000 },
  'sio-client': { pingInterval: 2000, allowDelay: 10, recovery: true },
  'eio-client': { pingInterval: 500, maxHttpBufferSize: 100, denyQuery: true },
  bench: {},
};

const number = (name) => (args[name] === undefined ? undefined : Number(args[name]));

/** An entry of the list in cors-origin; a `*` makes it a pattern. */
function originOf(entry) {
  if (!entry.includes('*')) return entry;
  const literal = (text) => text.replace(/[.+?^${}()|[\]\\]/g, '\\$&');
  const [, host, port] = /^(.*?)(:\*)?$/.exec(entry);
  const pattern = host.split('*').map(literal).join('[a-z0-9._-]+');
  return new RegExp(`^${pattern}${port ? '(:\\d{1,5})?' : ''}$`);
}

function corsOptions() {
  const list = args['cors-origin']?.split(/[ ,]+/).filter(Boolean);
  const ask = args['cors-ask'];
  const one = list?.length === 1 && !(list[0].includes('*') && list[0] !== '*');
  const origin = args['cors-reflect'] || (one ? list[0] : list?.map(originOf)) ||
    (ask && ((from, callback) => callback(null, from === ask ? from : [])));
  return origin && {
    origin,
    credentials: args['cors-credentials'],
    methods: args['cors-methods'],
    allowedHeaders: args['cors-allowed-headers'],
    exposedHeaders: args['cors-exposed-headers'],
    maxAge: number('cors-max-age'),
  };
}

function cookieOptions() {
  const given = {
    name: args.cookie,
    path: args['no-cookie-path'] ? false : args['cookie-path'],
    domain: args['cookie-domain'],
    maxAge: number('cookie-max-age'),
    expires: args['cookie-expires'] && new Date(number('cookie-expires') * 1000),
    httpOnly: args['no-cookie-http-only'] ? false : undefined,
    secure: args['cookie-secure'],
    partitioned: args['cookie-partitioned'],
    sameSite: args['cookie-same-site'] === 'unset' ? false : args['cookie-same-site'],
    priority: args['cookie-priority'],
  };
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function engineOptions() {
  const preset = { ...PRESETS[args.profile] };
  const { allowDelay, denyQuery, recovery, ...options } = preset;
  const given = {
    pingInterval: number('ping-interval'),
    pingTimeout: number('ping-timeout'),
    connectTimeout: number('connect-timeout'),
    cleanupEmptyChildNamespaces: args['cleanup-empty'],
    upgradeTimeout: number('upgrade-timeout'),
    maxHttpBufferSize: number('max-payload'),
    path: args.path,
    transports: args.transports?.split(','),
    initialPacket: args['initial-packet'],
    destroyUpgradeTimeout: number('destroy-upgrade-timeout'),
  };
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) options[name] = value;
  }
  if (args['no-upgrades']) options.allowUpgrades = false;
  if (args.eio3) options.allowEIO3 = true;
  if (args['no-trailing-slash']) options.addTrailingSlash = false;
  if (args['no-serve-client']) options.serveClient = false;
  if (args['no-destroy-upgrade']) options.destroyUpgrade = false;
  if (args.parser === 'msgpack') options.parser = msgpack;
  if ((args.recovery || recovery) && !args['no-recovery']) {
    options.connectionStateRecovery = {
      maxDisconnectionDuration: number('recovery-window') ?? 120_000,
      skipMiddlewares: !args['recovery-middlewares'],
    };
  }
  const cors = corsOptions();
  if (cors) options.cors = Object.fromEntries(Object.entries(cors).filter(([, value]) => value !== undefined));
  if (args.cookie) options.cookie = cookieOptions();

  const delay = number('allow-delay') ?? allowDelay ?? 0;
  const denies = args['deny-query'] || denyQuery;
  if (delay || denies) {
    options.allowRequest = (req, callback) => {
      const allowed = !denies || !new URL(req.url, 'http://x').searchParams.has('deny');
      if (delay) setTimeout(() => callback(null, allowed), delay);
      else callback(null, allowed);
    };
  }
  return options;
}

/** The application's own paths. */
async function application(req, res) {
  const url = new URL(req.url, 'http://x');
  if (url.pathname === '/hello') {
    res.writeHead(200, { 'Content-Type': 'text/plain', 'Content-Length': 5 }).end('hello');
  } else if (url.pathname === '/echo') {
    const chunks = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const query = url.search.slice(1);
    const answer = JSON.stringify({ method: req.method, path: url.pathname, query, body });
    const length = Buffer.byteLength(answer);
    res.writeHead(200, { 'Content-Type': 'application/json', 'Content-Length': length }).end(answer);
  } else {
    res.writeHead(404, { 'Content-Length': 0 }).end();
  }
}

function eio4(engine) {
  engine.on('connection', (socket) => socket.on('message', (data) => socket.send(data)));
}

function eioClient(engine) {
  engine.on('initial_headers', (headers, req) => {
    if (req._query.transport !== 'polling') return;
    headers['Set-Cookie'] = [
      ...[headers['Set-Cookie'] ?? []].flat(), // the session's
      '1=1; Max-Age=86400',
      '2=2; Path=/; HttpOnly; Secure; SameSite=Strict',
      '3=3; Max-Age=0',
      `4=4; Expires=${new Date().toUTCString()}`,
    ];
  });
  engine.on('connection', (socket) => {
    socket.send('hi');
    socket.on('message', (data) => {
      if (data === 'give binary') socket.send(Buffer.from([0, 1, 2, 3, 4]));
      else if (data === 'give utf8') socket.send('пойду спать всем спокойной ночи');
      else if (data === 'sendHeaders') socket.send(JSON.stringify(socket.transport.dataReq?.headers));
      else socket.send(data);
    });
  });
}

function sio5(io) {
  const greet = (socket) => socket.emit('auth', socket.handshake.auth);
  io.on('connection', (socket) => {
    greet(socket);
    socket.on('message', (...list) => socket.emit('message-back', ...list));
    socket.on('message-with-ack', (...list) => list.pop()(...list));
  });
  io.of('/custom').on('connection', greet);
}

function sioClient(io) {
  io.use((socket, next) => {
    next(socket.handshake.query.fail ? new Error('Auth failed (main namespace)') : undefined);
  });
  io.of('/foo').on('connection', (socket) => socket.on('getId', (ack) => ack?.(socket.id)));
  io.of('/abc').on('connection', (socket) => socket.emit('handshake', socket.handshake));
  io.of('/no').use((socket, next) => next(new Error('Auth failed (custom namespace)')));
  for (const name of ['/timeout_socket', '/valid', '/asd']) io.of(name);
  io.on('connection', (socket) => sioClientEvents(socket));
}

function sioClientEvents(socket) {
  const bytes = Buffer.from('asdfasdf');
  const utf8 = ['てすと', 'Я Б Г Д Ж Й', 'Ä ä Ü ü ß', 'utf8 — string', 'utf8 — string'];
  const isBinary = (x) => Buffer.isBuffer(x);
  const isJsonBuffer = (x) => x?.hello === 'lol' && isBinary(x.message) && x.goodbye === 'gotcha';
  const on = (name, handler) => socket.on(name, handler);
  on('hi', () => socket.emit('hi'));
  on('echo', (x, ack) => ack?.(x));
  on('ack', () => {
    socket.emit('ack', (a, b) => {
      if (a === 5 && b?.test) socket.emit('got it');
    });
  });
  on('getAckDate', (x, ack) => ack?.(new Date()));
  on('getDate', () => socket.emit('takeDate', new Date()));
  on('getDateObj', () => socket.emit('takeDateObj', { date: new Date() }));
  on('getUtf8', () => utf8.forEach((line) => socket.emit('takeUtf8', line)));
  on('false', () => socket.emit('false', false));
  on('doge', () => socket.emit('doge', bytes));
  on('getbin', () => socket.emit('takebin', bytes));
  on('buffa', (x) => isBinary(x) && socket.emit('buffack'));
  on('jsonbuff', (x) => isJsonBuffer(x) && socket.emit('jsonbuff-ack'));
  on('abuff1', (x) => (socket.data.abuff1 = isBinary(x)));
  on('abuff2', () => socket.data.abuff1 && socket.emit('abuff2-ack'));
  on('getHandshake', (ack) => ack?.(socket.handshake));
  on('getId', (ack) => ack?.(socket.id));
}

function bench(io) {
  const serve = (socket) => {
    socket.on('echo', (...list) => socket.emit('echo', ...list));
    socket.on('ack', (...list) => list.pop()(...list));
  };
  for (const name of ['/n1', '/n2', '/n3', '/n4']) io.of(name).on('connection', serve);
  io.on('connection', (socket) => {
    serve(socket);
    socket.on('broadcast', (...list) => io.emit('broadcast', ...list));
    socket.on('join', (room, ack) => {
      socket.join(room);
      ack?.();
    });
    socket.on('room', (room, ...list) => io.to(room).emit('room', ...list));
  });
}

const ENGINE_PROFILES = { eio4, eio3: eio4, 'eio-client': eioClient };
const SOCKET_PROFILES = { sio5, 'sio-client': sioClient, bench };

const options = engineOptions();
const httpOptions = { requireHostHeader: true, connectionsCheckingInterval: 100 };
if (args['max-header-bytes']) httpOptions.maxHeaderSize = number('max-header-bytes');
if (args['header-timeout']) httpOptions.headersTimeout = number('header-timeout');
if (args['body-timeout']) httpOptions.requestTimeout = number('body-timeout');
if (args['keep-alive']) httpOptions.keepAliveTimeout = number('keep-alive');
const http = createServer(httpOptions, (req, res) => {
  application(req, res).catch(() => {}); // the client has left, or sent a bad body
});

let engine;
let closeAll;
if (ENGINE_PROFILES[args.profile]) {
  engine = new Engine(options);
  engine.attach(http, options);
  ENGINE_PROFILES[args.profile](engine);
  closeAll = () => {
    engine.close();
    http.close();
  };
} else {
  const io = new SocketServer(http, options);
  const profile =
    SOCKET_PROFILES[args.profile] ?? (await import(`./official-${args.profile}.mjs`)).default;
  profile(io, options);
  engine = io.engine;
  closeAll = () => io.close();
}

engine.on('connection_error', ({ code, message }) => {
  console.error(`connection_error code=${code} message=${message}`);
});

process.on('SIGTERM', () => {
  closeAll();
  setTimeout(() => process.exit(0), 500).unref();
  http.on('close', () => process.exit(0));
  http.closeIdleConnections();
});

http.listen(Number(args.port), args.host, () => console.log(`listening on ${http.address().port}`));
