#include "socketio/parent.h"
#include "socketio/server_impl.h"

sio_namespace *sio_server_find(sio_server *server, const char *name)
{
    return sio_core_find(&server->core, name);
}

sio_namespace *sio_server_of_pattern(sio_server *server, const char *pattern)
{
    return sio_core_of_pattern(&server->core, pattern);
}

sio_namespace *sio_server_of_check(sio_server *server, sio_claim_fn *fn,
                                   void *arg)
{
    return sio_core_of_check(&server->core, fn, arg);
}

sio_error sio_server_on_namespace(sio_server *server, sio_namespace_fn *fn,
                                  void *arg)
{
    return sio_core_on_namespace(&server->core, fn, arg);
}

sio_error sio_server_each_namespace(sio_server *server, sio_namespace_fn *fn,
                                    void *arg)
{
    return sio_core_each(&server->core, fn, arg);
}
