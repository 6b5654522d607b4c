/**
 * One direction of a proxied connection: bytes go on after a while, or wait until the way is open again. The end of
 * the connection waits like bytes do.
 */
import type { Socket } from "node:net"

interface Parcel {
  readonly due: number
  readonly deliver: () => void
}

export interface Way {
  readonly isCut: () => boolean
  readonly millis: () => number
}

export class Pump {
  private readonly source: Socket
  private readonly way: Way
  private readonly parcels: Array<Parcel> = []
  private timer: NodeJS.Timeout | undefined

  constructor(source: Socket, sink: Socket, way: Way) {
    this.source = source
    this.way = way
    source.on("data", (bytes) => this.send(() => void sink.write(bytes)))
    source.on("end", () => this.send(() => void sink.end()))
    source.on("close", (hadError) => this.send(() => void (hadError ? reset(sink) : sink.end())))
    // An error is followed by the end, which is all that matters here.
    source.on("error", () => undefined)
  }

  /** Lets go what may go now. */
  run(): void {
    clearTimeout(this.timer)
    this.timer = undefined
    if (this.way.isCut()) {
      this.source.pause()
      return
    }
    for (let first = this.parcels[0]; first !== undefined && first.due <= performance.now(); first = this.parcels[0]) {
      this.parcels.shift()
      first.deliver()
    }
    this.source.resume()
    const [next] = this.parcels
    if (next !== undefined) this.timer = setTimeout(() => this.run(), Math.max(1, next.due - performance.now()))
  }

  close(): void {
    clearTimeout(this.timer)
    this.parcels.length = 0
  }

  private send(deliver: () => void): void {
    this.parcels.push({ due: performance.now() + this.way.millis(), deliver })
    if (this.timer === undefined) this.run()
  }
}

/** As a crash of the other side would; sockets in the file system have no resets. */
export const reset = (socket: Socket): void => {
  if (socket.remoteFamily === undefined) socket.destroy()
  else socket.resetAndDestroy()
}
