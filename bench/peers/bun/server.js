// socket.io on Bun with @socket.io/bun-engine.   bun server.js PORT
const { Server: Engine } = require('@socket.io/bun-engine');
const { Server } = require('socket.io');

const engine = new Engine({ path: '/socket.io/', maxHttpBufferSize: 1e8 });
const io = new Server();
io.bind(engine);

io.on('connection', (socket) => {
  socket.on('echo', (...args) => socket.emit('echo', ...args));
  socket.on('ack', (...args) => args.pop()(...args));
  socket.on('broadcast', (...args) => io.emit('broadcast', ...args));
});
Bun.serve({
  port: Number(process.argv[2]),
  hostname: '127.0.0.1',
  idleTimeout: 60,
  ...engine.handler(),
});
