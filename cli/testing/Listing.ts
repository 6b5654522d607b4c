/**
 * All names in a directory, as its zone gives them.
 */
import type * as Client from "#client/Client.ts"
import type { ByteString } from "#domain/ByteString.ts"
import * as Effect from "effect/Effect"

const PAGE = 4096

export const listNames = (client: Client.ClientService, inode: number) =>
  Effect.gen(function*() {
    const names: Array<ByteString> = []
    for (;;) {
      const after = names[names.length - 1] ?? ""
      const { end, entries } = yield* client.call("readDirectory", {
        inode,
        handle: 0,
        after,
        count: PAGE,
        plus: false
      })
      for (const { name } of entries) names.push(name)
      if (end) return names
    }
  })
