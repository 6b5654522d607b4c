/**
 * Stands between a client and Postgres on Unix sockets and loses what networks lose. It does not understand what
 * it carries.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { mkdtempSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

export interface PostgresProxy {
  /** Folder of its socket: the client's host. */
  readonly folder: string
  /** Begins to listen. Before, there is no socket. */
  readonly open: Effect.Effect<void>
  /** From now on Postgres hears its clients but they do not hear it, and nobody hears who connects anew. */
  readonly loseReplies: Effect.Effect<void>
  /** Ends every connection; new ones are carried both ways again. */
  readonly cut: Effect.Effect<void>
}

export const make = (
  postgres: { readonly host: string; readonly port: number }
): Effect.Effect<PostgresProxy, never, Scope.Scope> =>
  Effect.gen(function*() {
    const folder = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(tmpdir(), "cadastre-proxy-"))),
      (folder) => Effect.sync(() => rmSync(folder, { recursive: true }))
    )
    const name = `.s.PGSQL.${postgres.port}`
    const sockets = new Set<Net.Socket>()
    let carriesReplies = true
    const server = Net.createServer((client) => {
      track(sockets, client)
      if (!carriesReplies) return
      const upstream = Net.connect(join(postgres.host, name))
      track(sockets, upstream)
      client.pipe(upstream)
      upstream.on("data", (bytes) => {
        if (carriesReplies) client.write(bytes)
      })
      upstream.on("close", () => carriesReplies && client.destroy())
    })
    const destroyAll = Effect.sync(() => {
      for (const socket of sockets) socket.destroy()
    })
    yield* Effect.addFinalizer(() => Effect.zipRight(destroyAll, Effect.sync(() => server.close())))
    return {
      folder,
      open: Effect.async((resume) => {
        server.listen(join(folder, name), () => resume(Effect.void))
      }),
      loseReplies: Effect.sync(() => {
        carriesReplies = false
      }),
      cut: Effect.zipRight(
        destroyAll,
        Effect.sync(() => {
          carriesReplies = true
        })
      )
    }
  })

/** An error of a socket is followed by its end, which is all that matters here. */
const track = (sockets: Set<Net.Socket>, socket: Net.Socket): void => {
  sockets.add(socket)
  socket.on("error", () => undefined)
  socket.on("close", () => sockets.delete(socket))
}
