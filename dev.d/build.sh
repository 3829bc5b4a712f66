# shellcheck shell=bash
# Builds: of C by meson, of the client's bundles by hand.

# set_up FOLDER OPTION...: a build with these options of meson.
set_up() {
    local folder=$1 name
    name=$(basename "$folder")
    shift
    if [ ! -f "$folder/build.ninja" ]; then
        quiet "setup-$name" meson setup "$folder" "$@"
    elif [ $# -gt 0 ]; then
        quiet "setup-$name" meson configure "$folder" "$@"
    fi
}

# compile FOLDER OPTION...: the same, and builds all of it.
compile() {
    set_up "$@" && quiet "build-$(basename "$1")" ninja -C "$1"
}

# build_release [TARGET...]: all of it, or these.  A folder that was set up by
# hand keeps its options.
build_release() {
    need_packages build unit
    say "Building a release in build/"
    # Across files, as the way of a message is short in each; the static library
    # keeps ordinary code beside it.
    [ -f "$BUILD/build.ninja" ] ||
        set_up "$BUILD" -Dbuildtype=release -Db_lto=true \
            -Dc_args=-ffat-lto-objects
    quiet build-release ninja -C "$BUILD" "$@"
}

# Fills build/client/ with the official client's bundles, of the npm package
# that client/ pins: each and its map, as it is and compressed, and VERSION.
prepare_client() {
    local package=client/node_modules/socket.io-client version name
    need_packages client
    npm_ci client
    version=$(sed -n 's/^  "version": "\(.*\)",$/\1/p' "$package/package.json")
    if [ "$(cat "$CLIENT/VERSION" 2>/dev/null)" = "$version" ]; then
        return 0
    fi
    rm -rf "$CLIENT"
    mkdir -p "$CLIENT"
    for name in socket.io socket.io.min socket.io.esm.min socket.io.msgpack.min; do
        install -m 644 "$package/dist/$name.js" "$package/dist/$name.js.map" "$CLIENT"
    done
    for name in "$CLIENT"/*; do
        gzip -9 -n -k "$name"
        brotli -q 11 -k "$name"
    done
    echo "$version" >"$CLIENT/VERSION" # comes last: all the rest is there
}
