// socket.io on Node.js with uWebSockets.js.   node server.js PORT
// The package is a build that others made of it, for it is not on npm itself.
const { App } = require('@trufflesuite/uws-js-unofficial');
const { Server } = require('socket.io');

const app = App();
const io = new Server({ maxHttpBufferSize: 1e8 });
io.attachApp(app);

io.on('connection', (socket) => {
  socket.on('echo', (...args) => socket.emit('echo', ...args));
  socket.on('ack', (...args) => args.pop()(...args));
  socket.on('broadcast', (...args) => io.emit('broadcast', ...args));
});
app.listen('127.0.0.1', Number(process.argv[2]), (listening) => {
  if (!listening) {
    process.exit(1);
  }
});
