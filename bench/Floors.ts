/** What this machine does at best at this moment: the floors that a benchmark's figures stand on. */
import { quantile } from "#bench/Quantile.ts"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { join } from "node:path"

/** Milliseconds that the work takes. */
export const millisOf = (work: () => void): number => {
  const start = process.hrtime.bigint()
  work()
  return Number(process.hrtime.bigint() - start) / 1e6
}

/** GiB a second that `memcpy` moves between two buffers larger than the caches. */
export const copyGibPerSecond = (): number => {
  const from = Buffer.alloc(64 * 2 ** 20, 1)
  const to = Buffer.alloc(from.length, 2)
  from.copy(to)
  const rounds = 8
  const millis = millisOf(() => {
    for (let round = 0; round < rounds; round++) from.copy(to)
  })
  return (rounds * from.length) / 2 ** 30 / (millis / 1000)
}

/** Nanoseconds of one dependent read at a random place of as many bytes: what a cache miss costs. */
export const missNanos = (bytes: number): number => {
  const words = new Uint32Array(Math.max(1024, bytes / 4))
  // A walk by a full-period congruence visits every word once, in an order that no prefetcher guesses.
  const mask = 2 ** Math.floor(Math.log2(words.length)) - 1
  for (let i = 0; i <= mask; i++) words[i] = (Math.imul(i, 1_664_525) + 1_013_904_223) & mask
  let at = 0
  const reads = 2_000_000
  const millis = millisOf(() => {
    for (let i = 0; i < reads; i++) at = words[at] as number
  })
  return at < 0 ? 0 : (millis * 1e6) / reads
}

/** Events a second that a bare loop folds: one add and one store in a typed array each. */
export const foldsPerSecond = (): number => {
  const counts = new Float64Array(4096)
  const events = 50_000_000
  const millis = millisOf(() => {
    for (let i = 0; i < events; i++) counts[i & 4095] = (counts[i & 4095] as number) + i
  })
  return events / (millis / 1000)
}

/** Microseconds of half of all syncs at most: 8 KiB written to a new file in the folder, then fdatasync. */
export const fdatasyncMicros = (folder: string): number => {
  const file = join(folder, `fdatasync.${process.pid}`)
  const page = Buffer.alloc(8192, 1)
  const handle = Fs.openSync(file, "wx")
  try {
    const micros = Array.from({ length: 200 }, () =>
      millisOf(() => {
        Fs.writeSync(handle, page)
        Fs.fdatasyncSync(handle)
      }) * 1000)
    return quantile(micros, 0.5)
  } finally {
    Fs.closeSync(handle)
    Fs.rmSync(file)
  }
}

/** Microseconds of half of all round trips at most: a few bytes over loopback TCP to this same process and back. */
export const loopbackMicros = async (): Promise<number> => {
  const server = Net.createServer({ noDelay: true }, (socket) => void socket.pipe(socket))
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve))
  const { port } = server.address() as Net.AddressInfo
  const socket = Net.connect({ host: "127.0.0.1", port, noDelay: true })
  const message = Buffer.alloc(64, 1)
  const micros: Array<number> = []
  try {
    for (let trip = 0; trip < 2000; trip++) {
      const start = process.hrtime.bigint()
      await new Promise((resolve, reject) => {
        socket.once("data", resolve).once("error", reject)
        socket.write(message, () => void socket.off("error", reject))
      })
      micros.push(Number(process.hrtime.bigint() - start) / 1e3)
    }
  } finally {
    socket.destroy()
    server.close()
  }
  return quantile(micros, 0.5)
}
