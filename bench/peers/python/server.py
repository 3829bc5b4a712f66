"""python-socketio with asyncio on uvicorn and uvloop.   python3 server.py PORT"""

import sys

import socketio
import uvicorn

sio = socketio.AsyncServer(
    async_mode="asgi", cors_allowed_origins="*", max_http_buffer_size=100_000_000
)


@sio.on("echo")
async def echo(sid, *args):
    await sio.emit("echo", args, to=sid)


@sio.on("ack")
async def ack(sid, *args):
    return args


@sio.on("broadcast")
async def broadcast(sid, *args):
    await sio.emit("broadcast", args)


uvicorn.run(
    socketio.ASGIApp(sio),
    host="127.0.0.1",
    port=int(sys.argv[1]),
    log_level="error",
    access_log=False,
    backlog=4096,
    ws_per_message_deflate=False,
)
