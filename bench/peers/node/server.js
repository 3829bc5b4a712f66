// socket.io on Node.js as its documentation sets it up.   node server.js PORT
const { createServer } = require('http');
const { Server } = require('socket.io');

const http = createServer();
const io = new Server(http, { maxHttpBufferSize: 1e8 });

io.on('connection', (socket) => {
  socket.on('echo', (...args) => socket.emit('echo', ...args));
  socket.on('ack', (...args) => args.pop()(...args));
  socket.on('broadcast', (...args) => io.emit('broadcast', ...args));
});
http.listen({ port: Number(process.argv[2]), host: '127.0.0.1', backlog: 4096 });
