/** A way into a namespace's Postgres: a port there that leads to a socket in the file system. Arguments: host, port, path. */
import * as Net from "node:net"

const [host = "", port = "", path = ""] = process.argv.slice(2)

const server = Net.createServer((near) => {
  near.setNoDelay(true)
  const far = Net.connect(path)
  near.pipe(far)
  far.pipe(near)
  for (const [one, other] of [[near, far], [far, near]] as const) {
    one.on("error", () => undefined)
    one.on("close", () => other.destroy())
  }
})
server.listen(Number(port), host, () => process.stdout.write("ready\n"))
