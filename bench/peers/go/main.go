// socket.io for Go, of zishang520, on net/http.   peer PORT
package main

import (
	"log"
	"net/http"
	"os"

	"github.com/zishang520/socket.io/servers/socket/v3"
)

func main() {
	options := socket.DefaultServerOptions()
	options.SetMaxHttpBufferSize(100_000_000)
	io := socket.NewServer(nil, options)

	io.On("connection", func(clients ...any) {
		client := clients[0].(*socket.Socket)
		client.On("echo", func(args ...any) {
			client.Emit("echo", args...)
		})
		client.On("ack", func(args ...any) {
			last := len(args) - 1
			args[last].(socket.Ack)(args[:last], nil)
		})
		client.On("broadcast", func(args ...any) {
			io.Emit("broadcast", args...)
		})
	})
	http.Handle("/socket.io/", io.ServeHandler(nil))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
